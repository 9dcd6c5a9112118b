"""The daemon as an operator has it: a process with an address, signals and an exit status."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from prometheus_client import CollectorRegistry

from exporter.daemon import serve
from exporter.daemon.fleet import Fleet
from exporter.daemon.parts import Daemon
from exporter.daemon.plan import server_works
from exporter.run.process import ProbeTable
from exporter.settings.settings import Settings
from exporter.web.server import WebServer
from tests.integration.exporters import SECRET, Start, value
from tests.patience import END_S, comes_true, until
from tests.unit.ramp.test_figures import figures

TURNS = (
    'voice_turns_total{agent_name="demo",call_type="default",outcome="replied",'
    'scenario="default",server="fake",vantage="default"}'
)
OF_CALLS = (
    'voice_verdict{agent_name="demo",call_type="default",check="latency",scenario="default",'
    'server="fake",vantage="default",verdict="P'
)
NOT_NOW_S = 3600.0
OF_LISTINGS = (
    'voice_verdict{agent_name="",call_type="",check="agents",scenario="",server="fake",'
    'vantage="default",verdict="PASS"'
)


def test_a_turn_reaches_metrics(start: Start, tmp_path: Path) -> None:
    """1. Start. 2. A call ends. Result: its turn is on /metrics and on the status page.

    3. A worker's heartbeat, which reaches /metrics. 4. A call that is asked for: it stands on its
    own page.
    """
    exporter = start("tests.fake_daemon", str(tmp_path / "note"), "answers")

    until(lambda: exporter.get("/-/ready").status_code == 200)
    until(lambda: value(exporter.get("/metrics").text, TURNS) == 1)

    page = exporter.get("/metrics").text
    assert value(page, OF_CALLS) == 1
    assert value(page, OF_LISTINGS) == 1
    assert value(page, "process_resident_memory_bytes") < 150e6
    assert "n = 1" in exporter.get("/").text
    assert exporter.get("/-/healthy").text == "healthy\n"

    beat = {"agent_name": "demo", "status": "busy", "active_jobs": 1}

    answer = exporter.post("/api/v1/workers/AW_1/heartbeat", json=beat)
    assert answer.is_success, answer.text
    busy = 'voice_worker_status{agent_name="demo",server="fake",status="busy",worker_id="AW_1"}'
    until(lambda: busy in exporter.get("/metrics").text)
    assert value(exporter.get("/metrics").text, busy) == 1

    asked = exporter.get("/probe?target=demo")
    assert asked.status_code == 200, asked.text
    assert value(asked.text, TURNS) == 1
    assert value(exporter.get("/metrics").text, TURNS) == 1
    assert len(exporter.get("/api/v1/runs?agent_name=demo").json()["runs"]) == 2
    assert exporter.stop() == 0
    assert SECRET not in page + exporter.text()


def test_sigterm_ends_a_running_call_in_order(start: Start, tmp_path: Path) -> None:
    """1. A call is running. 2. SIGTERM. Result: the call leaves; status 0; no process is left."""
    note = tmp_path / "note"
    exporter = start("tests.fake_daemon", str(note), "hangs")
    until(lambda: note.exists() and note.read_text().endswith(" "))
    family = [psutil.Process(exporter.process.pid)]
    family += family[0].children(recursive=True)

    assert exporter.stop() == 0

    assert note.read_text().endswith("left")
    until(lambda: not any(process.is_running() for process in family))
    assert "msg=stopped" in exporter.text()
    assert "traceback" not in exporter.text().lower()


@pytest.mark.long
def test_second_signal_exits_at_once(start: Start, tmp_path: Path) -> None:
    """1. A call does not listen. 2. SIGINT, twice. Result: gone at once, status 130."""
    note = tmp_path / "note"
    exporter = start("tests.fake_daemon", str(note), "ignores_cancellation")
    until(note.exists)
    family = psutil.Process(exporter.process.pid).children(recursive=True)

    exporter.process.send_signal(signal.SIGINT)
    until(lambda: 'msg="stopping' in exporter.text())
    exporter.process.send_signal(signal.SIGINT)

    assert exporter.process.wait(END_S) == 128 + signal.SIGINT
    assert "msg=stopped" not in exporter.text()  # it did not wait for what is under way
    until(lambda: not any(process.is_running() for process in family))


@pytest.mark.long  # test_outage.py counts it, test_reload.py is ready without
def test_unreachable_server_is_a_counted_reason(start: Start) -> None:
    """Without a server: ready all the same, the reason counted, no traceback, no secret."""
    exporter = start(
        "exporter",
        "serve",
        "--web.listen-address=127.0.0.1:0",
        LIVEKIT_URL="ws://127.0.0.1:1",
        LIVEKIT_API_KEY="key",
        LIVEKIT_API_SECRET=SECRET,
    )

    until(lambda: exporter.get("/-/ready").status_code == 200)

    page = exporter.get("/metrics").text
    failures = 'voice_probe_failures_total{agent_name="",call_type="",probe="agents",'
    assert value(page, f'{failures}reason="connect_failed"') == 1
    assert value(page, 'voice_probe_success{agent_name="",probe="agents"') == 0
    assert "connect_failed" in exporter.get("/").text
    assert exporter.stop() == 0
    assert "reason=connect_failed" in exporter.text()
    assert "traceback" not in exporter.text().lower()
    assert SECRET not in page + exporter.text()


@pytest.mark.long  # unit/ramp/test_figures.py, unit/web/test_api.py
def test_a_knee_that_was_sent_survives_a_restart(start: Start) -> None:
    """1. The result of a ramp is sent. 2. SIGTERM, and the next exporter. Result: the same knee."""
    knee = 'voice_knee_clients{server="127.0.0.1:1",vantage="there"}'
    environ = {
        "LIVEKIT_URL": "ws://127.0.0.1:1",
        "LIVEKIT_API_KEY": "key",
        "LIVEKIT_API_SECRET": SECRET,
    }
    serve = ("exporter", "serve", "--web.listen-address=127.0.0.1:0")
    first = start(*serve, **environ)
    sent = figures("there", started_at=datetime.now(UTC))
    answer = first.post("/api/v1/ramps", content=sent.model_dump_json())
    assert answer.status_code == 204, answer.text
    assert value(first.get("/metrics").text, knee) == 10
    assert first.stop() == 0

    second = start(*serve, **environ)
    until(lambda: knee in second.get("/metrics").text)
    page = second.get("/metrics").text
    assert value(page, knee) == 10
    assert 'probe="ramp"' not in page
    assert second.stop() == 0


def test_port_in_use_is_one_clear_line() -> None:
    """A taken address: one line that names key and address, status 2, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        env = {
            "LIVEKIT_URL": "ws://127.0.0.1:1",
            "LIVEKIT_API_KEY": "key",
            "LIVEKIT_API_SECRET": SECRET,
        }
        command = [sys.executable, "-m", "exporter", "serve", f"--web.listen-address={address}"]
        done = subprocess.run(
            command, env=os.environ | env, capture_output=True, text=True, timeout=20, check=False
        )

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"web.listen_address: cannot listen on {address}: address already in use" in done.stderr


