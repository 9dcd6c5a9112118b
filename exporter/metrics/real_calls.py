"""Real calls on /metrics: what those that ended say, and what became of webhook events."""

from collections.abc import Callable, Iterable
from time import time

from exporter.calls.families import (
    ACCEPTED,
    CALLS,
    EVENTS,
    LAST,
    LOST,
    OPEN,
    REFUSALS,
    REFUSED,
    SIP,
    zeros,
)
from exporter.metrics.agent_names import OTHER, AgentNames, ShownNames
from exporter.metrics.registry import Metrics
from exporter.series import Reading

TRUNKS, REGIONS = 50, 50
"""SIP trunks, and regions, with a label of their own: the server names both."""


class RealCallSeries:
    """Writes them. Of one thread."""

    def __init__(
        self, metrics: Metrics, names: AgentNames, clock: Callable[[], float] = time
    ) -> None:
        """Let the counters without an agent exist, at 0.

        Args:
            metrics: What is written to.
            names: Which agent names have series of their own.
            clock: Unix time.
        """
        self._metrics = metrics
        self._names = ShownNames(names, "calls")
        self._clock = clock
        self._expected: set[tuple[str, str]] = set()
        """Labels and regions that counters exist of."""
        self._trunks: set[str] = set()
        self._regions: set[str] = set()
        for event in EVENTS:
            metrics.create(ACCEPTED.name, event)
        for reason in REFUSALS:
            metrics.create(REFUSED.name, reason)
        metrics.create(LOST.name)
        metrics.create(OPEN.name)

    def expect(self) -> None:
        """Let silence count from now on, if no event has come yet."""
        if not self._metrics.has(LAST.name):
            self._metrics.set(LAST.name, self._clock())

    def accepted(self, event: str, lost: int) -> None:
        """Count an event, and those that the server dropped before it."""
        self._metrics.add(ACCEPTED.name, 1, event if event in EVENTS else "other")
        self._metrics.set(LAST.name, self._clock())
        self.lost(lost)

    def refused(self, reason: str) -> None:
        """Count a delivery that changed nothing."""
        self._metrics.add(REFUSED.name, 1, reason)

    def lost(self, count: int) -> None:
        """Count events that will not come."""
        self._metrics.add(LOST.name, count)

    def open(self, count: int, names: Iterable[str]) -> None:
        """Show how many calls are open, and let names of agents make room that are gone."""
        self._metrics.set(OPEN.name, count)
        self._names.use(names)

    def expect_agent(self, agent_name: str, region: str) -> None:
        """Let the counters of an agent exist before its first call ends.

        An increase from none is no increase.
        """
        label, region = self._names.label(agent_name), self._region(region)
        if (label, region) in self._expected:
            return
        self._expected.add((label, region))
        for family, labels in zeros(label, region):
            self._metrics.create(family.name, *labels)

    def count(self, readings: Iterable[Reading]) -> None:
        """Write what a call that ended says."""
        for reading in readings:
            labels = dict(reading.labels)
            if "agent_name" in labels:
                labels["agent_name"] = self._names.label(labels["agent_name"])
            if reading.family is SIP:
                labels["trunk"] = _capped(labels["trunk"], self._trunks, TRUNKS)
            if reading.family is CALLS:
                labels["region"] = self._region(labels["region"])
            values = reading.family.label_values(labels)
            if reading.family.kind == "histogram":
                self._metrics.observe(reading.family.name, reading.value, *values)
            else:
                self._metrics.add(reading.family.name, reading.value, *values)

    def _region(self, region: str) -> str:
        # A server without regions must not take the place of one.
        return _capped(region, self._regions, REGIONS) if region else region


def _capped(value: str, known: set[str], most: int) -> str:
    """Return a value that was among the first; `OTHER` for those beyond."""
    if len(known) < most:
        known.add(value)
    return value if value in known else OTHER
