"""What a target may set: who calls, from where, and how the agent comes to the room."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.livekit_server import LiveKitServer
from exporter.outcome import Calibration, CallResult, Outcome, Reason, TokenDanger
from exporter.probes.calibrate.spec import CalibrateConfig
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server, ServerApi
from exporter.server_api.records import Participant
from tests import patience
from tests.command import run_here
from tests.integration.scripts import Script
from tests.integration.token_endpoint import endpoint
from tests.integration.voids import measured
from tests.integration.workers import truth_worker

pytestmark = pytest.mark.integration

WELL = (None, Reason.VOID)
"""How a call to a good agent ends; void where the machine was too busy for the prober."""
LEAST_S = 0.02
"""Two Opus packets are on the way between a sound and what is heard of it, at least."""


def run(server: Server, probe: str, config: Any) -> Outcome:
    """Run one probe."""

    async def once() -> Outcome:
        runner = Runner(server, processes=1)
        try:
            return await runner.run(probe, config)
        finally:
            await runner.aclose()

    return asyncio.run(once())


@pytest.mark.long  # test_expecting_agents.py: an agent sees the same
def test_the_caller_appears_as_the_target_says(truth: Server) -> None:
    """Identity, name and attributes are those of the target, in the room that it names."""
    config = LatencyConfig.model_validate(
        {
            "agent_name": "truth",
            "metadata": Script().metadata(),
            "room_name": "front-desk",
            "trials": 1,
            "warmup": False,
            "caller": {"identity": "+15550100", "name": "Ann", "attributes": {"plan": "gold"}},
        }
    )

    async def watch() -> tuple[Outcome, Participant]:
        runner = Runner(truth, processes=1)
        call = asyncio.ensure_future(runner.run("latency", config))
        try:
            async with ServerApi(truth) as api:
                found = await caller_in(api, "front-desk")
            return await call, found
        finally:
            await runner.aclose()

    outcome, caller = asyncio.run(watch())
    assert caller.identity == "+15550100"
    assert caller.name == "Ann"
    assert caller.kind == "standard"
    assert caller.attributes["plan"] == "gold"
    assert outcome.reason in WELL, outcome


@pytest.mark.long  # unit/call/test_dialogue.py has it with a fake agent
def test_an_agent_that_hangs_up_may_end_the_call(truth: Server) -> None:
    """The server passes on that it left by itself: after a measured turn that is no failure."""
    config = LatencyConfig(
        agent_name="truth",
        metadata=Script(goodbye=True).metadata(),
        trials=2,
        warmup=False,
        may_end=True,
    )
    outcome = run(truth, "latency", config)
    assert isinstance(outcome.result, CallResult)
    if measured(outcome.result.turns[:1]):
        assert outcome.reason is None, outcome
        assert len(outcome.result.turns) == 1


async def caller_in(api: ServerApi, room: str) -> Participant:
    """Wait until a standard participant is in the room."""
    deadline = time.monotonic() + patience.START_S
    while time.monotonic() < deadline:
        if await api.list_rooms([room]):
            people = await api.list_participants(room)
            if callers := [each for each in people if each.kind == "standard"]:
                return callers[0]
        await asyncio.sleep(0.05)
    raise AssertionError("no caller came")


@pytest.mark.long
def test_an_agent_without_a_name_joins_by_itself(
    livekit_program: ServerProgram, tmp_path: Path
) -> None:
    """With automatic dispatch nothing is requested, and the agent that comes is measured."""
    with (
        LiveKitServer(livekit_program, tmp_path, name="automatic") as server,
        truth_worker(server.server, tmp_path, ""),
    ):
        # A name is only a label where the agent joins by itself.
        config = LatencyConfig(agent_name="anyone", dispatch="automatic", trials=1)
        outcome = run(server.server, "latency", config)
    assert outcome.reason in WELL, outcome
    assert isinstance(outcome.result, CallResult)
    assert outcome.result.time_to_agent_s is not None or "in the room before" in str(outcome.log)
    for turn in measured(outcome.result.turns):
        assert turn.e2e_s is not None
        assert turn.e2e_s > Script().delay_s


@pytest.mark.long
def test_an_utterance_of_ones_own_is_said(truth: Server, tmp_path: Path) -> None:
    """A WAV file of another rate is played, and its end of speech is where the delay begins."""
    from tests.unit.call.test_clip import encoded, write  # noqa: PLC0415

    raw = encoded(width=2, channels=2, rate=16_000)
    wav = write(tmp_path / "own.wav", raw, rate=16_000, channels=2)
    config = LatencyConfig.model_validate(
        {
            "agent_name": "truth",
            "metadata": Script().metadata(),
            "utterance": {"wav": wav, "transcript": "a tone"},
            "trials": 2,
        }
    )
    outcome = run(truth, "latency", config)
    assert outcome.reason in WELL, outcome
    assert isinstance(outcome.result, CallResult)
    for turn in measured(outcome.result.turns):
        assert turn.e2e_s is not None
        assert turn.e2e_s > Script().delay_s


def test_the_floor_is_measured_with_its_n(livekit: Server) -> None:
    """A calibration shows floor, spread and how many turns they rest on."""
    outcome = run(livekit, "calibrate", CalibrateConfig(calls=1, trials=2))
    assert outcome.reason in WELL, outcome
    if outcome.reason is None:
        assert isinstance(outcome.result, Calibration)
        assert outcome.result.floor_s > LEAST_S
        assert outcome.result.spread_s >= 0
        assert outcome.result.n + outcome.result.voids == 2


@pytest.mark.long  # unit/call/test_token.py
def test_a_call_by_the_token_of_an_endpoint(truth: Server, tmp_path: Path) -> None:
    """Its room configuration calls the agent; time and dangerous claims are in the document."""
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer ours")
    with endpoint(truth, "truth") as (url, rooms):
        flags = ["--token-url", url, "--dispatch", "token", "--trials", "1", "--no-warmup"]
        flags += ["--greeting", "none", "--token-headers-file", str(headers)]
        _, out, err = run_here(truth, "latency", "--agent", "truth", *flags, "--json")
    [call] = json.loads(out)["latency"]
    assert call["time_to_agent_s"] > 0, (call, err)
    assert len(call["turns"]) == 1
    token = call["token"]
    assert 0 < token["fetch_s"] < 5
    assert token["dangers"] == [TokenDanger.ROOM_ADMIN, TokenDanger.LONG_LIVED]
    assert token["dispatches"] == ["truth"]
    assert rooms[0] == f"voice-exporter-{call['run_id']}"
