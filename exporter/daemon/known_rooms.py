"""The daemon's part that keeps what listings know of rooms, and marks what webhooks say changed."""

import time
from collections.abc import Callable
from dataclasses import replace

from exporter.outcome import Outcome
from exporter.probes.agents.picture import NOTHING, Picture
from exporter.server_api.webhooks import ServerEvent

EVENTS_COUNT_S = 300.0
"""So long after an event webhooks are taken to tell of changes."""
_MOST_TOUCHED = 20_000
"""Rooms that are marked, if no listing ends."""


class KnownRooms:
    """Hands the picture of one listing to the next. Of one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet.

        Args:
            clock: That of the probes' processes too, which monotonic is on one host.
        """
        self._clock = clock
        self._picture = NOTHING
        self._touched: set[str] = set()
        self._trusted_until = self._distrusted_until = clock()

    def note(self, event: ServerEvent) -> None:
        """Mark the room of an event: it is worth a request, whatever the list says of it.

        Once the server says that it dropped events, webhooks are not relied on for a while.
        """
        if event.room_sid and len(self._touched) < _MOST_TOUCHED:
            self._touched.add(event.room_sid)
        until = self._clock() + EVENTS_COUNT_S
        self._trusted_until = until
        if event.dropped:
            self._distrusted_until = until

    def before(self) -> Picture:
        """Return what the listing that begins now is to know.

        Should its process die, its requests are unknown: then all that were allowed are spent.
        """
        now = self._clock()
        given = replace(
            self._picture,
            touched=self._picture.touched | self._touched,
            has_events=self._distrusted_until <= now < self._trusted_until,
        )
        self._touched = set()
        self._picture = replace(given, allowance=0.0, at=now)
        return given

    def take(self, outcome: Outcome) -> Outcome:
        """Keep what a listing knows; return its outcome without it."""
        if isinstance(outcome.kept, Picture):
            self._picture = outcome.kept
        return replace(outcome, kept=None)
