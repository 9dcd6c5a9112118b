"""The log of runs says what changed, and does not flood."""

import logging
from datetime import UTC, datetime

import pytest

from exporter.daemon.plan import call_work
from exporter.daemon.run_log import RunLog
from exporter.outcome import Outcome, Reason
from exporter.probes.latency.spec import LatencyConfig
from tests.unit.calls import call


def _outcome(reason: Reason | None = None, probe: str = "agents", agent: str = "") -> Outcome:
    return Outcome(
        probe=probe,
        agent_name=agent,
        started_at=datetime.now(UTC),
        duration_s=0.1,
        reason=reason,
        detail="refused" if reason else "",
        log=("asked",),
        run_id="0123",
    )


def _lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    caplog.clear()
    return lines


def test_same_failure_is_said_once_and_its_end_with_the_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An outage of 100 listings: one warning, and one line when it is over."""
    caplog.set_level(logging.INFO, "exporter.daemon.run_log")
    log = RunLog()

    for _ in range(100):
        log.record(_outcome(Reason.CONNECT_FAILED))
    assert _lines(caplog) == [("WARNING", "run failed")]

    log.record(_outcome())
    assert vars(caplog.records[0])["failed_before"] == 100
    assert _lines(caplog) == [("INFO", "run ended")]

    log.record(_outcome())
    assert _lines(caplog) == []


def test_another_reason_is_news(caplog: pytest.LogCaptureFixture) -> None:
    """The reason changes: a new warning, and the count of failures goes on."""
    caplog.set_level(logging.INFO, "exporter.daemon.run_log")
    log = RunLog()

    log.record(_outcome(Reason.CONNECT_FAILED))
    log.record(_outcome(Reason.AUTH_FAILED))
    log.record(_outcome(Reason.AUTH_FAILED))
    log.record(_outcome())

    assert [level for level, _ in _lines(caplog)] == ["WARNING", "WARNING", "INFO"]


def test_targets_have_streaks_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    """Two agents fail: each is told of; a call that ended well is told of every time."""
    caplog.set_level(logging.INFO, "exporter.daemon.run_log")
    log = RunLog()

    log.record(_outcome(Reason.NO_REPLY, "latency", "one"))
    log.record(_outcome(Reason.NO_REPLY, "latency", "two"))
    log.record(_outcome(None, "latency", "three"))
    log.record(_outcome(None, "latency", "three"))

    assert [level for level, _ in _lines(caplog)] == ["WARNING", "WARNING", "INFO", "INFO"]


def test_lines_of_the_run_are_for_those_who_debug(caplog: pytest.LogCaptureFixture) -> None:
    """At the level debug the run's own lines come, each with the run's id."""
    caplog.set_level(logging.DEBUG, "exporter.daemon.run_log")

    RunLog().record(_outcome())

    assert [record.getMessage() for record in caplog.records] == ["asked", "run ended"]
    assert {vars(record)["run"] for record in caplog.records} == {"0123"}


def test_what_is_removed_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    """A target that comes back begins anew, and one that does not leaves nothing."""
    caplog.set_level(logging.INFO, "exporter.daemon.run_log")
    log, target = RunLog(), LatencyConfig(agent_name="demo")
    failed = call(reason=Reason.NO_WORKER)

    log.record(failed)
    log.forget(call_work(target))
    log.forget(call_work(target))
    log.record(failed)

    assert _lines(caplog) == [("WARNING", "run failed")] * 2
