"""A /metrics page that a Recorder writes, and the target that most of its tests have."""

from prometheus_client import CollectorRegistry, generate_latest

from exporter.config.values import ProbeSection
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.outcome import Verdict
from exporter.probes.latency.key import KEY
from exporter.probes.latency.spec import LatencyConfig

VANTAGE = "here"
NOW = 1_800_000_000.0
DEMO = LatencyConfig(agent_name="demo", trials=3)
CALL = {"agent_name": "demo", "call_type": "default", "scenario": "default", "vantage": VANTAGE}
PROBE = {"probe": "latency", "agent_name": "demo"}
FAILURES = {"probe": "latency", **CALL}


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

    def verdict(self, check: str = "latency", **target: str) -> list[str]:
        """Return the verdicts that hold for a target, that of the demo unless told otherwise."""
        labels = self.checked(check, target)
        return [v for v in Verdict if self.value("voice_verdict", **labels, verdict=v) == 1]

    def streaks(self, check: str = "latency", **target: str) -> dict[str, float | None]:
        """Return for how many runs a check has been SLOW and FAIL."""
        labels = self.checked(check, target)
        value = self.value
        return {v: value("voice_verdict_streak", **labels, verdict=v) for v in ("SLOW", "FAIL")}

    def checked(self, check: str, target: dict[str, str]) -> dict[str, str]:
        """Return the labels of a check: those of a target, empty ones for probes of the server."""
        of_server = dict.fromkeys(KEY, "") | {"vantage": VANTAGE}
        return {"check": check} | (CALL | target if check == "latency" else of_server)

    def text(self) -> str:
        """Return the page."""
        return generate_latest(self.registry).decode()
