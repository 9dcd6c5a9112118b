"""`check` on a real server: one verdict over an agent of known latency and the SFU."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.livekit_server import LiveKitServer
from exporter.report.latency import NONE_FOUND
from exporter.server_api import Server
from tests.command import run_here
from tests.integration.scripts import Script
from tests.integration.workers import truth_worker
from tests.patience import AT_EASE

pytestmark = pytest.mark.integration

VOID = re.compile(r"(latency|sfu): UNKNOWN: (truth: )?void: the prober")
"""A reason that the prober itself gives."""

SFU = {"pings": 20, "packets": 200, **AT_EASE}


@pytest.fixture(scope="module", name="server")
def _server(
    livekit_program: ServerProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with one worker, `truth`, whose agent does what the metadata says."""
    folder = tmp_path_factory.mktemp("check")
    with (
        LiveKitServer(livekit_program, folder) as running,
        truth_worker(running.server, folder, "truth"),
    ):
        yield running.server


@pytest.fixture(name="quick")
def _quick(tmp_path: Path) -> str:
    """A configuration under which a check takes no longer than it must."""
    path = tmp_path / "quick.yaml"
    path.write_text(json.dumps({"sfu": SFU}))
    return str(path)


@pytest.mark.long  # test_cli.py runs it, and unit/test_check_report.py has the verdict
def test_all_is_well(server: Server, quick: str) -> None:
    """An agent that answers in time and a fast network: PASS, exit status 0, each verdict told.

    Where the prober was too late on a busy machine the whole is UNKNOWN, by its own word.
    """
    script = Script(delay_s=0.5).metadata()
    arguments = ("--config", quick, "--agent", "truth", "--metadata", script)
    status, out, _ = run_here(server, "check", "--json", *arguments)
    document = json.loads(out)
    verdicts = [document[part]["verdict"] for part in ("agents", "latency", "sfu")]
    spoiled = [each for each in document["reasons"] if VOID.match(each)]
    assert document["reasons"] == spoiled
    assert verdicts.count("PASS") == len(verdicts) - len(spoiled)
    assert (status, document["verdict"]) == ((1, "UNKNOWN") if spoiled else (0, "PASS"))
    [call] = document["latency"]["latency"]
    assert call["agent_name"] == "truth"
    assert call["stats"]["n"] + sum(turn["outcome"] == "void" for turn in call["turns"]) >= 2
    assert (
        document["sfu"]["baseline"]["rtt_ms"]["n"] + document["sfu"]["baseline"]["pings_void"] >= 10
    )


@pytest.mark.long
def test_a_mute_agent_fails_the_whole(server: Server, tmp_path: Path) -> None:
    """The worst wins, verdict and reason come first, and the SFU is still measured.

    The agent is in no room: it is called because it is configured.
    """
    target = {"agent_name": "truth", "metadata": Script(mute=True).metadata(), "warmup": False}
    config = {"sfu": SFU, "targets": [target | {"reply_timeout": 2}]}
    path = tmp_path / "mute.yaml"
    path.write_text(json.dumps(config))
    status, out, _ = run_here(server, "check", "--config", str(path), "--trials", "1")
    lines = out.splitlines()
    assert status == 1
    assert lines[:2] == ["VERDICT: FAIL", "agents: PASS"]
    assert lines[2].startswith("latency: FAIL: truth: no_reply: silence for ")
    assert lines[3] == "sfu: PASS"


@pytest.mark.long  # test_cli.py has it of `latency`, which finds its agents in the same way
def test_no_agent_anywhere_is_no_pass(server: Server, quick: str) -> None:
    """Where nothing was called nothing is known: UNKNOWN, and exit status 1."""
    status, out, _ = run_here(server, "check", "--json", "--config", quick)
    document = json.loads(out)
    assert (status, document["verdict"]) == (1, "UNKNOWN")
    assert (document["latency"]["verdict"], document["sfu"]["verdict"]) == ("UNKNOWN", "PASS")
    assert document["reasons"] == [f"latency: UNKNOWN: {NONE_FOUND}"]
