"""What the exporter shows of itself: version, configuration, processes, kept calls, lateness."""

import asyncio
import platform
from collections import deque
from collections.abc import Callable, Mapping
from time import time

from exporter import __version__
from exporter.evidence.keeper import Watch
from exporter.metrics.registry import Metrics
from exporter.outcome import LossReason
from exporter.run.lane import LaneState, PoolWatch

STEP_S = 0.5
WINDOW_S = 15.0


class OwnSeries:
    """Shows what holds for the whole exporter."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time) -> None:
        """Show the versions.

        Args:
            metrics: What is written to.
            clock: Unix time.
        """
        self._metrics = metrics
        self._clock = clock
        metrics.set("voice_exporter_build_info", 1, __version__, platform.python_version())

    def reached_at(self, url: str) -> None:
        """Show where a browser finds the exporter's pages: alerts and dashboards link there."""
        self._metrics.set("voice_exporter_web_info", 1, url)

    def configure(self, objective: float, thresholds: Mapping[str, float]) -> None:
        """Show what is configured and never measured: alert rules and panels compare with it.

        Args:
            objective: Share of turns that are to be within their target.
            thresholds: What each alert compares with.
        """
        self._metrics.set("voice_slo_objective_ratio", objective)
        for alert, threshold in thresholds.items():
            self._metrics.set("voice_alert_threshold", threshold, alert)

    def configuration_read(self, successful: bool) -> None:
        """Note that the configuration was read; if it was bad, the one before is still used."""
        self._metrics.set("voice_exporter_config_last_reload_successful", successful)
        if successful:
            name = "voice_exporter_config_last_reload_success_timestamp_seconds"
            self._metrics.set(name, self._clock())

    def loop_lag(self, seconds: float) -> None:
        """Note how late the exporter's own event loop was at most, lately."""
        self._metrics.set("voice_exporter_loop_lag_seconds", seconds)


class PoolSeries(PoolWatch):
    """Shows each lane as it is, and counts what happens in it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def changed(self, state: LaneState) -> None:
        """Show a lane; its first state lets its histogram and its counter exist."""
        self._metrics.set("voice_pool_slots", state.slots, state.lane)
        self._metrics.set("voice_pool_busy", state.busy, state.lane)
        self._metrics.set("voice_pool_queue_runs", state.waiting, state.lane)
        if not self._metrics.has("voice_pool_crashes_total", state.lane):
            self._metrics.create("voice_pool_crashes_total", state.lane)
            self._metrics.create("voice_pool_wait_seconds", state.lane)

    def waited(self, lane: str, seconds: float) -> None:
        """Note how long a run waited for its slot."""
        self._metrics.observe("voice_pool_wait_seconds", seconds, lane)

    def crashed(self, lane: str) -> None:
        """Count a process that died or had to be killed."""
        self._metrics.add("voice_pool_crashes_total", 1, lane)


class EvidenceSeries(Watch):
    """Shows what is kept."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        for reason in LossReason:
            metrics.create("voice_evidence_lost_total", reason)

    def kept(self, calls: int, size: int) -> None:
        """Show how many calls are kept, and how many bytes they take together."""
        self._metrics.set("voice_evidence_calls", calls)
        self._metrics.set("voice_evidence_bytes", size)

    def lost(self, reason: LossReason) -> None:
        """Count a call that could not be kept."""
        self._metrics.add("voice_evidence_lost_total", 1, reason)


async def watch_loop_lag(report: Callable[[float], None]) -> None:
    """Report the largest lateness of the last `WINDOW_S` seconds, every `STEP_S`, for ever."""
    loop = asyncio.get_running_loop()
    lately: deque[float] = deque(maxlen=round(WINDOW_S / STEP_S))
    while True:
        due = loop.time() + STEP_S
        await asyncio.sleep(STEP_S)
        lately.append(max(0.0, loop.time() - due))
        report(max(lately))
