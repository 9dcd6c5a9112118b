"""Real turns on /metrics: what agents report of them, and what callers probably heard."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields

from exporter.calls.turns import LiveTurn, LiveUsage
from exporter.metrics.agent_names import OTHER, AgentNames, ShownNames
from exporter.metrics.live_families import (
    DROPPED,
    E2E,
    HEARD,
    IMPLAUSIBLE,
    LIVE_USAGE,
    MAX_CALL_TYPES,
    OF_CALL_TYPES,
    OFFSET,
    PARTS,
    SOURCE,
    TOOLS,
    TURNS,
)
from exporter.metrics.registry import Metrics
from exporter.probes.latency.families import COMPONENTS, MAX_MODELS
from exporter.series import Reading


@dataclass(slots=True)
class _Agent:
    """An agent that has reported, by its label."""

    call_types: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)


class LiveTurnSeries:
    """Writes them. Of one thread."""

    def __init__(
        self, metrics: Metrics, names: AgentNames, offset: Callable[[str], float | None]
    ) -> None:
        """Begin without any agent.

        Args:
            metrics: What is written to.
            names: Which agent names have series of their own.
            offset: Returns how much later callers of an agent hear than it reports, in seconds.
        """
        self._metrics = metrics
        self._names = ShownNames(names, "turns")
        self._offset = offset
        self._agents: dict[str, _Agent] = {}
        metrics.create(DROPPED.name)

    def dropped(self, count: int) -> None:
        """Count reports that will not come."""
        self._metrics.add(DROPPED.name, count)

    def take(self, turn: LiveTurn) -> None:
        """Write a turn."""
        name = self._names.label(turn.agent_name)
        agent = self._agents.setdefault(name, _Agent())
        labels = {"agent_name": name, "call_type": self._call_type(name, agent, turn.call_type)}
        if turn.outcome is not None:
            self._write(TURNS.read(1, **labels, outcome=turn.outcome))
        self._write(TOOLS.read(turn.tools_ok, **labels, outcome="ok"))
        self._write(TOOLS.read(turn.tools_failed, **labels, outcome="failed"))
        self._take_latency(turn, labels)
        for used in turn.usage:
            self._take_usage(used, agent, labels)

    def show_offsets(self) -> None:
        """Show the offsets that are in use now."""
        for name, agent in self._agents.items():
            offset = self._offset(name)
            if offset is None:
                self._metrics.discard(OFFSET.name, (name,))
                continue
            self._metrics.set(OFFSET.name, offset, name)
            for call_type in agent.call_types:
                self._metrics.create(HEARD.name, name, call_type)

    def _take_latency(self, turn: LiveTurn, labels: dict[str, str]) -> None:
        parts, implausible = turn.split()
        for component in implausible:
            self._write(IMPLAUSIBLE.read(1, **labels, component=component))
        if turn.e2e_s is None or not turn.is_plausible:
            return
        self._write(E2E.read(turn.e2e_s, **labels))
        offset = self._offset(turn.agent_name)
        if offset is not None:
            self._write(HEARD.read(max(0.0, turn.e2e_s + offset), **labels))
        for part in fields(parts):
            seconds = getattr(parts, part.name)
            if seconds is not None:
                self._write(_component(seconds, labels, part.name.removesuffix("_s")))

    def _take_usage(self, used: LiveUsage, agent: _Agent, labels: dict[str, str]) -> None:
        model = _bounded(used.model, agent.models, MAX_MODELS)
        for kind in LIVE_USAGE.values["kind"]:
            if amount := getattr(used, kind):
                self._write(LIVE_USAGE.read(amount, **labels, kind=kind, model=model))

    def _call_type(self, name: str, agent: _Agent, call_type: str) -> str:
        """Return the label; the first time, let its series exist: an increase from none is none."""
        known = len(agent.call_types)
        label = _bounded(call_type, agent.call_types, MAX_CALL_TYPES)
        if len(agent.call_types) > known:
            labels = {"agent_name": name, "call_type": label}
            for each in OF_CALL_TYPES:
                for series in each.first_series(labels):
                    self._metrics.create(each.name, *series)
            for part in PARTS:
                zero = _component(0, labels, part)
                self._metrics.create(COMPONENTS.name, *COMPONENTS.label_values(zero.labels))
        return label

    def _write(self, reading: Reading) -> None:
        name, values = reading.family.name, reading.family.label_values(reading.labels)
        if reading.family.kind == "histogram":
            self._metrics.observe(name, reading.value, *values)
        else:
            self._metrics.add(name, reading.value, *values)


def _component(seconds: float, labels: dict[str, str], component: str) -> Reading:
    """Return a reading of the family of probes, which have scenario and vantage as well."""
    return COMPONENTS.read(
        seconds, **labels, scenario="", vantage="", component=component, source=SOURCE
    )


def _bounded(value: str, known: set[str], most: int) -> str:
    """Return a value while there are few; `OTHER`, which is one of them, beyond."""
    if len(known) < most:
        known.add(value)
    elif value not in known:
        known.add(OTHER)
        return OTHER
    return value
