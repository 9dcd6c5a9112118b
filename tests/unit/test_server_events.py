"""Webhook events of the server, as small values."""

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from livekit.api import AccessToken

from exporter.server_api import Server
from exporter.server_api.webhooks import ForgedError, ServerEvent, verified

_SERVER = Server("ws://127.0.0.1:1", api_key="key", api_secret="secret-of-at-least-32-characters-")  # noqa: S106 - of this test


def _event(server: Server = _SERVER, signed_by: Server = _SERVER, **more: Any) -> ServerEvent:
    body = json.dumps({"event": "participant_left", "id": "EV_1", **more}).encode()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = AccessToken(signed_by.api_key, signed_by.api_secret).with_sha256(digest).to_jwt()
    return verified(server, body, token)


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        ({"kind": "SIP", "disconnectReason": "USER_REJECTED"}, "sip", "user_rejected"),
        ({"kind": 3, "disconnectReason": 1}, "sip", "client_initiated"),
        ({"kind": 900, "disconnectReason": 900}, "other", "other"),
        ({"joinedAtMs": "1"}, "standard", "unknown_reason"),
        ({}, "", "unknown_reason"),
    ],
    ids=["by name", "by number", "of a newer server", "not said", "of a track"],
)
def test_participant_of_an_event(said: dict[str, Any], kind: str, reason: str) -> None:
    """Numbers that this version does not know are `other`, and no error."""
    who = _event(participant={"sid": "PA_1", **said}).participant
    assert who is not None
    assert (who.kind, who.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("track", "is_voice"),
    [
        ({"type": "AUDIO", "source": "MICROPHONE"}, True),
        ({"type": "AUDIO", "source": "SCREEN_SHARE_AUDIO"}, False),
        ({"type": "VIDEO", "source": "MICROPHONE"}, False),
        ({"type": 900, "source": 900}, False),
    ],
)
def test_voice_is_a_microphone(track: dict[str, Any], is_voice: bool) -> None:
    """Other audio, and kinds of a newer server, are none."""
    assert _event(track=track).is_voice is is_voice


@pytest.mark.parametrize(
    ("reason", "was_deleted"),
    [("ROOM_END_API_DELETE", True), ("ROOM_END_SERVER_SHUTDOWN", True), (0, False), (900, False)],
)
def test_room_was_deleted(reason: str | int, was_deleted: bool) -> None:
    """By a request, or by a server that stops."""
    assert _event(roomEndReason=reason).was_deleted is was_deleted


def test_a_new_key_holds_from_its_first_event() -> None:
    """And the old one no longer: a reload may change it."""
    new = replace(_SERVER, api_secret="another-secret-of-32-characters--")  # noqa: S106 - of this test
    assert _event().id == "EV_1"
    assert _event(new, signed_by=new).id == "EV_1"
    with pytest.raises(ForgedError):
        _event(new)
    with pytest.raises(ForgedError):
        _event(signed_by=new)
