"""Heartbeats report the worker from its start to its end, and never harm it."""

import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.patience import WAIT_S, until
from tests.unit.agent.collector import Collector, agent_server, collecting
from voice_exporter_agent import collector as collectors
from voice_exporter_agent import heartbeats
from voice_exporter_agent.heartbeats import Heartbeats
from voice_exporter_agent.worker import ServerSource

SOON_S = 0.05
"""Between two heartbeats."""


def sending(
    url: str, server: object, close_limit_s: float = heartbeats.CLOSE_LIMIT_S
) -> Heartbeats:
    """Return heartbeats of a server that have started."""
    source = ServerSource("demo", server)
    made = Heartbeats(collectors.Collector(url, "t0ken"), source, SOON_S, close_limit_s)
    made.start()
    return made


@contextmanager
def reporting(collector: Collector, server: object) -> Iterator[None]:
    """Report a server to a collector, and say goodbye."""
    running = sending(collector.url, server)
    try:
        yield
    finally:
        running.close()


def test_a_worker_is_reported_from_start_to_end(collector: Collector) -> None:
    """Heartbeats have all that the server shows; closing says goodbye; the token is sent."""
    server = agent_server()
    with reporting(collector, server):
        until(lambda: collector.beats)
        server.active_jobs = [1, 2]
        # The next one may have been under way already when the jobs came.
        until(lambda: collector.beats[-1][2].status == "busy")
    until(lambda: collector.beats[-1][2].status == "offline")
    (worker_id, bearer, first), *_, (_, _, last) = collector.beats
    busy = next(beat for _, _, beat in collector.beats if beat.status == "busy")
    assert (worker_id, bearer) == ("AW_1", "Bearer t0ken")
    assert (first.agent_name, first.status, first.active_jobs) == ("demo", "idle", 0)
    assert (first.load, first.http_port, first.cpu_ratio) == (0.25, 8081, None)
    assert (first.memory_bytes or 0) > 2**20
    assert busy.active_jobs == 2
    assert busy.cpu_ratio is not None
    assert (last.status, last.active_jobs, last.replaces) == ("offline", None, None)


def test_a_worker_that_registers_anew_names_the_id_that_it_replaces(collector: Collector) -> None:
    """Before LiveKit knows it nothing is sent; under a new id the old one is named, once."""
    server = agent_server(id="unregistered")
    with reporting(collector, server):
        server.id = "AW_1"
        until(lambda: collector.beats)
        server.id = "AW_2"
        until(lambda: collector.ids().count("AW_2") > 1)
    assert collector.ids()[0] == "AW_1"
    replaced = [beat.replaces for worker_id, _, beat in collector.beats if worker_id == "AW_2"]
    assert replaced[:2] == ["AW_1", None]


def test_a_collector_that_is_away_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """One line says that it is away, one that it is back; then the heartbeats are there."""
    caplog.set_level(logging.INFO)
    with collecting() as first:
        url = first.url
    running = sending(url, agent_server())
    until(lambda: "heartbeat not sent, retrying: ConnectError" in caplog.text)
    with collecting(int(url.rpartition(":")[2]), status=503) as collector:
        until(lambda: "503" in caplog.text)  # httpx logs each answer
        collector.status = 204
        until(lambda: collector.beats)
        running.close()
    lines = [each.getMessage() for each in caplog.records if each.name.startswith("voice_")]
    assert lines[0] == "heartbeat not sent, retrying: ConnectError"
    assert lines[1].startswith("heartbeats sent again after")
    assert "t0ken" not in caplog.text


def test_a_refusal_is_logged_with_its_status(
    caplog: pytest.LogCaptureFixture, collector: Collector
) -> None:
    """As of a wrong token; neither that nor the goodbye ends the worker."""
    with reporting(collector, agent_server()):
        until(lambda: collector.beats)
        collector.status = 401
        until(lambda: caplog.messages)
    until(lambda: len(caplog.messages) > 1)
    assert caplog.messages == [
        "heartbeat not sent, retrying: the exporter answered 401",
        "shutdown not reported: the exporter answered 401",
    ]


def test_a_worker_that_never_registers_is_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture, collector: Collector
) -> None:
    """After half a minute in vain, at the default interval; nothing is sent, no goodbye either."""
    looks = iter(range(100))
    enough = threading.Event()

    class Absent:
        def state(self) -> None:
            if next(looks, None) is None:
                enough.set()

    running = Heartbeats(collectors.Collector(collector.url), Absent(), 0.001)
    running.start()
    assert enough.wait(WAIT_S)
    running.close()
    assert caplog.messages == [
        "no worker to report to the exporter yet; was a worker with that name started?"
    ]
    assert collector.beats == []


def test_a_sandbox_that_hides_everything_is_no_reason_for_silence(
    monkeypatch: pytest.MonkeyPatch, collector: Collector
) -> None:
    """Memory, processor time and addresses are unknown then; the worker is still there."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(psutil, "net_if_addrs", refuse)
    for name in ("children", "oneshot"):
        monkeypatch.setattr(psutil.Process, name, refuse)
    with reporting(collector, agent_server()):
        until(lambda: len(collector.beats) > 1)
    for _, _, beat in collector.beats:
        assert (beat.memory_bytes, beat.cpu_ratio, beat.addresses) == (None, None, ())
    assert collector.statuses()[0] == "idle"


def test_the_worker_s_random_numbers_are_its_own(collector: Collector) -> None:
    """A worker that seeded them gets the same ones with heartbeats as without."""
    before = random.getstate()
    with reporting(collector, agent_server()):
        until(lambda: len(collector.beats) > 1)
    assert random.getstate() == before


def test_closing_does_not_wait_for_a_worker_that_hangs(collector: Collector) -> None:
    """The end of the worker is delayed by 2 s at most; here by a tenth of that."""
    assert heartbeats.CLOSE_LIMIT_S == 2
    server = agent_server()
    running = sending(collector.url, server, close_limit_s=0.2)
    until(lambda: collector.beats)
    asked, answer = threading.Event(), threading.Event()

    class Hanging:
        def __len__(self) -> int:
            asked.set()
            answer.wait(WAIT_S)
            return 0

    server.active_jobs = Hanging()
    assert asked.wait(WAIT_S)
    started = time.monotonic()
    running.close()
    assert time.monotonic() - started >= 0.19  # the goodbye had its time
    assert any(each.name == "voice-exporter" for each in threading.enumerate())
    answer.set()
