"""What was found of the caller's token, where the user's own endpoint makes it."""

from dataclasses import dataclass
from enum import StrEnum

from exporter.outcome.reasons import Worded


class TokenDanger(Worded):
    """A claim that no caller's token should have: the label `claim`, and what it allows."""

    ROOM_ADMIN = "room_admin", "may remove and mute others in the room"
    ROOM_CREATE = "room_create", "may create and delete rooms"
    ROOM_LIST = "room_list", "may list all rooms"
    ROOM_RECORD = "room_record", "may record rooms"
    INGRESS_ADMIN = "ingress_admin", "may administer ingresses"
    SIP_ADMIN = "sip_admin", "may administer telephone trunks"
    NO_ROOM = "no_room", "names no room, so it opens every one"
    LONG_LIVED = "long_lived", "is valid for more than 24 h, or for ever"


class TokenFailure(StrEnum):
    """Why an endpoint gave no token: the label `reason`."""

    UNREACHABLE = "unreachable"
    """No connection, or no answer over it."""
    TIMEOUT = "timeout"
    """No whole answer in time."""
    REFUSED = "refused"
    """HTTP 401 or 403."""
    RATE_LIMITED = "rate_limited"
    """HTTP 429."""
    HTTP_ERROR = "http_error"
    """Any other status than 2xx; redirects are not followed."""
    TOO_LARGE = "too_large"
    """The answer is larger than any token."""
    NO_TOKEN = "no_token"  # noqa: S105 - a reason
    """The answer holds no token under a known key."""
    NOT_A_TOKEN = "not_a_token"  # noqa: S105 - a reason
    """What it holds is no JSON Web Token, or names no room to join."""
    HEADERS_FILE = "headers_file"
    """The file with the request's headers cannot be used any more."""


@dataclass(frozen=True, slots=True)
class CallerToken:
    """The caller's token of one call, without the token itself."""

    fetch_s: float | None = None
    """From the request to the whole answer; None where no token came."""
    dangers: tuple[TokenDanger, ...] = ()
    """Claims that no caller's token should have."""
    dispatches: tuple[str, ...] = ()
    """Names of the agents that the token's room configuration calls; "" is one without a name."""
    failure: TokenFailure | None = None
    """Why there is none."""

    def __str__(self) -> str:
        if self.fetch_s is None:
            return f"token not fetched: {self.failure}"
        risky = "; ".join(f"{each} ({each.words})" for each in self.dangers)
        return f"token fetched in {self.fetch_s:.3f} s" + (f"; dangerous: {risky}" if risky else "")
