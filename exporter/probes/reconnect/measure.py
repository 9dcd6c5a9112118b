"""Connections that are broken on purpose: how long until they resume, how long nothing is heard.

The sender's connection is broken, and the receiver tells the gap: the SDK's own word that it is
connected again says nothing of the media.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from livekit.rtc._proto.room_pb2 import SimulateScenarioKind

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import Outcome, Reason, Reconnect, SfuReconnects
from exporter.outcome.network import broke
from exporter.probe import Run
from exporter.probes.reconnect.spec import CLEANUP_S, ReconnectConfig
from exporter.rtc.client import provoked
from exporter.rtc.gaps import FLOWS_S, flows_since, longest_gap, not_back, spans
from exporter.rtc.lag import LagMonitor, largest
from exporter.rtc.pair import Pair, connected_pair, make_room
from exporter.server_api.errors import one_line

CONNECT_TIMEOUT_S = 10.0
POLL_S = 0.05

SCENARIOS = {
    "signal": SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT,
    "full": SimulateScenarioKind.SIMULATE_NODE_FAILURE,
    "migration": SimulateScenarioKind.SIMULATE_MIGRATION,
}
"""signal: the WebSocket is lost; full: the server gives the participant up as when its node fails,
it is refused when it resumes, and everything is built anew; migration: the server gives it up as
when it moves it to another node.

The server has a simulation named after a full reconnect (livekit-server 1.13), which is none of
those that happen: it tells the others that the participant has left in order, upon which an agent
ends its session.
"""


async def measure_reconnects(config: ReconnectConfig, run: Run) -> Outcome:
    """Break a connection of each kind, one after the other."""
    found: list[Reconnect] = []
    lags: list[LagMonitor] = []

    async def break_all() -> None:
        async with make_room(run, f"voice-exporter-{run.id}") as room:
            with provoked():
                for kind in SCENARIOS:
                    found.append(await _break(config, run, room, kind, lags))
                    run.log(found[-1].text)

    ended = await run.within_deadline(break_all(), CLEANUP_S)
    failed = worst_of(found)
    result = SfuReconnects(tuple(found)) if found else None
    return run.outcome(
        "reconnect",
        result=result,
        ended=ended,
        reason=failed.reason if failed else None,
        detail=f"{broke(failed.kind)}: {failed.detail}" if failed else "",
        loop_lag_s=largest(lags),
    )


async def _break(
    config: ReconnectConfig, run: Run, room: str, kind: str, lags: list[LagMonitor]
) -> Reconnect:
    """Connect a pair, break the sender's connection and watch it come back.

    Raises:
        ProbeError: The pair could not connect, so that nothing was broken.
    """
    async with connected_pair(run.server, room, tracks=1, timeout_s=CONNECT_TIMEOUT_S) as pair:
        lags.append(pair.lag)
        watch, began = _Watch(pair, config.timeout), time.monotonic()
        try:
            async with asyncio.timeout(config.timeout):
                await watch.flowing(time.time())
                await watch.break_it(kind)
                await watch.resumed()
                await watch.flowing(time.time())
        except TimeoutError:
            return charged(watch.failure(kind), began, config.timeout)
        except ProbeError as error:
            return Reconnect(kind, reason=error.reason, detail=error.detail)
        return watch.success(kind)


def worst_of(found: Sequence[Reconnect]) -> Reconnect | None:
    """Return the first that failed, by the fault of the prober only if there is no other."""
    failed = [each for each in found if each.reason is not None]
    return min(failed, key=lambda each: each.is_void, default=None)


def charged(failed: Reconnect, since: float, limit_s: float) -> Reconnect:
    """Return a break that was not made good in time, void where that is the prober's own fault.

    Args:
        failed: What came of it.
        since: From when on it was waited for, on the monotonic clock.
        limit_s: How long.
    """
    limit = Limit.MEDIA_BACK if failed.reason is Reason.NO_AUDIO_TRACK else Limit.BACK
    late = limit.spoiled(failed.detail, since, limit_s)
    return failed if late is None else replace(failed, reason=late.reason, detail=late.detail)


class _Watch:
    """A pair, the moment its sender was cut off, and what came of it."""

    def __init__(self, pair: Pair, timeout_s: float) -> None:
        self._pair = pair
        self._timeout_s = timeout_s
        self._broken: float | None = None
        self._broken_wall_s = 0.0
        self._resumed: float | None = None
        pair.sender.room.on("reconnected", self._on_reconnected)

    async def flowing(self, since_s: float) -> None:
        """Wait until media has come for a while since that moment, on the wall clock."""
        receiver = self._pair.receiver
        while not flows_since(spans(receiver.snapshots), since_s, FLOWS_S):
            self._pair.sender.check()
            await receiver.read()
            await asyncio.sleep(POLL_S)

    async def break_it(self, kind: str) -> None:
        """Cut the sender off.

        Raises:
            ProbeError: The SDK or the server did not do so.
        """
        self._broken, self._broken_wall_s = time.monotonic(), time.time()
        try:
            await self._pair.sender.room.simulate_scenario(SCENARIOS[kind])
        except RuntimeError as error:
            detail = one_line(f"could not be broken: {error}")
            raise ProbeError(Reason.API_FAILED, detail) from error

    async def resumed(self) -> None:
        """Wait for the SDK to say that it is connected again, and count packets meanwhile."""
        while self._resumed is None:
            self._pair.sender.check()
            await self._pair.receiver.read()
            await asyncio.sleep(POLL_S)

    def success(self, kind: str) -> Reconnect:
        """Return how long it took, and how long nothing was heard."""
        gap_s = longest_gap(spans(self._pair.receiver.snapshots), self._broken_wall_s)
        return Reconnect(kind, resume_s=self._took_s, media_gap_s=gap_s)

    def failure(self, kind: str) -> Reconnect:
        """Say what did not come in time."""
        if self._broken is None:
            return Reconnect(
                kind, reason=Reason.CONNECT_FAILED, detail="media did not flow before the break"
            )
        return not_back(kind, self._took_s, self._timeout_s)

    @property
    def _took_s(self) -> float | None:
        if self._broken is None or self._resumed is None:
            return None
        return self._resumed - self._broken

    def _on_reconnected(self) -> None:
        if self._broken is not None and self._resumed is None:
            self._resumed = time.monotonic()
