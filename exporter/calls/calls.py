"""All calls that are open, by the id of their room's session."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from exporter.calls.call import Call
from exporter.probe import ROOM_PREFIX
from exporter.server_api.webhooks import ServerEvent

SETTLE_S = 5.0
"""After the end of a room so long without an event, its call is counted: others may be late."""
EMPTY_S = 120.0
"""The same for a room that all have left and whose end was not reported."""
FORGOTTEN_S = 24 * 3600.0
"""A room without an event for so long has ended, and the events that say so are lost."""
CLOSED_KEPT_S = 900.0
"""A call that was counted is known for so long: signatures are valid for five minutes."""
IDS_KEPT = 100_000
"""Ids of events that were taken last."""

Taken = Literal["taken", "duplicate", "late", "other"]
"""What became of an event; other: it is of no room, or of one that does not count."""

_CALL = TypeAdapter(Call)


class Calls:
    """Takes events in any order; knows nothing of the web, the store or metrics.

    What it costs to look after all calls follows from those that end, not from those there are.
    """

    def __init__(
        self, rooms: Iterable[str] = ("*",), clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin without any call.

        Args:
            rooms: Patterns of the names of rooms that count.
            clock: Seconds; it only says how long ago the last event came, so that no step of the
                time of day ends a call.
        """
        self.rooms = tuple(rooms)
        self._clock = clock
        self._calls: dict[str, Call] = {}
        self._waiting: dict[float, OrderedDict[str, None]] = {
            wait_s: OrderedDict() for wait_s in (SETTLE_S, EMPTY_S, FORGOTTEN_S)
        }
        """Ids of all calls, by how long no event must come; the one that waits longest is first."""
        self._agents: dict[str, frozenset[str]] = {}
        """The names of the agents of each real call."""
        self._closed: OrderedDict[str, float] = OrderedDict()
        """When each was counted: events that still come for it change nothing."""
        self._ids: OrderedDict[str, None] = OrderedDict()

    def take(self, event: ServerEvent) -> Taken:
        """Take an event.

        Returns:
            taken: the call of `event.room_sid` has changed.
        """
        if event.id in self._ids:
            return "duplicate"
        if event.id:
            self._ids[event.id] = None
            if len(self._ids) > IDS_KEPT:
                self._ids.popitem(last=False)
        if not event.room_sid or not self._counts(event.room):
            return "other"
        if event.room_sid in self._closed:
            return "late"
        call = self._calls.get(event.room_sid) or Call(event.room_sid)
        call.note(event)
        self._keep(call)
        return "taken"

    def agent_names(self) -> frozenset[str]:
        """Return the names of agents in calls that are open."""
        return frozenset().union(*self._agents.values())

    def get(self, sid: str) -> Call | None:
        """Return a call that is open, None if there is no such one."""
        return self._calls.get(sid)

    @property
    def open(self) -> int:
        """How many have not ended; rooms of probes and without a human do not count."""
        return len(self._agents)

    def close_due(self) -> tuple[tuple[Call, ...], tuple[Call, ...]]:
        """Close the calls that have ended.

        Returns:
            Those that ended, and those whose end was never reported.
        """
        now = self._clock()
        ended = (*self._quiet(SETTLE_S, now), *self._quiet(EMPTY_S, now))
        lost = self._quiet(FORGOTTEN_S, now)
        return tuple(self._close(sid, now) for sid in ended), tuple(
            self._close(sid, now) for sid in lost
        )

    def forget_due(self) -> tuple[str, ...]:
        """Forget the calls that were counted long ago; return their ids."""
        before = self._clock() - CLOSED_KEPT_S
        gone = tuple(takewhile(lambda sid: self._closed[sid] < before, self._closed))
        for sid in gone:
            del self._closed[sid]
        return gone

    def export(self, sids: Iterable[str]) -> dict[str, str]:
        """Return what must be known of these calls after a restart, as JSON by their ids."""
        known = {sid: Call(sid, closed=True) for sid in sids if sid in self._closed}
        known |= {sid: self._calls[sid] for sid in sids if sid in self._calls}
        return {sid: _CALL.dump_json(call).decode() for sid, call in known.items()}

    def restore(self, documents: Mapping[str, str]) -> int:
        """Take back what was exported; time without an exporter does not count.

        Returns:
            How many documents could not be read.
        """
        unread = 0
        for document in documents.values():
            try:
                call = _CALL.validate_json(document)
            except ValidationError:
                unread += 1
                continue
            if call.closed:
                self._closed[call.sid] = self._clock()
            elif call.sid not in self._calls:
                self._keep(call)
        return unread

    def _keep(self, call: Call) -> None:
        """Let a call wait for its next event from now on."""
        sid = call.sid
        call.heard_at = self._clock()
        self._let_go(sid)
        self._calls[sid] = call
        self._waiting[self._wait_s(call)][sid] = None
        if call.is_real:
            self._agents[sid] = frozenset(agent.agent_name for agent in call.agents)

    def _let_go(self, sid: str) -> None:
        self._calls.pop(sid, None)
        self._agents.pop(sid, None)
        for waiting in self._waiting.values():
            waiting.pop(sid, None)

    def _close(self, sid: str, now: float) -> Call:
        call = self._calls[sid]
        self._let_go(sid)
        self._closed[sid] = now
        return call

    def _quiet(self, wait_s: float, now: float) -> tuple[str, ...]:
        """Return the ids of those of which nothing has come for as long as they wait."""
        waiting = self._waiting[wait_s]
        return tuple(takewhile(lambda sid: now - self._calls[sid].heard_at >= wait_s, waiting))

    def _counts(self, room: str) -> bool:
        if room.startswith(ROOM_PREFIX):
            return False
        return any(fnmatchcase(room, pattern) for pattern in self.rooms)

    @staticmethod
    def _wait_s(call: Call) -> float:
        """Return how long no event must have come for the call to be over."""
        if call.finished_at is not None:
            return SETTLE_S
        return EMPTY_S if call.everyone_left else FORGOTTEN_S
