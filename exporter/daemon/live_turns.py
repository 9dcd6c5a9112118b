"""The daemon's part that takes what agents report of the turns of real calls."""

import asyncio
from collections import OrderedDict

from exporter.calls.offsets import Offsets
from exporter.calls.turns import TurnBatch
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.live_turns import LiveTurnSeries
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome

STEP_S = 5.0
"""Between two looks at which offsets still hold."""
REMEMBERED = 20_000
"""Batches whose ids are known: of ten minutes and more, from a thousand agents in calls."""


class LiveTurns:
    """Takes batches, each once. Of one event loop."""

    def __init__(self, metrics: Metrics, names: AgentNames) -> None:
        """Begin without any turn.

        Args:
            metrics: What is written to.
            names: Which agent names have series of their own.
        """
        self._offsets = Offsets()
        self._series = LiveTurnSeries(metrics, names, self._offsets.of)
        self._taken: OrderedDict[str, None] = OrderedDict()

    def take(self, batch: TurnBatch) -> None:
        """Count what a batch reports; nothing if it was taken before."""
        if batch.id in self._taken:
            return
        self._taken[batch.id] = None
        if len(self._taken) > REMEMBERED:
            self._taken.popitem(last=False)
        self._series.dropped(batch.dropped)
        for turn in batch.turns:
            self._series.take(turn)

    def record(self, outcome: Outcome) -> None:
        """Take note of what a probe heard and its agent reported: a listener."""
        self._offsets.record(outcome)
        self._series.show_offsets()

    async def watch(self) -> None:
        """Show the offsets that hold, every `STEP_S`, for ever."""
        while True:
            self._series.show_offsets()
            await asyncio.sleep(STEP_S)
