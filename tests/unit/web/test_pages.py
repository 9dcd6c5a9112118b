"""The pages: what they answer, to whom, and that they trust no text."""

import gzip
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.daemon.plan import call_work
from exporter.errors import ConfigError
from exporter.metrics.exposition import Format
from exporter.metrics.registry import Metrics
from exporter.metrics.table import ROWS
from exporter.outcome import Calibration, Listing, ModelUsage, Outcome, Reason, Verdict
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.calibrate.spec import CalibrateConfig
from exporter.probes.latency.spec import LatencyConfig
from exporter.roster.types import Worker, WorkerStatus
from exporter.run.lane import LaneState
from exporter.run.scheduler import Work
from exporter.settings.load import load_settings
from exporter.store.records import Remaining
from exporter.web.status import status_page
from exporter.web.watched import WatchList
from tests.unit.calls import WHEN, broken, call, judged, replied
from tests.unit.web.asking import ELSEWHERE, Site, sources, told

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,*/*;q=0.2"
)
"""What it sends."""
DEMO = LatencyConfig(agent_name="demo")


@cache
def plain_site() -> Site:
    """Return a site with one series; making one takes much longer than asking it."""
    metrics = Metrics(CollectorRegistry(), "sfu", families=(ROWS["voice_rooms"],))
    metrics.set("voice_rooms", 1)
    return Site(sources(metrics=metrics))


def ask(path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """Ask a site with one series; header names have _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return plain_site().ask(method, path, headers=named)


@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8", parse_text),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", parse_text),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0", parse_openmetrics),
        (PROMETHEUS, "application/openmetrics-text; version=1.0.0", parse_openmetrics),
        (f"{OPENMETRICS}.7", "text/plain; version=0.0.4; charset=utf-8", parse_text),
        (f"{OPENMETRICS}x;;=,", "text/plain; version=0.0.4; charset=utf-8", parse_text),
    ],
)
def test_metrics_come_in_the_format_asked_for(
    accept: str, content_type: str, parse: Callable[[str], Iterable[Metric]]
) -> None:
    """Plain text unless OpenMetrics is asked for; both are what they say they are."""
    response = ask("/metrics", accept=accept)

    assert response.status_code == 200
    assert response.headers["content-type"].startswith(content_type)
    assert [family.name for family in parse(response.text)] == ["voice_rooms"]


def test_what_a_client_accepts_makes_no_page_of_its_own() -> None:
    """Pages are kept by their type: names of types must not be the client's to choose."""
    kinds = ("text/plain", "application/openmetrics-text")
    accepts = [f"{kind};version=1.0.{n};escaping=e{n}" for n in range(50) for kind in kinds]
    assert len({Format.accepted(accept) for accept in accepts}) == 2


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate", "gzip"), ("gzip;q=0.5", "gzip"), ("identity", None), ("gzip;q=0", None)],
)
def test_metrics_are_compressed_for_who_takes_it(accepted: str, encoding: str | None) -> None:
    """Gzip where it is accepted, and the same page either way."""
    response = ask("/metrics", accept_encoding=accepted)

    assert response.headers.get("content-encoding") == encoding
    assert "# TYPE voice_rooms gauge" in response.text
    if encoding:
        assert int(response.headers["content-length"]) == len(gzip.compress(response.content, 5))


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
def test_pages_are_read_only(path: str) -> None:
    """HEAD answers as GET without a body; every other method is refused."""
    head = ask(path, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert ask(path, method).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/metrics/",
        "/%2e%2e/etc/passwd",
        "/-%2Fhealthy",
        "/-/",
        "/metrics%00",
        "/metrics%5c",
        "/docs",
        "/redoc",
        "/openapi.json",
    ],
)
def test_other_paths_are_not_found(path: str) -> None:
    """What is not there is 404, however it is spelled; nothing is guessed or redirected."""
    assert ask(path).status_code == 404
    assert ask(path).text == "not found\n"


def test_health_and_readiness_say_why_not() -> None:
    """503 with the reason in the body; 200 when there is none."""
    why = told("the scheduler is not running"), told("nothing listed yet")
    bad = Site(sources(not_healthy=why[0], not_ready=why[1]))

    assert ask("/-/healthy").status_code == ask("/-/ready").status_code == 200
    healthy, ready = bad.ask("GET", "/-/healthy"), bad.ask("GET", "/-/ready")
    assert (healthy.status_code, ready.status_code) == (503, 503)
    assert healthy.text == "not healthy: the scheduler is not running\n"
    assert ready.text == "not ready: nothing listed yet\n"


def test_health_tells_what_is_wrong_although_it_works() -> None:
    """Healthy stays 200, and the notes come after it."""
    site = Site(sources(notes=lambda: ("the store cannot be written",)))

    answer = site.ask("GET", "/-/healthy")

    assert (answer.status_code, answer.text) == (200, "healthy\nthe store cannot be written\n")


def test_status_page_allows_its_own_script_only() -> None:
    """The browser is told to run nothing else; the nonce is another for each answer."""
    response = ask("/")

    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'nonce-")
    assert policy != ask("/").headers["content-security-policy"]
    assert response.headers["content-type"] == "text/html; charset=utf-8"


def watch_list(*outcomes: Outcome) -> WatchList:
    """Return what is watched: the demo and a calibration."""
    made = WatchList("sfu:7880")
    made.add(call_work(DEMO))
    made.add(Work("calibrate", "calibrate", "", CalibrateConfig(), 3600))
    for outcome in outcomes:
        made.record(outcome)
    return made


def test_status_page_tells_last_and_next_run() -> None:
    """What is watched, its verdict, what was found, and when the next run is due."""
    floor = Calibration(0.0942, 0.004, 10)
    calibration = judged(Outcome("calibrate", "", WHEN, 9, result=floor, loop_lag_s=0.0071))
    now = WHEN + timedelta(seconds=42)
    used = (ModelUsage("reader", 1500, 900, 60), ModelUsage("ear", stt_seconds=9))

    page = status_page(
        watch_list(call(replied(1.0, depth_s=0.04), replied(1.5), usage=used), calibration),
        {"calibrate": now + timedelta(seconds=99)}.get,
        now,
    )

    assert "average 1.250 s, max 1.500 s, n = 2; jitter buffer 40 ms; 1560 tokens" in page
    assert "floor 94 ms, spread 4 ms, n = 10; loop lag 7 ms" in page
    assert '<span class="tag PASS">PASS</span>' in page
    assert "42 s ago" in page
    assert '<td class="due">in 99 s</td>' in page
    assert "No failures since the start." in page
    assert "<title>1 PASS · sfu:7880</title>" in page


def test_status_page_tells_of_workers_budgets_and_trouble() -> None:
    """Workers are counted by what they do, budgets tell what is left, and trouble stands first."""
    workers = (
        Worker("AW_1", "demo", WorkerStatus.IDLE),
        Worker("AW_2", "demo", WorkerStatus.OFFLINE),
        Worker("AW_3", "", WorkerStatus.OFFLINE),
    )
    left = {call_work(DEMO).id: Remaining(turns=12, call_seconds=90.4, tokens=4000)}

    page = status_page(
        watch_list(),
        lambda _id: None,
        remaining=lambda name: left.get(name, Remaining()),
        workers=workers,
        notes=("the store cannot be <written>",),
        pools=(LaneState("call", 4, 4, waiting=2), LaneState("api", 2, 0, waiting=0)),
    )

    assert "<li>call: 4 of 4 processes busy, 2 runs waiting</li>" in page
    assert "<li>api: 0 of 2 processes busy</li>" in page
    assert "12 turns, 90 s of calls, 4000 tokens</td>" in page
    counts = re.findall(r'<td class="n" data-head="(\w+)">(\d)</td>', page)
    assert [each for each in counts if each[1] != "0"] == [
        ("offline", "1"),
        ("idle", "1"),
        ("offline", "1"),
    ]
    assert "<td>(any)</td>" in page
    assert page.index("the store cannot be &lt;written&gt;") < page.index('<ul class="cards">')
    assert "No workers known." in status_page(watch_list(), lambda _id: None)


def test_links_of_the_status_page_work_below_any_path() -> None:
    """Every link is relative, and leads to a page that is there."""
    page = status_page(watch_list(), lambda _id: None)
    links = re.findall(r'href="([^"#][^":]*)"', page)
    assert len(links) > 5
    for link in links:
        path = urlsplit(urljoin("http://gateway/tools/voice/", link))
        assert path.path.startswith("/tools/voice/"), link
        status = ask(path.path.removeprefix("/tools/voice")).status_code
        assert status in (200, 503), link  # 503: of what this test has none


SITES: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({}, "", ""),
    ({"route_prefix": "/voice/"}, "/voice", "/voice"),
    ({"external_url": "https://gateway/voice/"}, "/voice", "/voice"),
    ({"external_url": "https://gateway/voice", "route_prefix": "/"}, "", "/voice"),
    ({"external_url": "https://gateway/tools/voice", "route_prefix": "/v"}, "/v", "/tools/voice"),
)


@pytest.mark.parametrize(("settings", "prefix", "external"), SITES)
def test_pages_are_below_the_prefix(settings: dict[str, Any], prefix: str, external: str) -> None:
    """As Prometheus has it: all pages, for clients that come straight and by a proxy."""
    site = Site(**settings)
    assert site.ask("GET", f"{prefix}/-/healthy").text == "healthy\n"
    assert site.ask("GET", f"{prefix}/").text == "<p>status</p>"
    assert site.ask("GET", f"{prefix}/api/v1/nothing").json() == {"error": "not found"}
    document = site.ask("GET", f"{prefix}/api/v1/openapi.json").json()
    assert document["servers"] == [{"url": external or "/"}]
    assert site.ask("GET", f"{prefix}/probe?target=demo", client=ELSEWHERE).status_code == 403
    if prefix:
        for path in ("/", prefix):
            answer = site.ask("GET", path)
            assert (answer.status_code, answer.headers["location"]) == (302, f"{external}/")
        for path in ("/-/healthy", f"{prefix}x/-/healthy", f"{prefix}//-/healthy", "/other"):
            assert site.ask("GET", path).status_code == 404, path


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"route_prefix": "voice"}, '"voice" is no path; expected one such as /voice'),
        ({"route_prefix": "/a/../b"}, '"/a/../b" is no path'),
        ({"external_url": "gateway/voice"}, "is not the URL of a site"),
        ({"external_url": "ftp://gateway"}, "is not the URL of a site"),
        ({"external_url": "https://user:pass@gateway"}, "is not the URL of a site"),
        ({"external_url": "https://gateway/?a=b"}, "is not the URL of a site"),
        ({"external_url": "https://[gateway"}, "is not the URL of a site"),
    ],
)
def test_what_is_no_prefix_is_refused(settings: dict[str, str], words: str) -> None:
    """A mistake is one line, before anything is served."""
    flags = {f"web.{key}": value for key, value in settings.items()}
    with pytest.raises(ConfigError, match=re.escape(words)):
        load_settings(None, flags, {})


def test_status_page_escapes_every_text() -> None:
    """Names and details come from elsewhere: none of them can become markup."""
    evil = "<script>alert('x')</script>&\"'"
    target = LatencyConfig(agent_name=evil, call_type=evil, scenario=evil)
    made = WatchList(evil)
    made.add(call_work(target))
    bad = call(reason=Reason.NO_WORKER, detail=evil)
    made.record(replace(bad, agent_name=evil))

    page = status_page(made, lambda _id: None, datetime.now(UTC))

    assert page.count("<script") == 1
    assert page.count("&lt;script&gt;") >= 5


def test_failures_of_one_reason_are_one_group() -> None:
    """The page has them once, with their number, their first and their last."""
    failures = [
        replace(
            call(reason=Reason.NO_WORKER, detail=f"number {n}"),
            started_at=WHEN + timedelta(minutes=5 * n),
        )
        for n in range(30)
    ]

    made = watch_list(*failures)

    line = made.lines[call_work(DEMO).id]
    [outage] = line.past.outages
    assert (outage.runs, outage.detail, outage.first) == (30, "number 29", WHEN)
    assert line.verdict is Verdict.FAIL
    page = status_page(made, lambda _id: None, WHEN + timedelta(hours=3))
    assert "no_worker <b>\N{MULTIPLICATION SIGN}30</b>" in page
    assert "number 28" not in page


def test_outage_of_one_probe_keeps_the_failures_of_others() -> None:
    """1. A call fails. 2. The API is down for an hour. 3. All is well. Result: both are shown."""
    listing = Work("agents", "agents", "", AgentsConfig(), 15)
    made = watch_list(call(reason=Reason.NO_WORKER, detail="nobody came"))
    made.add(listing)
    for _ in range(240):
        made.record(broken(Reason.API_FAILED, "HTTP 500", "agents"))
    made.record(judged(Outcome("agents", "", WHEN, 0.1, result=Listing())))
    made.record(call())

    page = status_page(made, lambda _id: None, WHEN)

    assert "nobody came" in page
    assert "api_failed <b>\N{MULTIPLICATION SIGN}240</b>" in page


def test_log_of_a_failed_run_is_on_the_page() -> None:
    """Nobody can ask for it later: the run was on a schedule. So is how late the prober was."""
    bad = call(reason=Reason.NO_WORKER, detail="nobody came")
    bad = replace(bad, run_id="run1", log=("   0.1 in room <a>",), loop_lag_s=0.31)
    page = status_page(watch_list(bad), lambda _id: None, WHEN)

    assert "   0.1 in room &lt;a&gt;" in page
    assert '<td class="wide">nobody came; loop lag 310 ms' in page
    assert 'href="./runs/run1"' in page
    assert 'href="#lines-run1"' in page


def test_unwatched_outcomes_are_ignored() -> None:
    """A run of something that was removed meanwhile changes no line."""
    made = watch_list()
    made.remove(call_work(DEMO).id)

    made.record(call(reason=Reason.NO_WORKER))
    made.record(judged(Outcome("agents", "", WHEN, 0.1, result=Listing())))

    assert [line.last for line in made.lines.values()] == [None]
    assert all(not line.past.outages for line in made.lines.values())
