"""Ramps against a real server: what they measure, and what they leave behind however they end.

The machine that runs the tests may be busy: that the prober was the limit is a good answer here.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.livekit_server import LiveKitServer
from exporter.outcome import Outcome, Ramp, RampProgress, Reason
from exporter.probe import ROOM_PREFIX, Run
from exporter.probes.ramp.judge import judge_tier
from exporter.probes.ramp.measure import climb
from exporter.probes.ramp.processes import RampProcesses
from exporter.probes.ramp.rooms import Rooms
from exporter.probes.ramp.spec import RampConfig
from exporter.probes.ramp.summary import TierSummary
from exporter.server_api import Server, ServerApi
from tests import patience
from tests.certificates import Certificates
from tests.integration.serving import Serving
from tests.patience import until

pytestmark = pytest.mark.integration

WORKER = "exporter.probes.ramp.worker"


@pytest.fixture(scope="module", name="server")
def _server(
    livekit_program: ServerProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server on which no room is unless a test of this file makes it."""
    with LiveKitServer(livekit_program, tmp_path_factory.mktemp("ramp")) as running:
        yield running.server


def start(server: Server, *arguments: str, **environ: str) -> "subprocess.Popen[str]":
    """Start a command with the server's credentials in its environment."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("VOICE_EXPORTER_")}
    credentials = {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "exporter", "sfu", *arguments],
        env=clean | credentials | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def rooms(server: Server) -> list[str]:
    """Return the names of the rooms of ramps and calls."""

    async def ask() -> list[str]:
        async with ServerApi(server) as api:
            return [name for name in await api.list_rooms() if name.startswith(ROOM_PREFIX)]

    return asyncio.run(ask())


def people(server: Server) -> int:
    """Return how many clients are in them."""

    async def ask() -> int:
        async with ServerApi(server) as api:
            return sum([len(await api.list_participants(name)) for name in await api.list_rooms()])

    return asyncio.run(ask())


def workers(of: int) -> list[psutil.Process]:
    """Return the processes of clients below a process."""
    found = []
    for child in psutil.Process(of).children(recursive=True):
        try:
            found += [child] if WORKER in child.cmdline() else []
        except psutil.NoSuchProcess:
            continue
    return found


def gone(processes: list[psutil.Process]) -> bool:
    """Return whether none of them runs any more."""
    return not any(
        each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes
    )


def test_ramp_from_the_command_line(server: Server) -> None:
    """Two tiers of clients with real audio: figures of each, a verdict, and no room is left.

    Both tiers, unless the first has a reason to be the last one: the document gives it. A running
    exporter gets the same figures.
    """
    arguments = ("--load", "--ramp", "2,3", "--duration", "1s", "--packets", "50", "--pings", "5")
    with Serving() as exporter:
        sending = ("--collector", exporter.url())
        with start(server, *arguments, *sending, "--json") as process:
            out, err = process.communicate(timeout=patience.START_S)

    document = json.loads(out)
    first, *more = document["ramp"]
    assert (first["clients"], [each["clients"] for each in more]) in [(2, [3]), (2, [])]
    assert first["connected"] == 2 or first["broken"]
    assert first["rtt_ms"]["n"] >= 1 or first["broken"]
    assert first["loss_pct"] is not None
    assert first["sent_kbps"] > 10
    assert first["received_kbps"] > 10
    assert first["prober"]["cpu_per_client"] > 0
    assert first["prober"]["memory_per_client_bytes"] > 10_000_000
    [sent] = exporter.behind.ramps
    assert [each.clients for each in sent.tiers] == [each["clients"] for each in document["ramp"]]
    assert (sent.vantage, sent.knee) == ("default", document["knee"])
    ended_well = document["knee"] == "none_within"
    assert ended_well == (not any(each["limited"] or each["broken"] for each in document["ramp"]))
    assert bool(more) or not ended_well
    baseline = document["baseline"]
    assert baseline["rtt_ms"]["n"] + baseline["pings_lost"] + baseline["pings_void"] >= 5
    assert process.returncode == (0 if document["verdict"] == "PASS" else 1)
    assert err.startswith("ramp: 2 clients")
    assert rooms(server) == []


@pytest.mark.long  # a call that is interrupted in test_cli.py leaves by the same steps
def test_interrupted_ramp_leaves_nothing(server: Server) -> None:
    """1. Clients are connected. 2. Ctrl-C. Result: no room, no process, no traceback.

    The tier would last for much longer than the test waits.
    """
    with start(server, "--load", "--ramp", "3", "--duration", "10m", "--packets", "50") as process:
        until(lambda: people(server) >= 3)
        clients = workers(process.pid)
        assert clients
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=patience.WAIT_S)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert rooms(server) == []
    until(lambda: gone(clients), patience.END_S)


def ramp_of(
    server: Server, on_progress: Callable[[RampProgress], None], **config: object
) -> Outcome:
    """Ramp inside this process."""
    settings = RampConfig.model_validate(config)
    deadline = time.monotonic() + settings.deadline
    run = Run("ramptest", server, deadline, on_progress=on_progress)
    return asyncio.run(climb(settings, run))


@pytest.mark.long
def test_server_that_dies_is_a_broken_tier(livekit_program: ServerProgram, tmp_path: Path) -> None:
    """1. A tier is held. 2. The server dies. Result: the tier broke; no error ends the ramp."""
    with LiveKitServer(livekit_program, tmp_path) as running:

        def kill(progress: RampProgress) -> None:
            if progress.round_trip_s is not None:
                running.child.kill()

        outcome = ramp_of(running.server, kill, tiers="2,4", duration=4)

    assert isinstance(outcome.result, Ramp)
    [tier] = outcome.result.tiers
    judged = judge_tier(TierSummary.of(tier), RampConfig().targets)
    assert judged.broken
    assert tier.clients == 2


def test_clients_that_cannot_connect_are_a_figure(server: Server) -> None:
    """Nobody answers them: the tier says so, by the reason, and nothing is raised."""

    async def ramp() -> TierSummary:
        nobody = Server(f"ws://127.0.0.1:{free_port()}", server.api_key, server.api_secret)
        async with (
            Rooms(server, f"{ROOM_PREFIX}refused", lambda _: None) as made,
            RampProcesses(
                nobody, made, ping_interval_s=0.2, connect_timeout_s=3, per_process=10
            ) as processes,
        ):
            assert await processes.grow(2) == 0
            return TierSummary.of(await processes.hold(0.5, lambda _: None))

    summary = asyncio.run(ramp())
    assert (summary.connected, summary.failed) == (0, 2)
    assert [(each.reason, each.clients) for each in summary.failures] == [
        (Reason.CONNECT_FAILED, 2)
    ]
    assert rooms(server) == []


@pytest.mark.long
def test_a_dead_process_limits_its_tier_and_no_other(server: Server) -> None:
    """1. One of two processes is killed. Result: its clients crashed; the next tier is whole."""

    async def ramp() -> tuple[TierSummary, TierSummary]:
        async with (
            Rooms(server, f"{ROOM_PREFIX}killed", lambda _: None) as made,
            RampProcesses(
                server, made, ping_interval_s=0.2, connect_timeout_s=5, per_process=2
            ) as processes,
        ):
            assert await processes.grow(4) == 4
            holding = asyncio.create_task(processes.hold(1.5, lambda _: None))
            await asyncio.sleep(0)
            workers(os.getpid())[0].kill()
            crashed = await holding
            assert await processes.grow(4) == 4
            return TierSummary.of(crashed), TierSummary.of(
                await processes.hold(1.0, lambda _: None)
            )

    crashed, whole = asyncio.run(ramp())
    assert (crashed.connected, crashed.prober.crashed, crashed.prober.processes) == (2, 2, 1)
    assert (whole.connected, whole.prober.crashed, whole.prober.processes) == (4, 0, 2)
    assert whole.pings >= 4
    assert rooms(server) == []


def free_port() -> str:
    """Return a port that nobody uses at this moment."""
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return str(each.getsockname()[1])


@pytest.mark.long
def test_three_vantages_of_which_one_dies(server: Server, tmp_path: Path) -> None:
    """1. Three vantages hold a tier. 2. One is killed. Result: it is told; the others go on.

    The processes and the rooms of the dead one are gone as well. They speak TLS. Who has another
    token is refused, and who does not trust the certificate does not send its own.
    """
    port = free_port()
    authority = Certificates(tmp_path)
    certificate, key = authority.issue("coordinator")
    environ = {
        "VOICE_EXPORTER_DISTRIBUTED__TOKEN": "a-token-of-the-test",
        "VOICE_EXPORTER_DISTRIBUTED__SILENT_TIMEOUT": "3s",
        "VOICE_EXPORTER_RAMP__TARGET_RTT_MS": "1500",
    }
    tls = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    lead = ("--coordinator", "--expect", "3", "--coordinator-port", port, *tls, "--json")
    coordinator = start(server, *lead, "--ramp", "2,4", "--duration", "3s", **environ)
    url = f"https://127.0.0.1:{port}"
    trust = ("--ca-file", str(authority.ca))
    vantages = {
        name: start(server, "--report-to", url, *trust, "--vantage", name, **environ)
        for name in ("iad", "lhr", "sjc")
    }
    for more, why in (
        ((*trust, "--token", "wrong"), "the coordinator expects a different token"),
        ((), "the coordinator's certificate is not trusted"),
    ):
        with start(server, "--report-to", url, "--vantage", "x", *more) as stranger:
            refused, _ = stranger.communicate(timeout=patience.WAIT_S)
        assert (stranger.returncode, why in " ".join(refused.split())) == (1, True), refused

    until(lambda: people(server) >= 6, 60)
    clients = workers(vantages["lhr"].pid)
    assert clients
    vantages["lhr"].kill()
    out, err = coordinator.communicate(timeout=patience.START_S)
    for vantage in vantages.values():
        vantage.communicate(timeout=patience.WAIT_S)

    document = json.loads(out)
    told = {each["vantage"]: each for each in document["vantages"]}
    assert "no report for" in told["lhr"]["lost"]
    assert (told["iad"]["lost"], told["sjc"]["lost"]) == (None, None)
    last = document["combined"][-1]
    assert (last["vantages"], last["tier"]["clients"]) in [(2, 4), (2, 8)]
    assert document["verdict"] != "PASS"
    assert coordinator.returncode == 1
    assert "a-token-of-the-test" not in err
    until(lambda: gone(clients), patience.END_S)
    assert rooms(server) == []


@pytest.mark.long
@pytest.mark.parametrize("first", ["coordinator", "vantage"])
def test_interrupted_distributed_ramp_leaves_nothing(server: Server, first: str) -> None:
    """1. A vantage holds a tier. 2. Ctrl-C at one end. Result: both end at once; nothing is left.

    The tier would last for much longer than the test waits: whoever leads a ramp stops its load.
    """
    port = free_port()
    lead = ("--coordinator", "--expect", "1", "--coordinator-port", port)
    coordinator = start(server, *lead, "--ramp", "2", "--duration", "10m")
    vantage = start(server, "--report-to", f"http://127.0.0.1:{port}", "--vantage", "iad")
    assert vantage.stderr is not None
    assert any("holding 2 clients" in line for line in vantage.stderr)
    assert people(server) == 2
    clients = workers(vantage.pid)
    assert clients

    interrupted = coordinator if first == "coordinator" else vantage
    interrupted.send_signal(signal.SIGINT)
    ends = [process.communicate(timeout=patience.WAIT_S) for process in (coordinator, vantage)]
    if first == "coordinator":
        assert "the coordinator ended the ramp during a tier" in ends[1][0]

    assert interrupted.returncode == 130
    assert "Traceback" not in "".join(err for _, err in ends)
    assert rooms(server) == []
    until(lambda: gone(clients), patience.END_S)
    if first == "vantage":
        assert "interrupted" in ends[0][0]
