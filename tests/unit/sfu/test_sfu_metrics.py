"""What becomes of baselines on the /metrics page."""

from prometheus_client import CollectorRegistry

from exporter.metrics.reconnect import ReconnectRecorder
from exporter.metrics.registry import Metrics
from exporter.metrics.sfu import SfuRecorder
from exporter.outcome import UNPROVOKED, Loss, Reason, Reconnect, Verdict
from exporter.probes.reconnect.spec import ReconnectConfig
from exporter.probes.sfu.spec import SfuConfig

from .baselines import baseline, failed

HERE = {"vantage": "here"}
ALONE = {"vantage": "here", "kind": UNPROVOKED}


class Page:
    """A registry that is written by an SfuRecorder, and read by name and labels."""

    def __init__(self, **config: object) -> None:
        self.registry = CollectorRegistry()
        self.config = SfuConfig.model_validate({"vantage": "here", **config})
        self.metrics = Metrics(self.registry, "s")
        self.recorder = SfuRecorder(self.metrics, self.config, self.config.vantage)

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample's value, None if it is absent."""
        return self.registry.get_sample_value(name, {"server": "s", **labels})

    def verdict(self) -> list[str]:
        """Return the verdicts that hold."""
        labels = {"check": "sfu", "agent_name": ""}
        return [v for v in Verdict if self.value("voice_verdict", **labels, verdict=v) == 1]


def test_before_the_first_baseline() -> None:
    """Counters and histograms are there at 0; what was never measured is absent."""
    page = Page()
    assert page.value("voice_sfu_rtt_seconds_count", **HERE, method="data") == 0
    assert page.value("voice_sfu_packets_lost_total", **HERE, direction="up") == 0
    assert page.value("voice_probe_attempts_total", probe="sfu", agent_name="") == 0
    assert page.value("voice_sfu_rtt_ms", **HERE) is None
    assert page.value("voice_sfu_target_rtt_ms", **HERE) == 100
    assert page.value("voice_sfu_target_packet_loss_ratio", **HERE) == 0.01
    assert page.value("voice_sfu_target_jitter_seconds", **HERE) == 0.03
    assert page.verdict() == ["UNKNOWN"]


def test_a_baseline() -> None:
    """Each figure is where it belongs."""
    page = Page()
    page.recorder.record(baseline())
    assert page.value("voice_sfu_rtt_ms", **HERE) == 20
    assert page.value("voice_sfu_rtt_seconds_count", **HERE, method="data") == 21
    assert page.value("voice_sfu_rtt_seconds_count", **HERE, method="ice") == 3
    assert page.value("voice_sfu_jitter_seconds", **HERE, direction="up") == 0.0012
    assert page.value("voice_sfu_packet_loss_ratio", **HERE, direction="up") == 0
    assert page.value("voice_sfu_packet_loss_ratio", **HERE, direction="down") == 10 / 1990
    assert page.value("voice_sfu_connect_seconds_sum", **HERE, phase="ice") == 0.12
    assert page.value("voice_sfu_pings_total", **HERE, outcome="lost") == 1
    assert page.value("voice_sfu_transport_used", **HERE, transport="udp") == 1
    assert page.value("voice_sfu_transport_used", **HERE, transport="tcp") == 0
    quality = {"client": "receiver", "quality": "good"}
    assert page.value("voice_sfu_connection_quality", **HERE, **quality) == 1
    assert page.verdict() == ["PASS"]


def test_connections_that_were_lost() -> None:
    """Their series are there before the first; one that did not come back has only its reason."""
    page = Page()
    gave_up = {"reason": "room_closed"}
    assert page.value("voice_reconnect_seconds_count", **ALONE) == 0
    assert page.value("voice_reconnect_failures_total", **ALONE, **gave_up) == 0
    lost = Reconnect(UNPROVOKED, reason=Reason.ROOM_CLOSED, detail="the SDK gave up")
    page.recorder.record(baseline(reconnects=(Reconnect(UNPROVOKED, 34.4, 34.65), lost)))
    assert page.value("voice_reconnect_seconds_sum", **ALONE) == 34.4
    assert page.value("voice_media_gap_seconds_sum", **ALONE) == 34.65
    assert page.value("voice_media_gap_seconds_count", **ALONE) == 1
    assert page.value("voice_reconnect_failures_total", **ALONE, **gave_up) == 1


def test_two_probes_share_the_metrics_of_reconnects() -> None:
    """Each takes only its own kinds away when it is switched off, and only those come again."""
    page = Page()
    other = ReconnectRecorder(page.metrics, ReconnectConfig(), "here")
    provoked = {"vantage": "here", "kind": "full"}

    def found() -> tuple[float | None, float | None]:
        name = "voice_reconnect_seconds_count"
        return page.value(name, **ALONE), page.value(name, **provoked)

    assert found() == (0, 0)
    page.recorder.reconfigure(SfuConfig(vantage="here", enabled=False), "here")
    assert found() == (None, 0)
    other.reconfigure(ReconnectConfig(enabled=False), "here")
    assert found() == (None, None)
    page.recorder.reconfigure(SfuConfig(vantage="here"), "here")
    assert found() == (0, None)


def test_counters_add_up_over_baselines() -> None:
    """So that the loss over any span of time is the quotient of two rates."""
    page = Page()
    page.recorder.record(baseline(loss_up=Loss(2000, 3)))
    page.recorder.record(baseline(loss_up=Loss(2100, 5)))
    assert page.value("voice_sfu_packets_total", **HERE, direction="up") == 4100
    assert page.value("voice_sfu_packets_lost_total", **HERE, direction="up") == 8


def test_a_failed_baseline_leaves_no_old_figure() -> None:
    """A dead SFU must not go on showing a round trip; what is configured stays."""
    page = Page()
    page.recorder.record(baseline())
    page.recorder.record(failed())
    assert page.value("voice_sfu_rtt_ms", **HERE) is None
    assert page.value("voice_sfu_packet_loss_ratio", **HERE, direction="up") is None
    assert page.value("voice_sfu_rtt_seconds_count", **HERE, method="data") == 21
    assert page.value("voice_sfu_target_rtt_ms", **HERE) == 100
    assert page.verdict() == ["FAIL"]


def test_another_vantage_takes_its_place() -> None:
    """After a reload the series of the old vantage are gone."""
    page = Page()
    page.recorder.record(baseline())
    page.recorder.reconfigure(SfuConfig(vantage="there"), "there")
    assert page.value("voice_sfu_rtt_seconds_count", **HERE, method="data") is None
    assert page.value("voice_sfu_rtt_seconds_count", vantage="there", method="data") == 0


def test_switched_off_there_is_nothing() -> None:
    """No series that would look like a probe that never runs."""
    page = Page(enabled=False)
    assert page.value("voice_sfu_target_rtt_ms", **HERE) is None
    assert page.verdict() == []
