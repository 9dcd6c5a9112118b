"""The one-shot commands against a real server, as a person or a script runs them.

Most run in this process; where a signal, a pipe or an event loop of the test's own is in play, in a
process of their own.
"""

import asyncio
import json
import os
import re
import signal
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from livekit import rtc

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.livekit_server import LiveKitServer
from exporter.probe import ROOM_PREFIX
from exporter.report.agents import NO_ROSTER
from exporter.report.latency import NONE_FOUND
from exporter.server_api import Server, ServerApi, make_token
from tests.command import run, run_here, start
from tests.patience import END_S, START_S, until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", name="server")
def _server(
    livekit_program: ServerProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server of this file's own, on which no agent is unless a test brings it."""
    with LiveKitServer(livekit_program, tmp_path_factory.mktemp("cli")) as running:
        yield running.server


OTHERS = ("agents", "calibrate")
"""Commands that ask the same server API as `latency` does."""


def rooms(server: Server) -> list[str]:
    """Return the names of the rooms of calls."""

    async def ask() -> list[str]:
        async with ServerApi(server) as api:
            return [name for name in await api.list_rooms() if name.startswith(ROOM_PREFIX)]

    return asyncio.run(ask())


def test_agents_of_an_empty_server(server: Server) -> None:
    """A server without agents is a good answer: exit status 0, and a note on what is unknown."""
    assert run_here(server, "agents") == (
        0,
        f"0 agents active in 0 rooms.\nLooked at the rooms of {server.url}.\n",
        [f"voice-exporter: {NO_ROSTER}"],
    )


def test_agents_as_json(server: Server) -> None:
    """`agents --json` prints one document and nothing else."""
    status, out, err = run_here(server, "agents", "--json")
    assert (status, json.loads(out)) == (0, {"in_room": [], "workers": []})
    assert err == [f"voice-exporter: {NO_ROSTER}"]


def test_latency_saves_the_call(server: Server, tmp_path: Path) -> None:
    """A call that nobody answers as well: its log, its timeline, and the silence that was heard."""
    options = ("--agent", "ghost", "--join-timeout", "2s", "--json", "--save", str(tmp_path / "in"))
    status, out, _ = run_here(server, "latency", *options)
    [call] = json.loads(out)["latency"]
    assert (status, call["reason"]) == (1, "no_worker")
    evidence = call["evidence"]
    assert evidence["length_s"] > 1.0
    assert (tmp_path / "in" / evidence["sound"]).read_bytes().startswith(b"fLaC")


# `check` writes its report by the same steps as `latency`.
@pytest.mark.parametrize("command", [pytest.param("latency", marks=pytest.mark.long), "check"])
def test_a_report_has_the_call(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Picture and sound of a call that nobody answers; nothing else of it stays on the disk."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file, config = tmp_path / "report.html", tmp_path / "exporter.yaml"
    config.write_text(
        json.dumps(
            {
                "targets": [{"agent_name": "ghost", "join_timeout": "2s"}],
                "sfu": {"pings": 5, "packets": 50},
            }
        )
    )
    options = ("--agent", "ghost", "--config", str(config), "--json", "--html", str(file))
    status, out, _ = run_here(server, command, *options)
    document = json.loads(out)
    [call] = (document if command == "latency" else document["latency"])["latency"]
    assert (status, call["reason"], call["evidence"]) == (1, "no_worker", None)
    page = file.read_text("utf-8")
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg"') == 1
    [sound] = re.findall(r'src="data:audio/flac;base64,([^"]+)"', page)
    assert b64decode(sound).startswith(b"fLaC")
    assert set(tmp_path.iterdir()) == {file, config}


def test_a_folder_that_cannot_be_made_is_one_line(server: Server, tmp_path: Path) -> None:
    """Nobody is called then."""
    (tmp_path / "file").touch()
    folder = str(tmp_path / "file" / "in")
    status, _, err = run_here(server, "latency", "--agent", "ghost", "--save", folder)
    assert (status, err) == (
        2,
        [f"voice-exporter: --save: '{folder}' cannot be made: Not a directory"],
    )


def test_latency_finds_no_agent(server: Server) -> None:
    """Without an agent in any room nothing is called, which is UNKNOWN and not a pass."""
    status, out, err = run_here(server, "latency", "--json")
    document = json.loads(out)
    assert (status, document["latency"], document["verdict"]) == (1, [], "UNKNOWN")
    assert err == ["looking for agents", NONE_FOUND]


def test_latency_calls_the_agents_it_finds(server: Server) -> None:
    """Without --agent every agent that is in a room is called, each once."""

    async def find_it() -> tuple[int, str, list[str]]:
        client = rtc.Room()
        token = make_token(
            server,
            identity="agent-1",
            room="somewhere",
            kind="agent",
            attributes={"lk.agent_name": "lonely"},
        )
        await client.connect(server.url, token, rtc.RoomOptions(auto_subscribe=False))
        try:
            arguments = ("latency", "--json", "--trials", "1", "--join-timeout", "2s")
            return await asyncio.to_thread(run, server, *arguments)
        finally:
            await client.disconnect()

    status, out, err = asyncio.run(find_it())
    [item] = json.loads(out)["latency"]
    assert (status, item["agent_name"], item["verdict"]) == (1, "lonely", "FAIL")
    assert item["turns"][-1]["reason"] == "no_worker"
    assert err[0] == "looking for agents"
    assert err[2] == "calling lonely (2 turns)"


def test_latency_of_an_agent_without_a_worker(server: Server) -> None:
    """A call that nobody takes is FAIL with its reason in the table, and leaves no room."""
    status, out, err = run_here(
        server, "latency", "--agent", "nobody", "--trials", "1", "--join-timeout", "2s"
    )
    lines = out.splitlines()
    assert status == 1
    assert lines[1].split()[:3] == ["nobody", "default", "0"]
    assert lines[2].startswith("nobody: call failed: no_worker: ")
    assert lines[-1] == "VERDICT: FAIL"
    assert err == [
        "voice-exporter: each turn is a real agent turn and costs what its providers charge",
        "calling nobody (2 turns)",
    ]
    assert rooms(server) == []


@pytest.mark.parametrize(
    "command", ["latency", *(pytest.param(each, marks=pytest.mark.long) for each in OTHERS)]
)
@pytest.mark.parametrize(
    ("change", "reason"),
    [({"url": "ws://127.0.0.1:1"}, "connect_failed"), ({"api_secret": "x" * 32}, "auth_failed")],
    ids=["unreachable", "refused"],
)
def test_server_that_does_not_serve_us(
    server: Server, command: str, change: dict[str, str], reason: str
) -> None:
    """No connection and refused credentials are one line with the reason, never a traceback."""
    status, out, err = run_here(replace(server, **change), command)
    told = [line for line in (*out.splitlines(), *err) if f": {reason}: " in line]
    assert (status, len(told)) == (1, 1)
    assert "Traceback" not in out + "".join(err)


@pytest.mark.parametrize(
    ("number", "status"),
    [
        pytest.param(signal.SIGINT, 130, id="Ctrl-C"),
        # unit/test_once.py has it of work without a process.
        pytest.param(signal.SIGTERM, 143, id="SIGTERM", marks=pytest.mark.long),
    ],
)
def test_interrupted_call_leaves_nothing(server: Server, number: int, status: int) -> None:
    """An interrupted call cleans up and says so.

    1. A call waits for its agent. 2. The signal arrives; a terminal sends Ctrl-C to the probe
    processes, too. Result: the room is deleted, the exit status names the signal, and there is
    no traceback.
    """
    with start(server, "latency", "--agent", "nobody", "--join-timeout", "600s") as process:
        try:
            until(lambda: rooms(server) or process.poll() is not None, START_S, "the call's room")
            assert process.poll() is None
            if number == signal.SIGINT:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
            out, err = process.communicate(timeout=END_S)
        finally:
            process.kill()  # nothing if it has ended
    assert (process.returncode, out) == (status, "")
    assert "Traceback" not in err
    until(lambda: not rooms(server), END_S, "the room to be deleted")


def test_output_that_nobody_reads(server: Server) -> None:
    """1. stdout is a pipe. 2. Its reader leaves. Result: no PASS, no traceback, no room."""
    with start(server, "agents") as process:
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        err = process.stderr.read()
        status = process.wait(END_S)
    assert status != 0
    assert "Traceback" not in err
    assert rooms(server) == []
