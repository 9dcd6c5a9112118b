"""Rooms that never close, found by comparing listings over time."""

import time
from collections.abc import Callable

from exporter.metrics.registry import Metrics
from exporter.outcome import Listing, Outcome, RoomWithoutHuman


class UnclosedRooms:
    """Remembers since when each room has been without a human; a listener of Outcomes.

    The server does not tell when the last human left, so the time counts from the first listing
    without one: after a restart it begins anew.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        unclosed_after_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up; the series come with the first listing.

        Args:
            metrics: What is written to.
            unclosed_after_s: Seconds without a human after which a room counts.
            clock: Seconds, monotonic.
        """
        self.unclosed_after_s = unclosed_after_s
        self._metrics = metrics
        self._clock = clock
        self._since: dict[str, float] = {}

    def record(self, outcome: Outcome) -> None:
        """Take note of a listing."""
        if not isinstance(outcome.result, Listing):
            return
        now = self._clock()
        rooms = outcome.result.without_human
        self._since = {room.sid: self._start(room, now) for room in rooms}
        unclosed = [room for room in rooms if now - self._since[room.sid] > self.unclosed_after_s]
        self._metrics.set("voice_rooms_unclosed", len(unclosed))
        oldest_s = max((room.age_s for room in unclosed), default=0)
        self._metrics.set("voice_room_oldest_unclosed_seconds", oldest_s)

    def _start(self, room: RoomWithoutHuman, now: float) -> float:
        return self._since.get(room.sid, now)