def quiet(**more: object) -> Settings:
    """Return a configuration that runs little and keeps nothing."""
    off = {name: {"enabled": False} for name in ("store", "sfu", "reach", "reconnect")}
    server = {"url": "ws://127.0.0.1:1", "api_key": "key", "api_secret": SECRET}
    return Settings.model_validate({"livekit": server, **off, **more})


def faked(settings: Settings) -> Daemon:
    """Return a daemon over fake probes, which is not started."""
    table = ProbeTable("tests.fake_daemon", "ANSWERS_TABLE")
    return Daemon(settings, settings.server(), lambda: settings, table)


def test_every_series_is_there_from_the_start() -> None:
    """At 0, so that the first failure is an increase; and no verdict is known."""
    settings = quiet(sfu={"vantage": "lab"}, reach={}, reconnect={})
    daemon = Daemon(settings, settings.server(), lambda: settings)  # never started
    for work in server_works(settings):
        daemon.works.add(work, NOT_NOW_S)
    registry = daemon.metrics.registry
    labels = {"server": "127.0.0.1:1", "vantage": "lab"}

    lost = registry.get_sample_value("voice_sfu_packets_lost_total", labels | {"direction": "up"})
    full = registry.get_sample_value("voice_reconnect_seconds_count", labels | {"kind": "full"})
    assert (lost, full) == (0, 0)
    nobody = {"agent_name": "", "call_type": "", "scenario": "", "verdict": "UNKNOWN"}
    for check in ("sfu", "reach", "reconnect"):
        verdict = labels | nobody | {"check": check}
        assert registry.get_sample_value("voice_verdict", verdict) == 1, check


def test_part_that_ends_by_itself_is_noticed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """1. What follows the workers has a bug. Result: not healthy, and the log says why."""

    async def breaks(_fleet: Fleet) -> None:
        raise KeyError("worker")

    monkeypatch.setattr(Fleet, "watch", breaks)

    async def story() -> None:
        daemon, stop = faked(quiet()), asyncio.Event()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            running = asyncio.create_task(serve.run(daemon, listener, stop))
            await comes_true(lambda: daemon.health.problem == "ended unexpectedly: workers")
            stop.set()
            await running

    asyncio.run(story())
    assert "KeyError: 'worker'" in caplog.text


def test_exporter_does_not_go_on_without_its_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """1. The web server ends by itself. Result: an error, so that a supervisor starts it again."""

    async def breaks(_web: WebServer, sockets: object = None) -> None:
        raise OSError("no loop")

    monkeypatch.setattr(WebServer, "serve", breaks)

    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            await serve.run(faked(quiet()), listener, asyncio.Event())

    with pytest.raises(RuntimeError, match="web server ended unexpectedly") as raised:
        asyncio.run(story())
    assert isinstance(raised.value.__cause__, OSError)


def test_agent_that_is_found_in_a_room_is_called() -> None:
    """1. Discovery is on. 2. A listing finds an agent. Result: it is called, its turns shown."""
    settings = quiet(discover={"enabled": True, "trials": 1})
    labels = {"server": "127.0.0.1:1", "agent_name": "stray"}
    target = {"call_type": "default", "scenario": "default", "vantage": "default"}
    turns = labels | target | {"outcome": "replied"}

    async def discover() -> CollectorRegistry:
        daemon = faked(settings)
        stop = asyncio.Event()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            running = asyncio.create_task(serve.run(daemon, listener, stop))
            await comes_true(
                lambda: daemon.metrics.registry.get_sample_value("voice_turns_total", turns)
            )
            daemon.remove_target(settings.discover.target("stray"))
            stop.set()
            await running
        return daemon.metrics.registry

    registry = asyncio.run(discover())

    assert registry.get_sample_value("voice_turns_total", turns) is None
    assert registry.get_sample_value("voice_probe_success", labels | {"probe": "latency"}) is None
