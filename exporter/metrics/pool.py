"""Writes the series of the processes that run probes."""

from exporter.metrics.registry import Metrics
from exporter.run.lane import LaneState


class PoolSeries:
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
