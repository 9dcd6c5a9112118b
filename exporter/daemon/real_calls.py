"""The daemon's part that follows real calls: webhooks, their state in the ledger, their figures."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from exporter.calls.calls import Calls
from exporter.calls.config import CallsConfig, WebhooksConfig
from exporter.calls.families import figures
from exporter.garbage import leave_out_what_is_there
from exporter.metrics.real_calls import RealCallSeries
from exporter.probes.agents.spec import AgentsConfig
from exporter.server_api import Server
from exporter.server_api.webhooks import ForgedError, ServerEvent, UnreadableError, load, verified

log = logging.getLogger(__name__)

STEP_S = 1.0
"""Between two looks at which calls have ended."""
PACE_S = 0.02
"""Between the beginnings of two writes of calls: a write costs as much as an event, and so those of
a busy server share one. It is the most that an answer waits for a write to begin, if none is under
way."""
LEFT_EVERY_S = 10.0
"""Between two looks at calls that an exporter has left which shared the ledger, and died."""


class RealCallSettings(Protocol):
    """The settings that matter here."""

    @property
    def agents(self) -> AgentsConfig:
        """`call_rooms`: which rooms are for calls."""

    @property
    def calls(self) -> CallsConfig:
        """When a call is short."""

    @property
    def webhooks(self) -> WebhooksConfig:
        """Whether events are expected."""


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
        settings: RealCallSettings,
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
        self._changed: set[str] = set()
        self._saving: asyncio.Task[None] | None = None
        """The last write; until it begins it takes what has changed."""
        self._has_begun = False
        self._next_at = 0.0
        """When a write may begin, by the clock of the event loop."""
        self._is_loaded = False
        self._delivered = False
        self.reconfigure(settings)

    def reconfigure(self, settings: RealCallSettings) -> None:
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
            await self._save(call.sid for call in (*ended, *lost))

    async def _take(self, event: ServerEvent) -> None:
        self._delivered = True
        taken = self._calls.take(event)
        if taken in ("duplicate", "late"):
            self._series.refused(taken)
            # Delivered again because the first was not answered: it may not be kept yet.
            await self._save(())
            return
        self._series.accepted(event.name, event.dropped)
        if self._on_event is not None:
            self._on_event(event)
        if taken == "taken":
            self._expect(event.room_sid)
            await self._save((event.room_sid,))

    def _expect(self, sid: str) -> None:
        """Let the counters of a call's agents exist before it ends."""
        call = self._calls.get(sid)
        if call is not None and call.is_real:
            for name in {agent.agent_name for agent in call.agents} or {""}:
                self._series.expect_agent(name, call.region)

    async def _save(self, sids: Iterable[str]) -> None:
        """Keep calls; returns once they are kept. Those of many events are kept in one write."""
        self._changed.update(sids)
        if self._changed and (self._saving is None or self._has_begun):
            self._has_begun = False
            self._saving = asyncio.create_task(self._save_all(self._saving))
        if self._saving is not None:
            await asyncio.shield(self._saving)

    async def _save_all(self, before: asyncio.Task[None] | None) -> None:
        if before is not None and not before.done():
            await asyncio.wait((before,))
        clock = asyncio.get_running_loop().time
        if (wait_s := self._next_at - clock()) > 0:
            await asyncio.sleep(wait_s)
        self._has_begun = True
        self._next_at = clock() + PACE_S
        changed, self._changed = self._changed, set()
        await self._kept.save_calls(self._calls.export(changed))
