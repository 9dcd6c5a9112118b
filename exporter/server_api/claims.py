"""What a participant's token says, read without its secret."""
# ruff: noqa: PLC0415 - as in client

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporter.outcome.token import TokenDanger

LONGEST_S = 24 * 3600.0
"""A caller's token that is valid for longer is dangerous: it can be found and used much later."""
_LATE_S = 60.0
"""So much may the clock that made it be ahead."""
_ROOM_RIGHTS = {
    "roomAdmin": TokenDanger.ROOM_ADMIN,
    "roomCreate": TokenDanger.ROOM_CREATE,
    "roomList": TokenDanger.ROOM_LIST,
    "roomRecord": TokenDanger.ROOM_RECORD,
    "ingressAdmin": TokenDanger.INGRESS_ADMIN,
}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token allows."""

    room: str
    """The one room that it opens; "" where it names none."""
    identity: str
    """Of the participant."""
    attributes: Mapping[str, str]
    """Of the participant, from the moment it joins."""
    dangers: tuple[TokenDanger, ...]
    """What no caller's token should have."""
    dispatches: tuple[str, ...]
    """Names of the agents that its room configuration calls."""


def read_claims(token: str) -> Claims:
    """Read a token. Its signature is the server's to check.

    Raises:
        ValueError: It is no JSON Web Token; the message has nothing of it.
    """
    import jwt

    unchecked = dict.fromkeys(("verify_signature", "verify_exp", "verify_nbf", "verify_aud"), False)
    try:
        told: dict[str, Any] = jwt.decode(token, options=unchecked)  # type: ignore[arg-type] # of one kind
    except (jwt.PyJWTError, RecursionError):
        raise ValueError("not a JSON Web Token") from None
    video, config = _mapping(told.get("video")), _mapping(told.get("roomConfig"))
    agents = config.get("agents")
    agents = agents if isinstance(agents, list) else []
    attributes = _mapping(told.get("attributes"))
    return Claims(
        room=_text(video.get("room")),
        identity=_text(told.get("sub")),
        attributes={name: _text(value) for name, value in attributes.items()},
        dangers=tuple(_dangers(told, video)),
        dispatches=tuple(_text(_mapping(each).get("agentName")) for each in agents),
    )


def _dangers(told: Mapping[str, Any], video: Mapping[str, Any]) -> list[TokenDanger]:
    found = [danger for right, danger in _ROOM_RIGHTS.items() if video.get(right) is True]
    if _mapping(told.get("sip")).get("admin") is True:
        found.append(TokenDanger.SIP_ADMIN)
    if not _text(video.get("room")):
        found.append(TokenDanger.NO_ROOM)
    ends = told.get("exp")
    if not isinstance(ends, int | float) or ends - time.time() > LONGEST_S + _LATE_S:
        found.append(TokenDanger.LONG_LIVED)
    return found


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
