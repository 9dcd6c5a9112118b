"""What is made of a ramp: metrics, the document, the verdict, the configuration."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from exporter.daemon.plan import server_works
from exporter.outcome import Outcome, Reason, Verdict
from exporter.probes.ramp.spec import RampConfig
from exporter.probes.sfu.spec import SfuConfig
from exporter.report.ramp import ProberCost, RampReport
from exporter.report.sfu import SfuDocument, SfuReport
from exporter.run.scheduler import Work
from exporter.run.windows import WindowGate
from exporter.settings.settings import Settings
from tests.unit.calls import WHEN
from tests.unit.ramp.tiers import IDLE, ramp, tier
from tests.unit.recording import Page
from tests.unit.sfu.baselines import baseline

CONFIG = RampConfig(vantage="here")
FOUND = ramp(tier(2), tier(10, 20), tier(25, 300))
BUSY = replace(IDLE, lag_s=1.0)


def page_after(*outcomes: Outcome) -> dict[str, float]:
    """Return the series of a ramp, by name and clients, after these outcomes."""
    page = Page(ramp=CONFIG)
    for outcome in outcomes:
        page.recorder.record(outcome)
    samples = [sample for metric in page.registry.collect() for sample in metric.samples]
    return {
        " ".join(filter(None, (sample.name, sample.labels.get("clients")))): sample.value
        for sample in samples
        if sample.name.startswith(("voice_knee", "voice_ramp"))
    }


def test_metrics_of_a_ramp_with_a_knee() -> None:
    """The knee, the largest tier that held, and the figures of every tier."""
    assert page_after(FOUND) == {
        "voice_knee_clients": 10,
        "voice_ramp_clients_max": 10,
        "voice_ramp_limited": 0,
        "voice_ramp_timestamp_seconds": WHEN.timestamp(),
        "voice_ramp_rtt_ms 2": 10,
        "voice_ramp_rtt_ms 10": 20,
        "voice_ramp_rtt_ms 25": 300,
        "voice_ramp_packet_loss_ratio 2": 0,
        "voice_ramp_packet_loss_ratio 10": 0,
        "voice_ramp_packet_loss_ratio 25": 0,
    }


def test_no_knee_is_no_series() -> None:
    """Absent before, and absent again after a ramp that found none; never 0."""
    assert page_after() == {}
    limited = page_after(FOUND, ramp(tier(2), tier(10, load=BUSY)))
    assert "voice_knee_clients" not in limited
    assert (limited["voice_ramp_limited"], limited["voice_ramp_clients_max"]) == (1, 2)
    assert page_after(FOUND, ramp(reason=Reason.CONNECT_FAILED)) == {}


def test_other_probes_are_none_of_its_business() -> None:
    """A baseline between two ramps removes nothing."""
    assert page_after(FOUND, baseline()) == page_after(FOUND)


def test_document() -> None:
    """The ramp is in the document of `sfu`, beside the baseline, under one verdict."""
    before = SfuReport(SfuConfig(), baseline())
    document = SfuDocument.of(before, RampReport(CONFIG, FOUND))
    assert [(each.clients, each.rtt_ms.p95, each.limited) for each in document.ramp] == [
        (2, 10, False),
        (10, 20, False),
        (25, 300, False),
    ]
    assert (document.knee_clients, document.knee, document.verdict) == (10, "found", "PASS")
    assert document.ramp[2].broken == ("p95 of the round trip 300.0 ms is above 100 ms",)
    without = SfuDocument.of(before)
    assert (without.ramp, without.knee_clients, without.knee) == ((), None, None)


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (FOUND, Verdict.PASS),
        (ramp(tier(2), tier(10)), Verdict.PASS),
        (ramp(tier(2, 300)), Verdict.SLOW),
        (ramp(tier(2, load=BUSY)), Verdict.UNKNOWN),
        (ramp(tier(2), tier(10, load=BUSY)), Verdict.PASS),
        (ramp(tier(2), reason=Reason.DEADLINE), Verdict.FAIL),
    ],
)
def test_verdict(outcome: Outcome, verdict: Verdict) -> None:
    """A knee is what a ramp looks for; only a first tier that does not hold is a fault."""
    report = RampReport(CONFIG, outcome)
    assert report.verdict is verdict
    assert bool(report.findings) == (verdict is not Verdict.PASS)


def test_cost() -> None:
    """Two clients at a tenth of a CPU and 100 MB: two CPUs carry forty; it is in the document."""
    summary = RampReport(CONFIG, ramp(tier(2))).tiers[0].summary
    cost = ProberCost.of(2, summary.prober)
    assert cost == ProberCost(0.05, 50_000_000, 1, 2.0, 40)
    document = SfuDocument.of(SfuReport(SfuConfig(), baseline()), RampReport(CONFIG, ramp(tier(2))))
    [item] = document.ramp
    assert (item.prober, item.sent_kbps, item.received_kbps) == (cost, 40, 80)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"enabled": True, "max_clients": 50}, "needs windows"),
        ({"enabled": True, "windows": [{"days": "sun"}]}, "needs max_clients"),
        ({"max_clients": 25}, "above max_clients"),
        ({"tiers": "10,10"}, "is not increasing"),
        ({"tiers": "1,10"}, "out of bounds"),
        ({"tiers": "2;10"}, "not a list of tiers"),
        ({"tiers": []}, "at least 1"),
        ({"tiers": [*range(2, 103)]}, "has 101 tiers; expected at most 100"),
        ({"vantage": "v" * 129}, "is too long; expected at most 128 characters"),
        ({"vantage": "a\nb"}, "control character"),
    ],
)
def test_impossible_ramps(given: dict[str, object], words: str) -> None:
    """The daemon ramps only inside of windows and under a cap; tiers grow."""
    with pytest.raises(ValidationError, match=words):
        RampConfig.model_validate(given)


def test_what_a_configuration_allows_is_kept_whole() -> None:
    """The longest vantage, of the baselines as well, and the most tiers: nothing is lost."""
    longest = "v" * 128
    with pytest.raises(ValidationError, match="expected at most 128 characters"):
        SfuConfig(vantage=longest + "v")
    config = RampConfig(tiers=tuple(range(2, 102))).at(SfuConfig(vantage=longest).vantage)
    page = Page(ramp=config)
    page.recorder.record(ramp(*map(tier, config.tiers)))
    assert page.value("voice_ramp_clients_max", vantage=longest) == 101


def test_the_daemon_ramps_only_when_told() -> None:
    """By default there is no such work; where it is enabled it has the vantage of the baselines."""
    assert "ramp" not in {work.probe for work in server_works(Settings())}
    given = {"enabled": True, "max_clients": 50, "windows": [{"days": "sun"}]}
    settings = Settings.model_validate({"sfu": {"vantage": "iad"}, "ramp": given})
    [work] = [work for work in server_works(settings) if work.probe == "ramp"]
    assert isinstance(work.config, RampConfig)
    assert (work.config.vantage, work.interval_s) == ("iad", 86400)


def test_vantages_are_told_apart() -> None:
    """Two exporters, one SFU: the same metrics, each under its own vantage."""
    pages = {}
    for vantage in ("iad", "lhr"):
        enabled = {"enabled": True, "max_clients": 50, "windows": [{"days": "sun"}]}
        settings = Settings.model_validate({"sfu": {"vantage": vantage}, "ramp": enabled})
        page = Page(sfu=settings.section("sfu"), ramp=settings.section("ramp"))
        page.recorder.record(baseline(vantage=vantage))
        page.recorder.record(FOUND)
        pages[vantage] = page.text()
    for vantage, text in pages.items():
        own = f'{{server="here",vantage="{vantage}"}}'
        assert f"voice_knee_clients{own} 10.0" in text
        assert f"voice_sfu_rtt_ms{own} 20.0" in text
        assert set(re.findall('vantage="([^"]*)"', text)) == {vantage}


def test_ramps_start_only_inside_their_windows() -> None:
    """Sunday is in the window, Monday is not."""
    given = {"enabled": True, "max_clients": 50, "windows": [{"days": "sun"}]}
    work = Work("ramp", "ramp", "", RampConfig.model_validate(given), 86400)
    sunday = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def refusal(now: datetime) -> str:
        return asyncio.run(WindowGate(lambda: now)(work, "run"))

    assert refusal(sunday) == ""
    assert refusal(sunday + timedelta(days=1)) == "window"
