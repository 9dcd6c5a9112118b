"""The roster against real workers: who is there, what they do, and what goes wrong with them."""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import uvicorn
from prometheus_client import CollectorRegistry

from exporter.daemon.fleet import Fleet
from exporter.demo.livekit_server import free_ports
from exporter.demo.processes import Child
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.outcome import Listing, Outcome
from exporter.probe import Run
from exporter.probes.agents.measure import list_agents
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.workers.measure import read_workers
from exporter.probes.workers.spec import WorkersConfig
from exporter.roster.collector import CollectorConfig, fetch_workers
from exporter.roster.types import Source, Worker, WorkerStatus
from exporter.server_api import Server, ServerApi
from exporter.settings.settings import Settings
from exporter.web.app import make_pages
from exporter.web.sources import Sources
from tests import patience

pytestmark = pytest.mark.integration

IDLE, BUSY, FULL, DRAINING, OFFLINE = WorkerStatus


AT_ONCE = AgentsConfig(stuck_after=1, no_job_after=1, unclosed_after=1)
"""Nobody waits."""


class Exporter:
    """The parts of an exporter that know workers, with the real API before them."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.registry = CollectorRegistry()
        self.metrics = metrics = Metrics(self.registry, server.name)
        settings = Settings().model_copy(update={"agents": AT_ONCE})
        self.fleet = Fleet(settings, metrics, AgentNames(metrics, 500))
        self.recorder = Recorder(metrics)
        self.recorder.add("agents", settings.agents)
        self.url = ""

    async def list(self) -> Listing:
        """List the server once, for all listeners."""
        run = Run(id="test", server=self.server, deadline=time.monotonic() + 30)
        outcome = await list_agents(AgentsConfig(), run)
        assert isinstance(outcome.result, Listing), outcome.detail
        self.fleet.record(outcome)
        self.recorder.record(outcome)
        return outcome.result

    def worker(self, name: str) -> Worker | None:
        """Return the one worker of that agent name, if it is known."""
        found = [each for each in self.fleet.roster.workers() if each.agent_name == name]
        assert len(found) < 2
        return found[0] if found else None

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample of the registry."""
        return self.registry.get_sample_value(name, labels | {"server": self.server.name})

    async def until(self, holds: Callable[[], object], limit_s: float = patience.WAIT_S) -> None:
        """List until the condition holds."""
        async with asyncio.timeout(limit_s):
            while not holds():
                await self.list()
                await asyncio.sleep(0.1)


@asynccontextmanager
async def exporter(server: Server) -> AsyncIterator[Exporter]:
    """Serve the API on a free port."""
    made = Exporter(server)
    sources = Sources(
        metrics=made.metrics,
        server_name=server.name,
        thresholds=(),
        not_healthy=lambda: "",
        not_ready=lambda: "",
        status_page=lambda _viewer: lambda: "",
        roster=made.fleet.roster,
    )
    config = uvicorn.Config(make_pages(sources), log_config=None, lifespan="off")
    web = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(web.serve(sockets=[listener]))
        watching = asyncio.create_task(made.fleet.watch())
        try:
            yield made
        finally:
            watching.cancel()
            web.should_exit = True
            await asyncio.gather(serving, watching, return_exceptions=True)


@asynccontextmanager
async def reporting(
    made: Exporter, folder: Path, name: str, *, rejects: bool = False
) -> AsyncIterator[Child]:
    """Run a worker that reports to the exporter."""
    environ = os.environ | {
        "LIVEKIT_URL": made.server.url,
        "LIVEKIT_API_KEY": made.server.api_key,
        "LIVEKIT_API_SECRET": made.server.api_secret,
        "VOICE_EXPORTER_COLLECTOR_URL": made.url,
        "WORKER_NAME": name,
        "WORKER_PORT": str(free_ports().signal),
        "WORKER_REJECTS": "1" if rejects else "",
    }
    argv = [sys.executable, "-m", "tests.integration.reporting", "start"]
    child = Child(name, argv, log=folder / f"{name}.log", environ=environ)
    try:
        async with asyncio.timeout(patience.START_S):
            while made.worker(name) is None:
                assert child.exit_code is None, child.obituary()
                await asyncio.sleep(0.1)
        yield child
    finally:
        await asyncio.to_thread(child.stop, 2.0)


async def scrape(made: Exporter, port: int) -> Outcome:
    """Read a worker's page, as the probe does."""
    config = WorkersConfig(scrape=(f"http://127.0.0.1:{port}",))
    run = Run(id="test", server=made.server, deadline=time.monotonic() + 30)
    return await read_workers(config, run)


