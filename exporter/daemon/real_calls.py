"""The daemon's part that follows real calls: webhooks, their state in the ledger, their figures."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from exporter.calls.calls import Calls
from exporter.calls.families import figures
from exporter.daemon.shared_writes import SharedWrites
from exporter.garbage import leave_out_what_is_there
from exporter.metrics.real_calls import RealCallSeries
from exporter.server_api import Server
from exporter.server_api.webhooks import ForgedError, ServerEvent, UnreadableError, load, verified
from exporter.settings.settings import Settings

log = logging.getLogger(__name__)

STEP_S = 1.0
"""Between two looks at which calls have ended."""
LEFT_EVERY_S = 10.0
"""Between two looks at calls that an exporter has left which shared the ledger, and died."""


class Kept(Protocol):
    """Where open calls are kept over a restart: the ledger."""

    @property
    def shared(self) -> bool:
        """Whether other exporters keep theirs there as well."""

    async def save_calls(self, documents: Mapping[str, str]) -> None:
        """Keep calls, by the ids of their rooms' sessions; returns once they are kept."""

    def forget_calls(self, room_sids: Sequence[str]) -> None:
        """Keep these no longer."""

    async def calls(self) -> Mapping[str, str]:
        """Return all of them."""


class RealCalls:
    """Takes deliveries; an event is in the ledger before it is acknowledged. Of one event loop."""

    def __init__(
        self,
        settings: Settings,
        server: Callable[[], Server],
        kept: Kept,
        series: RealCallSeries,
        on_event: Callable[[ServerEvent], None] | None = None,
    ) -> None:
        """Set up.

        Args:
            settings: The configuration.
            server: Returns the server whose key signs deliveries: a reload may change the key.
            kept: The ledger.
            series: What is written to.
            on_event: Called with every event that was not taken before.
        """
        self._server = server
        self._kept = kept
        self._series = series
        self._on_event = on_event
        self._calls = Calls()
        self._writes = SharedWrites(self._write)
        self._is_loaded = False
        self._delivered = False
        self.reconfigure(settings)

    def reconfigure(self, settings: Settings) -> None:
        """Follow a new configuration; calls that are known stay known."""
        self._short_below_s = settings.calls.short_below
        self._calls.rooms = settings.agents.call_rooms
        self._expected = settings.webhooks.expected
        if self._expected:
            self._series.expect()

    async def restore(self) -> None:
        """Go on with the calls that an exporter before this one has left open.

        From a ledger that is shared they go to an exporter that has events, and to no other.
        """
        if self._kept.shared and not (self._expected or self._delivered):
            return
        documents = await self._kept.calls()
        if unread := self._calls.restore(documents):
            log.warning("real calls in the ledger cannot be read", extra={"calls": unread})
        for sid in documents:
            self._expect(sid)

    async def take(self, body: bytes, token: str) -> str:
        """Take a delivery.

        Args:
            body: As it came.
            token: Its signature, of the header Authorization.

        Returns:
            Why it is refused: signature or body; "" if it was taken.
        """
        if not self._is_loaded:
            await asyncio.to_thread(load)
            leave_out_what_is_there()  # the SDK, of which nothing was there when the daemon began
            self._is_loaded = True
        try:
            event = verified(self._server(), body, token)
        except ForgedError:
            self.refuse("signature")
            return "signature"
        except UnreadableError:
            self.refuse("body")
            return "body"
        await self._take(event)
        return ""

    def refuse(self, reason: str) -> None:
        """Count a delivery that was refused."""
        self._series.refused(reason)

    async def watch(self) -> None:
        """Count the calls that have ended, every `STEP_S`, for ever."""
        clock = asyncio.get_running_loop().time
        looked_at = clock()
        while True:
            await self.step()
            if self._kept.shared and clock() - looked_at >= LEFT_EVERY_S:
                looked_at = clock()
                await self.restore()
            await asyncio.sleep(STEP_S)

    async def step(self) -> None:
        """Count the calls that have ended, and forget those that ended long ago."""
        ended, lost = self._calls.close_due()
        for call in ended:
            self._series.count(figures(call, self._short_below_s))
        self._series.lost(len(lost))
        self._series.open(self._calls.open, self._calls.agent_names())
        if gone := self._calls.forget_due():
            self._kept.forget_calls(gone)
        if ended or lost:
            await self._writes.keep(call.sid for call in (*ended, *lost))

    async def _take(self, event: ServerEvent) -> None:
        self._delivered = True
        taken = self._calls.take(event)
        if taken in ("duplicate", "late"):
            self._series.refused(taken)
            # Delivered again because the first was not answered: it may not be kept yet.
            await self._writes.keep(())
            return
        self._series.accepted(event.name, event.dropped)
        if self._on_event is not None:
            self._on_event(event)
        if taken == "taken":
            self._expect(event.room_sid)
            await self._writes.keep((event.room_sid,))

    def _expect(self, sid: str) -> None:
        """Let the counters of a call's agents exist before it ends."""
        call = self._calls.get(sid)
        if call is not None and call.is_real:
            for name in {agent.agent_name for agent in call.agents} or {""}:
                self._series.expect_agent(name, call.region)

    async def _write(self, sids: frozenset[str]) -> None:
        await self._kept.save_calls(self._calls.export(sids))
