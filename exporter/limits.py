"""The limits of time of the prober, and whose fault it is when one runs out.

Nearly every reason why something was not measured is, in the end, that the prober has waited long
enough. That says something of the agent or the server only if the prober was there all the while.
So each limit is in this table, with the reason that it ends in, and with how much of it the prober
may have stood still (`exporter.standstill`) for that reason to hold. Above that it is `void`.
"""

from collections.abc import Callable
from enum import Enum, StrEnum
from typing import Self

from exporter.errors import ProbeError
from exporter.outcome import Reason
from exporter.standstill import longest_standstill_s, stood_still_s

SHARE = 0.25
"""Of a limit. What is well takes a small part of its limit (by the defaults: an agent joins within
1 s of 20 s, media connects within 1 s of 8 s, the API answers within 0.1 s of 5 s), so three
quarters are enough for it. Who had less was judged by another limit than the configured one."""

SOUND_S = 0.5
"""A reply may be as short. What sounds while a process is stopped is lost to it."""

AWAY_S = 8.0
"""A participant that gives no sign for so long stays in its room: a link that was cut for 8 s
raised no event, one that was cut for 20 s was given up after about 13 s."""

REMEMBERED_S = 60.0
"""Within that time it is told what became of a connection: the media of a link that was cut for
40 s came back after 68 s, and the SDK had told of it before."""


class Spoils(Enum):
    """Which standstills of the prober spoil a wait."""

    SHARE = f"together more than {SHARE:.0%} of the limit"
    """What comes meanwhile is still there when the prober looks again."""
    SOUND = f"one of more than {SOUND_S:g} s, if audio is missing"
    """What sounds meanwhile may be lost."""
    AWAY = f"one of more than {AWAY_S:g} s in the last {REMEMBERED_S:g} s"
    """The others must take the prober for gone."""

    def lost_s(self, since: float, limit_s: float) -> float:
        """Return for how long the prober stood still if that spoils the wait, 0 if it does not.

        Args:
            since: When the wait began, on the monotonic clock.
            limit_s: How long it was to be.
        """
        measure, least_s = _MEASURES[self]
        lost_s = measure(since, since + limit_s)
        return lost_s if lost_s > least_s(limit_s) else 0.0


_MEASURES: dict[Spoils, tuple[Callable[[float, float], float], Callable[[float], float]]] = {
    Spoils.SHARE: (stood_still_s, lambda limit_s: SHARE * limit_s),
    Spoils.SOUND: (longest_standstill_s, lambda _limit_s: SOUND_S),
    Spoils.AWAY: (longest_standstill_s, lambda _limit_s: AWAY_S),
}


class Limit(StrEnum):
    """A limit of time: its name, the reason that it ends in, and what is waited for, for people.

    One without a reason ends in an item of a checklist.
    """

    reason: Reason | None
    what: str
    spoils: Spoils

    REQUEST = "request", Reason.CONNECT_FAILED, "an answer of the server API"
    SIGNAL = "signal", Reason.CONNECT_FAILED, "a join by signalling alone"
    CONNECTION = "connection", Reason.CONNECT_FAILED, "the media connection of a participant"
    PUBLISHING = "publishing", Reason.CONNECT_FAILED, "the server to take a participant's tracks"
    FIRST_SOUND = "first_sound", Reason.CONNECT_FAILED, "the first sound of another participant"
    STATISTICS = "statistics", Reason.ROOM_CLOSED, "the statistics of a connection"
    SEAT = "seat", Reason.CONNECT_FAILED, "a ramp's clients, until their tier begins"
    TOKEN = "token", Reason.CONNECT_FAILED, "an answer of a token endpoint"
    DISPATCH = "dispatch", Reason.NO_WORKER, "a worker to take the dispatch"
    ARRIVAL = "arrival", Reason.JOIN_TIMEOUT, "the agent, or the echo, in the room"
    TRACK = "track", Reason.NO_AUDIO_TRACK, "the agent's microphone track"
    GREETING = "greeting", Reason.GREETING_TIMEOUT, "the agent to listen, after its greeting"
    GREETED = "greeted", Reason.GREETING_TIMEOUT, "the first sound of a greeting", Spoils.SOUND
    REPLY = "reply", Reason.NO_REPLY, "the first sound of the reply", Spoils.SOUND
    ANSWER = "answer", Reason.NO_REPLY, "the answer after a filler"
    PACKETS = "packets", Reason.NO_REPLY, "media packets of the agent"
    RPC = "rpc", Reason.AGENT_ERROR, "the agent's answer to an RPC"
    STEP = "step", Reason.UNEXPECTED_ANSWER, "what a step of a dialogue expects"
    TAKE_OVER = "take_over", Reason.AGENT_LEFT, "an agent that takes over the call"
    END = "end", Reason.AGENT_LEFT, "a sign of life, by agent and server", Spoils.AWAY
    LOST = "lost", Reason.ROOM_CLOSED, "a sign of life, by the SDK", Spoils.AWAY
    BACK = "back", Reason.CONNECT_FAILED, "a broken connection to be made again"
    MEDIA_BACK = "media_back", Reason.NO_AUDIO_TRACK, "media after a break"
    NAME = "name", Reason.CONNECT_FAILED, "the addresses of a name"
    PAGE = "page", Reason.CONNECT_FAILED, "a worker page"
    PAGES = "pages", Reason.DEADLINE, "the turn of a worker page to be read"
    RUN = "run", Reason.DEADLINE, "the end of a run: its `deadline`"
    WAY = "way", None, "media by UDP, TCP or TURN"
    CERTIFICATE = "certificate", None, "a TLS handshake, to read a certificate"
    PERMISSION = "permission", None, "the server to take or refuse a track"
    WEBHOOK = "webhook", None, "a webhook of a new room"

    def __new__(
        cls, value: str, reason: Reason | None, what: str, spoils: Spoils = Spoils.SHARE
    ) -> Self:
        """Return the limit with what belongs to it."""
        limit = str.__new__(cls, value)
        limit._value_ = value
        limit.reason, limit.what, limit.spoils = reason, what, spoils
        return limit

    def spoiled(self, detail: str, since: float, limit_s: float) -> ProbeError | None:
        """Return the `void` of a wait that the prober spoiled itself; None where it did not.

        Args:
            detail: What did not come, for people.
            since: When the wait began, on the monotonic clock.
            limit_s: How long it was to be.
        """
        lost_s = self.spoils.lost_s(since, limit_s)
        if not lost_s:
            return None
        why = f"the prober: it stood still for {lost_s:.1f} s while it waited: {detail}"
        return ProbeError(Reason.VOID, why)

    def ran_out(self, detail: str, since: float, limit_s: float) -> ProbeError:
        """Return the error of a wait in vain: `void`, or the reason of this limit.

        Args:
            detail: What did not come, for people.
            since: When the wait began, on the monotonic clock.
            limit_s: How long it was to be.

        Raises:
            TypeError: This limit has no reason.
        """
        if self.reason is None:
            raise TypeError(f"the limit {self} ends in no reason")
        return self.spoiled(detail, since, limit_s) or ProbeError(self.reason, detail)


def away(limit: Limit, ended: ProbeError, at: float) -> ProbeError:
    """Return why a connection ended: `void` where the prober had been away, else as was told.

    Args:
        limit: END or LOST.
        ended: As was told.
        at: When it was, on the monotonic clock.
    """
    return limit.spoiled(ended.detail, at - REMEMBERED_S, REMEMBERED_S) or ended