def test_a_worker_is_idle_then_busy_then_gone(livekit: Server, tmp_path: Path) -> None:
    """Heartbeats, page and rooms tell of one worker; its end is told, not waited for."""
    name = f"reporting-{uuid4().hex[:8]}"

    async def scenario() -> None:
        async with exporter(livekit) as made, reporting(made, tmp_path, name) as child:
            worker = made.worker(name)
            assert worker is not None
            assert (worker.status, worker.active_jobs, worker.load) == (IDLE, 0, 0.0)
            assert worker.worker_id.startswith("AW_")
            assert worker.http_port is not None
            assert (worker.memory_bytes or 0) > 50 * 2**20

            outcome = await scrape(made, worker.http_port)
            assert outcome.reason is None, outcome.detail
            made.fleet.record(outcome)
            joined = made.worker(name)
            assert joined is not None
            assert joined.sources == (Source.HEARTBEAT, Source.SCRAPE)
            assert joined.sdk_version

            [view] = [
                each
                for each in await fetch_workers(CollectorConfig(url=made.url))
                if each.agent_name == name
            ]
            assert (view.worker_id, view.status) == (worker.worker_id, IDLE)

            await _the_command_shows_it(made, worker)

            async with ServerApi(livekit) as api:
                rooms = {state: f"{name}-{state}" for state in ("initializing", "thinking")}
                for state, room in rooms.items():
                    await api.create_room(room, empty_timeout_s=60)
                    await api.create_dispatch(room, name, state)
                await made.until(lambda: _jobs(made.worker(name)) == 2)
                busy = made.worker(name)
                assert busy is not None
                assert busy.status is BUSY
                # A job shows some 5 s after it was taken: then rooms tell of the same worker.
                await made.until(lambda: Source.ROOM in _sources(made.worker(name)))
                # A room without a caller, in which an agent stays, is one that never closes.
                for state in rooms:
                    labels = {"agent_name": name, "state": state}
                    await made.until(lambda at=labels: made.value("voice_agent_stuck", **at) == 1)  # type: ignore[misc]
                await made.until(lambda: (made.value("voice_rooms_unclosed") or 0) >= 2)
                assert (made.value("voice_room_oldest_unclosed_seconds") or 0) > 1
                for room in rooms.values():
                    await api.delete_room(room)
            await made.until(lambda: _jobs(made.worker(name)) == 0)

            child.terminate()
            await made.until(lambda: _status(made.worker(name)) is OFFLINE)
            gone = made.worker(name)
            assert gone is not None
            assert time.time() - (gone.last_heartbeat or 0) < 10
            assert gone.active_jobs is None

    asyncio.run(scenario())


@pytest.mark.long
def test_a_worker_that_takes_no_job_is_told(livekit: Server, tmp_path: Path) -> None:
    """Registered and idle, and a dispatch waits: the worker is not taking jobs."""
    name = f"rejecting-{uuid4().hex[:8]}"

    async def scenario() -> None:
        async with exporter(livekit) as made, reporting(made, tmp_path, name, rejects=True):
            async with ServerApi(livekit) as api:
                labels = {"agent_name": name, "status": "idle"}
                await made.until(lambda: made.value("voice_workers", **labels) == 1)
                assert made.value("voice_workers_not_taking_jobs", agent_name=name) == 0
                await api.create_dispatch(name, name)
                await made.until(
                    lambda: made.value("voice_workers_not_taking_jobs", agent_name=name) == 1
                )
                assert made.value("voice_dispatches_pending", agent_name=name) == 1
                await api.delete_room(name)
            await made.until(
                lambda: made.value("voice_workers_not_taking_jobs", agent_name=name) == 0
            )

    asyncio.run(scenario())


def _status(worker: Worker | None) -> WorkerStatus | None:
    return worker.status if worker else None


async def _the_command_shows_it(made: Exporter, worker: Worker) -> None:
    """`agents` asks the running exporter and the page itself, and shows one worker."""
    environ = os.environ | {
        "LIVEKIT_URL": made.server.url,
        "LIVEKIT_API_KEY": made.server.api_key,
        "LIVEKIT_API_SECRET": made.server.api_secret,
        "VOICE_EXPORTER_WORKERS__SCRAPE": f"http://127.0.0.1:{worker.http_port}",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", "agents", "--json", "--collector", made.url),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, err) == (0, b"")
    items = json.loads(out)["workers"]
    [item] = [each for each in items if each["agent_name"] == worker.agent_name]
    assert item["worker_id"] == worker.worker_id
    assert (item["status"], item["active_jobs"], item["load"]) == ("idle", 0, 0.0)
    assert item["sdk_version"]
    assert 0 <= item["last_seen_s"] < 45


def _jobs(worker: Worker | None) -> int | None:
    return worker.active_jobs if worker else None


def _sources(worker: Worker | None) -> tuple[Source, ...]:
    return worker.sources if worker else ()
