"""All calls that are open, by the id of their room's session."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
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
    """Takes events in any order; knows nothing of the web, the store or metrics."""

    def __init__(
        self, rooms: Iterable[str] = ("*",), clock: Callable[[], float] = time.time
    ) -> None:
        """Begin without any call.

        Args:
            rooms: Patterns of the names of rooms that count.
            clock: Unix time of this host; it only says how long ago the last event came.
        """
        self.rooms = tuple(rooms)
        self._clock = clock
        self._calls: dict[str, Call] = {}
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
        call = self._calls.setdefault(event.room_sid, Call(event.room_sid))
        if call.closed:
            return "late"
        call.heard_at = self._clock()
        call.note(event)
        return "taken"

    def agent_names(self) -> frozenset[str]:
        """Return the names of agents in calls that are open."""
        return frozenset(
            agent.agent_name
            for call in self._calls.values()
            if not call.closed and not call.is_probes
            for agent in call.agents
        )

    def get(self, sid: str) -> Call | None:
        """Return one call, None if it is not known."""
        return self._calls.get(sid)

    @property
    def open(self) -> int:
        """How many have not ended; rooms of probes and without a human do not count."""
        return sum(
            not call.closed and not call.is_probes and bool(call.caller)
            for call in self._calls.values()
        )

    def close_due(self) -> tuple[tuple[Call, ...], tuple[Call, ...]]:
        """Close the calls that have ended.

        Returns:
            Those that ended, and those whose end was never reported.
        """
        ended, lost, now = [], [], self._clock()
        for call in self._calls.values():
            quiet_s = now - call.heard_at
            if call.closed:
                continue
            if quiet_s >= self._wait_s(call):
                call.closed, call.heard_at = True, now
                ended.append(call)
            elif quiet_s >= FORGOTTEN_S:
                call.closed, call.heard_at = True, now
                lost.append(call)
        return tuple(ended), tuple(lost)

    def forget_due(self) -> tuple[str, ...]:
        """Forget the calls that were counted long ago; return their ids."""
        before = self._clock() - CLOSED_KEPT_S
        gone = tuple(
            sid for sid, call in self._calls.items() if call.closed and call.heard_at < before
        )
        for sid in gone:
            del self._calls[sid]
        return gone

    def export(self, sids: Iterable[str]) -> dict[str, str]:
        """Return all that is known of these calls, as JSON by their ids."""
        known = (self._calls[sid] for sid in sids if sid in self._calls)
        return {call.sid: _CALL.dump_json(call).decode() for call in known}

    def restore(self, documents: Mapping[str, str]) -> int:
        """Go on with what was exported, as if the last event of each had come now.

        Returns:
            How many cannot be read, and are left out.
        """
        unread = 0
        for document in documents.values():
            try:
                call = _CALL.validate_json(document)
            except ValidationError:
                unread += 1
                continue
            call.heard_at = self._clock()
            self._calls.setdefault(call.sid, call)
        return unread

    def _counts(self, room: str) -> bool:
        if room.startswith(ROOM_PREFIX):
            return False
        return any(fnmatchcase(room, pattern) for pattern in self.rooms)

    @staticmethod
    def _wait_s(call: Call) -> float:
        """Return how long no event must have come for the call to be over."""
        if call.finished_at is not None:
            return SETTLE_S
        return EMPTY_S if call.everyone_left else FORGOTTEN_S * 2
