"""What is configured, as panels and alert rules read it."""

from prometheus_client import CollectorRegistry

from exporter.config.settings import Settings
from exporter.metrics.configured import ConfiguredSeries
from exporter.metrics.registry import Metrics


class Page:
    """A registry and the series of a configuration."""

    def __init__(self, **settings: object) -> None:
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry, "s")
        self.series = ConfiguredSeries(metrics, Settings.model_validate(settings))

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample's value, None if it is absent."""
        return self.registry.get_sample_value(name, {"server": "s", **labels})

    def interval(self, probe: str, agent: str = "") -> float | None:
        """Return the time between two runs."""
        return self.value("voice_probe_interval_seconds", probe=probe, agent_name=agent)


def test_thresholds_follow_the_configuration() -> None:
    """Each threshold stands under the name of its alert, and a reload changes it."""
    page = Page(slo={"objective": 0.95}, alerts={"dispatch_pending_after": "1m"})
    pending = {"alert": "VoiceDispatchPending"}
    assert page.value("voice_slo_objective_ratio") == 0.95
    assert page.value("voice_alert_threshold", **pending) == 60
    assert page.value("voice_alert_threshold", alert="VoiceTooManyVoids") == 0.2

    page.series.reconfigure(Settings())

    assert page.value("voice_slo_objective_ratio") == 0.99
    assert page.value("voice_alert_threshold", **pending) == 30


def test_interval_is_the_shortest_of_an_agent() -> None:
    """Targets of one agent share a series, which changes with them and goes with the last."""
    page = Page()
    page.series.add("sfu", "sfu", "", 60)
    page.series.add("a/1", "latency", "a", 300)
    page.series.add("a/2", "latency", "a", 120)
    assert (page.interval("latency", "a"), page.interval("sfu")) == (120, 60)

    page.series.add("a/2", "latency", "a", 600)
    assert page.interval("latency", "a") == 300
    page.series.remove("a/1")
    assert page.interval("latency", "a") == 600
    page.series.remove("a/2")
    page.series.remove("a/2")
    assert (page.interval("latency", "a"), page.interval("sfu")) == (None, 60)
