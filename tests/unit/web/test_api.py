"""The API: runs, workers and targets as JSON, and one shape for every error."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.daemon.plan import call_work as target_work
from exporter.outcome import Reason, Turn
from exporter.report.call_documents import LatencyDocument
from exporter.report.call_figures import CallReport, LatencyReport
from exporter.report.printing import to_json
from exporter.roster.roster import Roster
from exporter.roster.types import WorkerStatus
from exporter.roster.worker_state import RosterLimits
from exporter.store.records import LOG_LINES_KEPT, RunQuery, RunRecord
from exporter.store.sqlite import SqliteStore
from exporter.web.app import make_pages
from exporter.web.watched import WatchList, target_statuses
from tests.unit.calls import WHEN, call, failed, replied
from tests.unit.web.asking import ELSEWHERE, Site, sources
from tests.unit.web.test_probe_page import DEMO, SALES, SALES_BUSY


class History:
    """A store in memory, with the methods that the API awaits."""

    def __init__(self, *records: RunRecord) -> None:
        self._store = SqliteStore()
        for record in records:
            self._store.end(record)

    async def runs(self, query: RunQuery) -> tuple[RunRecord, ...]:
        """Return runs."""
        return self._store.runs(query)

    async def run(self, run_id: str) -> RunRecord | None:
        """Return one run."""
        return self._store.run(run_id)


def record(number: int, reason: Reason | None = None) -> RunRecord:
    """Return the record of a call, `number` minutes after the first."""
    outcome = call(replied(0.7), failed(detail="silence"), reason=reason, detail="why")
    made = RunRecord.of(outcome)
    at = WHEN + timedelta(minutes=number)
    values = {name: getattr(made, name) for name in RunRecord.__slots__}
    return RunRecord(**(values | {"run_id": f"run{number}", "started_at": at}))


RUNS = History(record(0), record(1, Reason.NO_REPLY), record(2), record(3, Reason.NO_WORKER))
SITE = Site(sources(history=RUNS))


def get(path: str, **query: Any) -> dict[str, Any]:
    """Return the document at a path."""
    answer = SITE.ask("GET", f"/api/v1{path}", params=query)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_log_of_a_failed_run_is_kept() -> None:
    """Nobody watched the scheduled run: its log says why it failed. That of a good run goes."""
    lines = tuple(f"line {n}" for n in range(LOG_LINES_KEPT + 1))
    bad = RunRecord.of(replace(call(reason=Reason.NO_WORKER), run_id="bad", log=lines))
    good = RunRecord.of(replace(call(replied(0.7)), run_id="good", log=lines))
    site = Site(sources(history=History(bad, good)))

    logs = [site.ask("GET", f"/api/v1/runs/{run}").json()["log"] for run in ("bad", "good")]

    assert logs == [list(lines[1:]), []]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [3, 2, 1, 0]),
        ({"outcome": "failed"}, [3, 1]),
        ({"outcome": "succeeded"}, [2, 0]),
        ({"limit": 1}, [3]),
        ({"agent_name": "demo"}, [3, 2, 1, 0]),
        ({"agent_name": "other"}, []),
        ({"before": (WHEN + timedelta(minutes=2)).isoformat()}, [1, 0]),
        ({"before": "1999-12-31T23:59:59+09:00"}, []),
    ],
)
def test_runs(query: dict[str, Any], expected: list[int]) -> None:
    """The newest come first; agent, outcome, number and time choose among them."""
    runs = get("/runs", **query)["runs"]
    assert [run["run_id"] for run in runs] == [f"run{number}" for number in expected]


def page_by_page(site: Site, limit: int) -> list[str]:
    """Return the ids of all runs, as one finds them by `next_before`."""
    seen: list[str] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        page = site.ask("GET", "/api/v1/runs", params=query).json()
        seen += [run["run_id"] for run in page["runs"]]
        if page["next_before"] is None:
            return seen
        query["before"] = page["next_before"]


def test_runs_page_by_page() -> None:
    """`next_before` leads through all of them, once each."""
    assert page_by_page(SITE, 3) == ["run3", "run2", "run1", "run0"]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_runs_of_the_same_moment_are_all_found(limit: int) -> None:
    """A page may end between two runs that began at once, as those of one alarm may."""
    together = [replace(record(number), started_at=WHEN) for number in range(4)]
    site = Site(sources(history=History(*together, record(9))))
    assert page_by_page(site, limit) == ["run9", "run3", "run2", "run1", "run0"]


def test_a_run_has_its_turns_and_reasons() -> None:
    """What a person asks for after a page: reason, detail, and every turn."""
    run = get("/runs/run1")
    assert (run["outcome"], run["reason"], run["detail"]) == ("failed", "no_reply", "why")
    assert [turn["outcome"] for turn in run["turns"]] == ["replied", "failed"]
    assert run["turns"][0]["e2e_s"] == 0.7
    assert run["turns"][1]["e2e_s"] is None
    assert run["turns"][1]["detail"] == "silence"
    assert set(run["turns"][0]["components"].values()) == {None}


def test_a_run_has_one_shape() -> None:
    """`latency --json` shows all that the API shows of a run and of a turn, by the same keys."""
    ended = call(replied(0.7), failed(), reason=Reason.NO_REPLY, detail="why")
    report = LatencyReport(WHEN, "sfu", (CallReport(DEMO, replace(ended, log=("in room r",))),))
    [shown] = json.loads(to_json(LatencyDocument.of(report)))["latency"]
    kept = get("/runs/run0")
    assert kept.keys() - shown.keys() == set()
    assert [list(turn) for turn in shown["turns"]] == [list(turn) for turn in kept["turns"]]
    assert list(shown["turns"][0]) == [field.name for field in fields(Turn)]
    assert shown["turns"][0] == kept["turns"][0]
    assert (shown["reason"], shown["detail"], shown["outcome"]) == ("no_reply", "why", "failed")
    assert shown["log"] == ["in room r"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/runs/other", 404, "no such run"),
        ("/nothing", 404, "not found"),
        ("/runs?limit=0", 422, "query limit: "),
        ("/runs?limit=1001", 422, "query limit: "),
        ("/runs?outcome=void", 422, "query outcome: "),
        ("/runs?before=yesterday", 422, "query before: "),
        ("/runs?before=2026-11-21T00:00:00", 422, "query before: "),
        ("/runs?before=1e9", 422, "query before: "),
        ("/runs?before=run3", 422, "query before"),
        ("/runs?before=9999-12-31T23:59:59-23:00", 422, "query before: "),
        ("/workers", 503, "this exporter has no roster"),
    ],
)
def test_errors_have_one_shape(path: str, status: int, words: str) -> None:
    """Every error is {"error": "one line"}."""
    answer = SITE.ask("GET", f"/api/v1{path}")
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].startswith(words)
    assert "\n" not in answer.json()["error"]


def beat(site: Site, body: bytes, worker_id: str = "AW_1") -> tuple[int, str]:
    """Post a heartbeat."""
    answer = site.ask("POST", f"/api/v1/workers/{worker_id}/heartbeat", content=body)
    return answer.status_code, answer.text


def test_heartbeats_reach_the_roster() -> None:
    """1. A worker tells of itself. 2. It is listed, with the address that it came from."""
    roster = Roster()
    site = Site(sources(roster=roster))

    assert beat(site, b'{"agent_name": "demo", "status": "busy", "active_jobs": 2}') == (204, "")

    (worker,) = roster.workers()
    assert (worker.worker_id, worker.status) == ("AW_1", WorkerStatus.BUSY)
    assert worker.addresses == ("127.0.0.1",)
    (listed,) = site.ask("GET", "/api/v1/workers", client=ELSEWHERE).json()["workers"]
    assert (listed["worker_id"], listed["status"], listed["active_jobs"]) == ("AW_1", "busy", 2)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "body: Invalid JSON"),
        (b"{", "body: Invalid JSON"),
        (b"[]", "body: "),
        (b"{}", "agent_name: Field required"),
        (b'{"agent_name": "x", "status": "asleep"}', "status: "),
        (b'{"agent_name": "x", "status": "idle", "region": 1}', "region: "),
        (b'{"agent_name": "x", "status": "idle", "load": NaN}', "load: "),
        (b"\xff", "body: Invalid JSON"),
    ],
)
def test_bad_heartbeats(body: bytes, words: str) -> None:
    """What makes no sense is 422 with the first reason, and is not repeated."""
    roster = Roster()
    status, text = beat(Site(sources(roster=roster)), body)
    assert status == 422
    assert words in text
    assert roster.workers() == ()


def test_a_newer_worker_may_say_more() -> None:
    """Keys that are not known yet are ignored; version and region are kept."""
    site = Site(sources(roster=Roster()))
    body = {"agent_name": "x", "status": "idle", "version": "7", "region": "ams", "gpu": [1]}
    assert beat(site, json.dumps(body).encode())[0] == 204
    (listed,) = site.ask("GET", "/api/v1/workers", client=ELSEWHERE).json()["workers"]
    assert (listed["version"], listed["region"]) == ("7", "ams")


def test_a_full_roster_says_so() -> None:
    """A refusal of the roster is a conflict, with its words."""
    site = Site(sources(roster=Roster(RosterLimits(max_workers=1))))
    body = b'{"agent_name": "demo", "status": "idle"}'
    assert beat(site, body)[0] == 204
    status, text = beat(site, body, "AW_2")
    assert status == 409
    assert "error" in text


def test_a_heartbeat_is_small() -> None:
    """More than any worker has to say is 413."""
    site = Site(sources(roster=Roster()))
    assert beat(site, b" " * 8193)[0] == 413


def test_targets() -> None:
    """Every agent that is called, by the name that /probe takes, with what came of it."""
    watch_list = WatchList("sfu")
    for target in (DEMO, SALES, SALES_BUSY):
        watch_list.add(target_work(target))
    watch_list.record(call(replied(0.7)))
    due = datetime(2026, 11, 21, tzinfo=UTC)
    site = Site(sources(watched=lambda: target_statuses(watch_list, lambda _id: due)))

    demo, sales, busy = site.ask("GET", "/api/v1/targets").json()["targets"]

    assert (demo["id"], sales["id"], busy["id"]) == (
        "demo",
        "sales/default/default",
        "sales/default/busy",
    )
    assert (demo["verdict"], demo["last_run_at"]) == ("PASS", "2026-11-20T07:30:05.999999Z")
    assert (sales["verdict"], sales["last_run_at"]) == ("UNKNOWN", None)
    assert demo["next_run_at"] == "2026-11-21T00:00:00Z"


def test_the_document_promises_no_other_error_shape() -> None:
    """FastAPI's own shape of a validation error is nowhere in it; nor are pages with scripts."""
    document = make_pages(sources()).openapi()
    assert "HTTPValidationError" not in str(document)
    assert "Problem" in document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert {"401", "413", "429", "500"} <= set(operation["responses"]), path


def test_the_document_is_served() -> None:
    """Where the name of the API says."""
    assert SITE.ask("GET", "/api/v1/openapi.json").json()["info"]["title"] == "voice-exporter"


def test_a_bug_is_no_news_to_strangers(tmp_path: Path) -> None:
    """What failed inside is 500 without a word of it."""

    def broken() -> str:
        raise RuntimeError(f"secret of {tmp_path}")

    answer = Site(sources(status_page=broken)).ask("GET", "/")
    assert (answer.status_code, answer.text) == (500, "internal error\n")
