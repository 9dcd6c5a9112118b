"""Every row of the table of probes: where its work is, and that its verdict is one everywhere."""

import asyncio
import inspect
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.daemon.pages import status
from exporter.daemon.parts import Daemon
from exporter.daemon.plan import call_work, server_works
from exporter.outcome import Outcome, Verdict
from exporter.probe import Run
from exporter.probes import PROBES
from exporter.probes.latency.key import KEY
from exporter.probes.latency.spec import LatencyConfig
from exporter.report.agents import FleetReport
from exporter.report.call_figures import CallReport, LatencyReport
from exporter.report.check import CheckReport
from exporter.report.ramp import RampReport
from exporter.report.sfu import PreflightReport, SfuReport
from exporter.run.scheduler import Work
from exporter.settings.settings import Settings
from exporter.store.records import RunQuery, RunRecord
from exporter.web.status import Viewer, status_page
from exporter.web.watched import WatchList, target_statuses
from tests.unit.calls import WHEN
from tests.unit.probe_outcomes import OUTCOMES

SDK = ("livekit.rtc", "livekit.api", "numpy", "httpx")
"""What no row needs: its process imports it with the work."""
_NEVER_S = 86_400.0
_SETTINGS = Settings.model_validate(
    {
        "server_name": "s",
        "livekit": {"url": "ws://127.0.0.1:1", "api_key": "key", "api_secret": "very-secret"},
        "store": {"enabled": False},
        "workers": {"scrape": ["http://127.0.0.1:8081"]},
        "ramp": {"enabled": True, "max_clients": 50, "windows": [{"hours": "00:00-24:00"}]},
        "agent_load": {
            "enabled": True,
            "agent_name": "sales",
            "max_calls": 8,
            "windows": [{"hours": "00:00-24:00"}],
        },
        "targets": [{"agent_name": "demo"}],
    }
)


def config_of(probe: str) -> Any:
    """Return the configuration of a probe's work, as the daemon has it."""
    return work_of(probe).config


def work_of(probe: str) -> Work:
    """Return the work of a probe, as the daemon schedules it."""
    if probe == "latency":
        return call_work(_SETTINGS.targets[0])
    return next(work for work in server_works(_SETTINGS) if work.probe == probe)


def test_every_work_is_where_its_row_says() -> None:
    """Each dotted path leads to a coroutine that takes the row's configuration and a Run."""
    for name, row in PROBES.items():
        work = row.work()
        assert inspect.iscoroutinefunction(work), name
        config, run, *others = inspect.signature(work).parameters.values()
        assert config.annotation is row.config, name
        assert run.annotation is Run, name
        assert all(each.default is not each.empty for each in others), name


def test_the_table_needs_no_sdk() -> None:
    """The daemon's process knows every row and imports nothing that does a probe's work."""
    program = f"import sys, exporter.probes; print([m for m in {SDK} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: PLW1510 - the output says it
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_every_probe_has_a_good_and_a_bad_outcome_here() -> None:
    """The tests below are over the whole table."""
    assert OUTCOMES.keys() == PROBES.keys()


def shown(outcome: Outcome) -> dict[str, str]:
    """Return the verdict that each consumer of a run shows, by its name."""
    probe = outcome.probe
    daemon = Daemon(_SETTINGS, _SETTINGS.server(), lambda: _SETTINGS)
    work = work_of(probe)

    async def end() -> str:
        daemon.works.add(work, _NEVER_S)
        for gate in (*daemon.ledger.gates, *daemon.ledger.reserve):
            assert not await gate(work, outcome.run_id)
        for listener in daemon.listeners:
            listener(outcome)
        kept = await daemon.ledger.store.runs(RunQuery())
        return kept[0].verdict if kept else "not kept"

    told = {"ledger": asyncio.run(end()), "status page": _on_page(daemon), **_in_reports(outcome)}
    told["metrics"] = next(
        verdict
        for verdict in Verdict
        if daemon.metrics.registry.get_sample_value(
            "voice_verdict",
            {"check": probe, "server": "s", "verdict": verdict, **_subject(outcome)},
        )
    )
    if probe == "latency":
        (view,) = target_statuses(daemon.watch_list, lambda _: None)
        told["api"] = view.verdict
    return told


