"""What is configured, as panels and alert rules read it."""

from prometheus_client import CollectorRegistry

from exporter.metrics.own import OwnSeries
from exporter.metrics.registry import Metrics
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.sfu.spec import SfuConfig
from exporter.settings.settings import Settings
from tests.unit.recording import Page


def test_thresholds_follow_the_configuration() -> None:
    """Each threshold stands under the name of its alert, and a reload changes it."""
    registry = CollectorRegistry()
    own = OwnSeries(Metrics(registry, "s"))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"server": "s", **labels})

    given = {"slo": {"objective": 0.95}, "alerts": {"dispatch_pending_after": "1m"}}
    for settings, objective, seconds in (
        (Settings.model_validate(given), 0.95, 60),
        (Settings(), 0.99, 30),
    ):
        own.configure(settings.slo.objective, settings.alerts.by_alert)
        assert value("voice_slo_objective_ratio") == objective
        assert value("voice_alert_threshold", alert="VoiceDispatchPending") == seconds
        assert value("voice_alert_threshold", alert="VoiceTooManyVoids") == 0.2


def test_interval_is_the_shortest_of_an_agent() -> None:
    """Targets of one agent share a series, which changes with them and goes with the last."""
    often = LatencyConfig(agent_name="a", call_type="often", interval=120)
    seldom = LatencyConfig(agent_name="a", call_type="seldom", interval=300)
    page = Page(often, seldom, sfu=SfuConfig(interval=60))

    def interval(probe: str, agent: str = "") -> float | None:
        return page.value("voice_probe_interval_seconds", probe=probe, agent_name=agent)

    assert (interval("latency", "a"), interval("sfu")) == (120, 60)
    page.recorder.add("latency", often.model_copy(update={"interval": 600.0}))
    assert interval("latency", "a") == 300
    page.recorder.remove("latency", seldom)
    assert interval("latency", "a") == 600
    page.recorder.remove("latency", often)
    page.recorder.remove("latency", often)
    assert (interval("latency", "a"), interval("sfu")) == (None, 60)
