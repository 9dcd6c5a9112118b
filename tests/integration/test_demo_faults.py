"""Each way to break the demo's agent shows in a call to it, where the demo says that it shows."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.demo.breaking import FAULTS, mend_agent
from exporter.server_api import Server
from tests.command import run_here

# unit/test_demo_breaking.py has what is set and mended.
pytestmark = [pytest.mark.integration, pytest.mark.long]

QUICKLY = ("--trials", "1", "--no-warmup", "--reply-timeout", "6s", "--join-timeout", "6s")


@pytest.fixture(name="broken")
def _broken(providers: str) -> Iterator[str]:
    """The providers of the demo, whose agent is mended after the test."""
    yield providers
    mend_agent(providers)


@pytest.mark.parametrize(
    "name",
    [name for name in FAULTS if name != "rude"],
)
def test_a_fault_shows_in_the_next_call(livekit: Server, broken: str, name: str) -> None:
    """The one who calls finds the cause; of `rude`, the tests of the agent's abilities do."""
    status, out, _ = run_here(livekit, "demo", "break", name, "--providers", broken)
    assert (status, f"shown by {FAULTS[name].shown}" in out) == (0, True)
    _, document, _ = run_here(livekit, "latency", "--agent", "demo", "--json", *QUICKLY)
    (call,) = json.loads(document)["latency"]
    (turn,) = call["turns"]
    if turn["outcome"] == "void":
        assert call["verdict"] == "UNKNOWN"
    else:
        _check(name, call, turn)


def _check(name: str, call: dict[str, Any], turn: dict[str, Any]) -> None:
    match name:
        case "slow":
            assert (call["verdict"], turn["components"]["llm_s"] > 2) == ("SLOW", True)
        case "deaf":
            assert (turn["reason"], turn["silent_stage"]) == ("no_reply", "not_heard")
        case "dead":
            assert turn["reason"] == "no_worker"
        case "noisy":
            assert turn["reply"]["clipped_ratio"] > 0.02
