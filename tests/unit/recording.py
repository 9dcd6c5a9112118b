"""A /metrics page that a Recorder writes, and the target that most of its tests have."""

from prometheus_client import CollectorRegistry, generate_latest

from exporter.config.values import ProbeSection
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.outcome import Verdict
from exporter.probes.latency.spec import LatencyConfig

VANTAGE = "here"
NOW = 1_800_000_000.0
DEMO = LatencyConfig(agent_name="demo", trials=3)
CALL = {"agent_name": "demo", "call_type": "default", "scenario": "default"}
PROBE = {"probe": "latency", "agent_name": "demo"}


class Page:
    """A registry that is written by a Recorder, and read by name and labels."""

    def __init__(self, *targets: LatencyConfig, **of_server: ProbeSection) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry, "here")
        self.recorder = Recorder(self.metrics, VANTAGE, clock=lambda: NOW)
        for target in targets:
            self.recorder.add("latency", target)
        for probe, config in of_server.items():
            self.recorder.add(probe, config)

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample's value, None if it is absent."""
        return self.registry.get_sample_value(name, {"server": "here", **labels})

    def turns(self) -> dict[str, float | None]:
        """Return the number of turns of the demo's target by outcome."""
        outcomes = ("replied", "failed", "void")
        return {each: self.value("voice_turns_total", **CALL, outcome=each) for each in outcomes}

    def verdict(self, check: str = "latency", agent: str = "demo") -> list[str]:
        """Return the verdicts that hold."""
        labels = {"check": check, "agent_name": agent}
        return [v for v in Verdict if self.value("voice_verdict", **labels, verdict=v) == 1]

    def streaks(self, check: str = "latency", agent: str = "demo") -> dict[str, float | None]:
        """Return for how many runs a check has been SLOW and FAIL."""
        labels = {"check": check, "agent_name": agent}
        value = self.value
        return {v: value("voice_verdict_streak", **labels, verdict=v) for v in ("SLOW", "FAIL")}

    def text(self) -> str:
        """Return the page."""
        return generate_latest(self.registry).decode()
