"""Webhook events of the server: verified by the SDK's own receiver, as small values."""
# ruff: noqa: PLC0415 - as in client

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from exporter.errors import ExporterError
from exporter.server_api.records import NUMBERS_KEPT, kind_name
from exporter.server_api.server import Server

if TYPE_CHECKING:
    from livekit.api import WebhookReceiver
    from livekit.protocol.models import ParticipantInfo
    from livekit.protocol.webhook import WebhookEvent

_HALF_A_SECOND = 0.5


class ForgedError(ExporterError):
    """A delivery is not signed by the key of this server, or its body is another one."""


class UnreadableError(ExporterError):
    """A delivery is signed, and no event that can be read."""


@dataclass(frozen=True, slots=True)
class EventParticipant:
    """The participant of an event, as the server knew it then."""

    sid: str
    """Of one connection: who connects anew has another."""
    identity: str
    kind: str
    """As in `Participant`; "" if the event does not say: those of tracks name sid and identity."""
    attributes: Mapping[str, str]
    joined_at: float
    """Unix time by the server's clock; 0 if the event does not say."""
    hidden: bool
    region: str
    reason: str
    """Why it left, in the SDK's words in lower case; "unknown_reason" before it left."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event."""

    id: str
    name: str
    """room_started, participant_left and so on; a newer server may know others."""
    at: float
    """Unix time by the server's clock. It gives whole seconds: this is the middle of that one."""
    room: str
    room_sid: str
    """"" for events of no room."""
    participant: EventParticipant | None = None
    is_voice: bool = False
    """Of events of tracks: it is a microphone's."""
    was_deleted: bool = False
    """Of room_finished: the room was deleted, or the server stopped."""
    dropped: int = 0
    """Events that the server could not deliver before this one."""


def load() -> None:
    """Import what `verified` needs, which takes seconds: not in an event loop."""
    import livekit.api  # noqa: F401 - only imported


def verified(server: Server, body: bytes, token: str) -> ServerEvent:
    """Return the event of a delivery.

    Args:
        server: Whose key signs it.
        body: As it came, to the byte: its hash is in the token.
        token: The header Authorization, a JWT.

    Raises:
        ForgedError: Not of this server, or not for this body, or too old.
        UnreadableError: No event.
    """
    from google.protobuf.json_format import ParseError

    receiver = _receiver(server.api_key, server.api_secret)
    try:
        return _event(receiver.receive(body.decode(), token))
    except (ParseError, UnicodeError, RecursionError) as error:
        raise UnreadableError("the body is no event") from error
    except Exception as error:  # the receiver raises plain ones, and those of the JWT's library
        raise ForgedError("the signature is not of this server's key and this body") from error


@lru_cache(maxsize=1)
def _receiver(api_key: str, api_secret: str) -> "WebhookReceiver":
    from livekit.api import TokenVerifier, WebhookReceiver

    return WebhookReceiver(TokenVerifier(api_key, api_secret))


def _event(event: "WebhookEvent") -> ServerEvent:
    return ServerEvent(
        id=event.id,
        name=event.event,
        at=event.created_at + _HALF_A_SECOND,
        room=event.room.name,
        room_sid=event.room.sid,
        participant=_participant(event.participant) if event.HasField("participant") else None,
        is_voice=_is_voice(event.track.type, event.track.source),
        was_deleted=_was_deleted(event.room_end_reason),
        dropped=max(0, event.num_dropped),
    )


def _participant(info: "ParticipantInfo") -> EventParticipant:
    joined_at = info.joined_at_ms / 1000 or float(info.joined_at)
    return EventParticipant(
        sid=info.sid,
        identity=info.identity,
        kind=kind_name(info.kind) if joined_at or info.kind else "",
        attributes=dict(info.attributes),
        joined_at=joined_at,
        hidden=info.permission.hidden,
        region=info.region,
        reason=_reason(info.disconnect_reason),
    )


@lru_cache(NUMBERS_KEPT)
def _is_voice(track_type: int, source: int) -> bool:
    from livekit.protocol.models import TrackSource, TrackType

    return track_type == TrackType.AUDIO and source == TrackSource.MICROPHONE


@lru_cache(NUMBERS_KEPT)
def _was_deleted(end_reason: int) -> bool:
    from livekit.protocol.models import RoomEndReason

    return end_reason in (RoomEndReason.ROOM_END_API_DELETE, RoomEndReason.ROOM_END_SERVER_SHUTDOWN)


@lru_cache(NUMBERS_KEPT)
def _reason(disconnect_reason: int) -> str:
    from livekit.protocol.models import DisconnectReason

    if disconnect_reason in DisconnectReason.values():
        return DisconnectReason.Name(disconnect_reason).lower()
    return "other"
