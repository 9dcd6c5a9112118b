"""What becomes of baselines on the /metrics page."""

from exporter.outcome import UNPROVOKED, Loss, Reason, Reconnect
from exporter.probes.reconnect.spec import ReconnectConfig
from exporter.probes.sfu.spec import SfuConfig
from tests.unit.recording import Page

from .baselines import baseline, failed

HERE = {"vantage": "here"}
ALONE = {"vantage": "here", "kind": UNPROVOKED}


def page_of(**config: object) -> Page:
    """Return a page of the probe sfu."""
    return Page(sfu=SfuConfig.model_validate({"vantage": "here", **config}))


def test_before_the_first_baseline() -> None:
    """Counters and histograms are there at 0; what was never measured is absent."""
    page = page_of()
    assert page.value("voice_sfu_rtt_seconds_count", **HERE, method="data") == 0
    assert page.value("voice_sfu_packets_lost_total", **HERE, direction="up") == 0
    assert page.value("voice_probe_attempts_total", probe="sfu", agent_name="") == 0
    assert page.value("voice_sfu_rtt_ms", **HERE) is None
    assert page.value("voice_sfu_target_rtt_ms", **HERE) == 100
    assert page.value("voice_sfu_target_packet_loss_ratio", **HERE) == 0.01
    assert page.value("voice_sfu_target_jitter_seconds", **HERE) == 0.03
    assert page.verdict("sfu") == ["UNKNOWN"]


def test_a_baseline() -> None:
    """Each figure is where it belongs."""
    page = page_of()
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
    assert page.verdict("sfu") == ["PASS"]


def test_connections_that_were_lost() -> None:
    """Their series are there before the first; one that did not come back has only its reason."""
    page = page_of()
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
    page = Page(sfu=SfuConfig(vantage="here"), reconnect=ReconnectConfig())
    provoked = {"vantage": "here", "kind": "full"}

    def found() -> tuple[float | None, float | None]:
        name = "voice_reconnect_seconds_count"
        return page.value(name, **ALONE), page.value(name, **provoked)

    assert found() == (0, 0)
    page.recorder.remove("sfu", SfuConfig(vantage="here"))
    assert found() == (None, 0)
    page.recorder.remove("reconnect", ReconnectConfig())
    assert found() == (None, None)
    page.recorder.add("sfu", SfuConfig(vantage="here"))
    assert found() == (0, None)


def test_counters_add_up_over_baselines() -> None:
    """So that the loss over any span of time is the quotient of two rates."""
    page = page_of()
    page.recorder.record(baseline(loss_up=Loss(2000, 3)))
    page.recorder.record(baseline(loss_up=Loss(2100, 5)))
    assert page.value("voice_sfu_packets_total", **HERE, direction="up") == 4100
    assert page.value("voice_sfu_packets_lost_total", **HERE, direction="up") == 8


def test_a_failed_baseline_leaves_no_old_figure() -> None:
    """A dead SFU must not go on showing a round trip; what is configured stays."""
    page = page_of()
    page.recorder.record(baseline())
    page.recorder.record(failed())
    assert page.value("voice_sfu_rtt_ms", **HERE) is None
    assert page.value("voice_sfu_packet_loss_ratio", **HERE, direction="up") is None
    assert page.value("voice_sfu_rtt_seconds_count", **HERE, method="data") == 21
    assert page.value("voice_sfu_target_rtt_ms", **HERE) == 100
    assert page.verdict("sfu") == ["FAIL"]


def test_another_vantage_takes_its_place() -> None:
    """After a reload the series of the old vantage are gone."""
    page = page_of()
    page.recorder.record(baseline())
    page.recorder.add("sfu", SfuConfig(vantage="there"))
    assert page.value("voice_sfu_rtt_seconds_count", **HERE, method="data") is None
    assert page.value("voice_sfu_rtt_seconds_count", vantage="there", method="data") == 0