def _subject(outcome: Outcome) -> dict[str, str]:
    values = outcome.target or ("", "", "")
    return dict(zip(KEY, values, strict=True)) | {"vantage": "default"}


def _on_page(daemon: Daemon) -> str:
    page = status(daemon, Viewer())()
    rows = [line for line in page.splitlines() if '<td class="verdict">' in line]
    return next(verdict for verdict in Verdict if f'class="tag {verdict}"' in rows[0])


def _in_reports(outcome: Outcome) -> dict[str, str]:
    """Return what the commands that show this probe say of it."""
    config = config_of(outcome.probe)
    match outcome.probe:
        case "latency":
            call = CallReport(config, outcome)
            return {"call": call.verdict, "latency": LatencyReport(WHEN, "s", (call,)).verdict}
        case "sfu":
            return {"sfu": SfuReport(config, outcome).verdict}
        case "ramp":
            return {"sfu --load": RampReport(config, outcome).verdict}
        case "reach":
            return {"sfu --preflight": PreflightReport(config, outcome).verdict}
        case "agents":
            fleet = FleetReport(outcome, (), asked=False, now=0.0)
            empty = LatencyReport(WHEN, "s")
            return {
                "check": CheckReport(
                    fleet, empty, SfuReport(config_of("sfu"), outcome)
                ).agents_verdict
            }
    return {}


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("kind", ["good", "bad"])
def test_every_consumer_shows_the_same_verdict(probe: str, kind: str) -> None:
    """Metrics, status page, API, ledger and commands say of one run what its judge says."""
    pair, row = OUTCOMES[probe], PROBES[probe]
    expected = Verdict.PASS if kind == "good" else pair.worse
    found = replace(
        pair.good if kind == "good" else pair.bad,
        run_id="run",
        started_at=datetime.now(UTC),  # the ledger forgets old runs
    )
    outcome = row.judged(config_of(probe), found)
    assert outcome.verdict is expected
    told = shown(outcome)
    if row.lane == "api" and outcome.reason is None:
        assert told.pop("ledger") == "not kept"  # one each 15 seconds would soon fill it
    assert set(told.values()) == {expected}, told


@pytest.mark.parametrize("probe", PROBES)
def test_every_run_says_how_late_the_prober_was(probe: str) -> None:
    """The record of a run and the status page have its largest lag, whatever the probe."""
    found = replace(OUTCOMES[probe].good, loop_lag_s=0.012)
    watched = WatchList("s")
    watched.add(work_of(probe))
    watched.record(PROBES[probe].judged(config_of(probe), found))

    assert RunRecord.of(found).loop_lag_s == 0.012
    assert "loop lag 12 ms" in status_page(watched, lambda _id: None, WHEN)


@pytest.mark.parametrize("probe", PROBES)
def test_every_summary_says_what_was_found(probe: str) -> None:
    """A run that measured something is summed up in a few words, one that failed by its reason."""
    row, good = PROBES[probe], OUTCOMES[probe].good
    said = row.text(good)
    assert said
    assert "\n" not in said
    assert "object at" not in said
    failed = replace(good, reason="no_reply", detail="silence")  # type: ignore[arg-type] # any word
    assert row.text(failed) == "no_reply: silence"


def test_a_run_that_was_not_judged_is_unknown() -> None:
    """Nobody takes a run for good that no judge has seen."""
    assert OUTCOMES["sfu"].good.verdict is Verdict.UNKNOWN


def test_the_page_says_why_a_run_is_slow() -> None:
    """Beside the verdict stands what was measured, and what of it is not well."""
    daemon = Daemon(_SETTINGS, _SETTINGS.server(), lambda: _SETTINGS)
    for probe in ("sfu", "latency"):
        daemon.works.add(work_of(probe), _NEVER_S)
        bad = PROBES[probe].judged(config_of(probe), OUTCOMES[probe].bad)
        daemon.watch_list.record(bad)
    page = status(daemon, Viewer())()
    assert "round trip 500.0 ms, loss 0.0 % up, 0.5 % down, by UDP" in page
    assert "round trip 500.0 ms is above 100 ms" in page
    assert "2.00 s on average is above 1.5 s" in page
    assert isinstance(config_of("latency"), LatencyConfig)
