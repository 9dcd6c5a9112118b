"""Conversations with the demo's agent, which was told what to do: each is told as it was.

bench/conversation.py has the figures of many turns, with their real bounds.
"""

import asyncio
import json
from dataclasses import asdict, replace
from pathlib import Path

import httpx
import pytest

from bench.conversation import STAGES
from exporter.demo.counts import Counts
from exporter.demo.settings import Answer
from exporter.outcome import (
    CallResult,
    ExpectationOutcome,
    Outcome,
    Reason,
    SilentStage,
    Turn,
    TurnOutcome,
)
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests import patience
from tests.integration.voids import assert_late, measured
from tests.lateness import watching

pytestmark = pytest.mark.integration

TOOL_S, LONG_TOOL_S = 1.0, 2.0
OVERHEAD_S = 0.5
"""What a busy machine may add to the agent's own steps."""
TURNS = (
    Answer(reply=""),
    Answer(tool="look_up_order", tool_s=TOOL_S, reply="Yes."),
    Answer(tool="look_up_order", tool_s=LONG_TOOL_S, filler="One moment.", reply="No."),
)

ANSWERS = (
    Answer(tool="look_up_order", reply="It left the house this morning."),
    Answer(tool="call_colleague", reply="Hello."),
)
SCRIPT = (
    {"expect": {"tool": "look_up_order", "words": ["left the house"], "not_words": ["sorry"]}},
    {"expect": {"handoff": "colleague", "tool": "call_colleague"}},
    {"expect": {"handoff": "shop_agent", "words": ["zebra"]}},
)
MET = (*("words", "not_words", "tool"), *("tool", "handoff"))
ROOM = "a-dialogue"
REQUESTS = 5
"""To the language model: a turn with a tool asks twice."""


def turns_of(server: Server, folder: Path, metadata: str, trials: int) -> tuple[Turn, ...]:
    """Call the demo's agent, and return all turns; a void one was spoiled by the machine."""

    async def place() -> Outcome:
        runner = Runner(server, processes=1)
        try:
            config = LatencyConfig(
                agent_name="demo",
                metadata=metadata,
                trials=trials,
                warmup=False,
                greeting="none",
                join_timeout=patience.WAIT_S,
                reply_timeout=6,
            )
            return await runner.run("latency", config)
        finally:
            await runner.aclose()

    with watching(folder) as watch:
        outcome = asyncio.run(place())
        assert isinstance(outcome.result, CallResult), outcome
        turns = outcome.result.turns
        voids = [turn for turn in turns if turn.outcome is TurnOutcome.VOID]
        assert not measured(voids)
        assert_late([outcome], watch, voids)
    assert len(turns) == trials, outcome
    return turns


@pytest.mark.long  # test_demo_abilities.py has the same by other ways
def test_silence_a_tool_and_a_filler(livekit: Server, providers: str, tmp_path: Path) -> None:
    """A turn that broke has its stage; a tool and a filler have their time in the turns after."""
    del providers  # only has to run
    settings = {"llm": {"turns": [each.model_dump() for each in TURNS]}}
    silent, tool, filler = turns_of(livekit, tmp_path, json.dumps(settings), len(TURNS))

    if silent.outcome is not TurnOutcome.VOID:
        assert_broke_at(SilentStage.NO_ANSWER, silent)
    if measured([tool]):
        assert tool.components.tools_s is not None
        assert TOOL_S <= tool.components.tools_s <= TOOL_S + OVERHEAD_S
        assert tool.components.transport_s is not None
        assert (tool.implausible, tool.time_to_answer_s, tool.silent_stage) == ((), None, None)
    if measured([filler]):
        assert filler.e2e_s is not None
        assert filler.answered_s is not None
        assert filler.components.tools_s is not None
        between_s = filler.answered_s - filler.e2e_s
        assert LONG_TOOL_S <= filler.components.tools_s <= LONG_TOOL_S + OVERHEAD_S
        # The filler is spoken after the tool's begin, the answer after its end and a request.
        assert between_s >= LONG_TOOL_S - OVERHEAD_S
        assert (filler.implausible, filler.silent_stage) == ((), None)


@pytest.mark.long
@pytest.mark.parametrize("stage", STAGES)
def test_where_a_turn_broke(
    stage: SilentStage, livekit: Server, providers: str, tmp_path: Path
) -> None:
    """Each stage that an agent can break at is named, in the first turn and in the one after."""
    del providers
    for turn in turns_of(livekit, tmp_path, STAGES[stage].model_dump_json(), 2):
        if turn.outcome is not TurnOutcome.VOID:
            assert_broke_at(stage, turn)


def assert_broke_at(stage: SilentStage, turn: Turn) -> None:
    """Assert that a turn had no reply, and that this was the first stage that did not happen."""
    assert (turn.outcome, turn.reason) == (TurnOutcome.FAILED, Reason.NO_REPLY), turn
    assert turn.silent_stage is stage, turn
    reached = [
        turn.stages.heard_s,
        turn.stages.transcribed_s,
        turn.stages.turn_ended_s,
        turn.stages.speaking_s,
    ]
    happened = list(SilentStage).index(stage)
    assert [at is not None for at in reached] == [n < happened for n in range(4)], turn


def talk(server: Server) -> Outcome:
    """Hold the dialogue in a room of that name."""
    llm = {"turns": [each.model_dump() for each in ANSWERS], "cached_tokens": 3}
    config = LatencyConfig.model_validate(
        {
            "agent_name": "demo",
            "join_timeout": patience.WAIT_S,
            "reply_timeout": 30,
            "metadata": json.dumps({"llm": llm}),
            "room_name": ROOM,
            "script": SCRIPT,
        }
    )

    async def place() -> Outcome:
        runner = Runner(server, processes=1)
        try:
            return await runner.run("latency", config)
        finally:
            await runner.aclose()

    return asyncio.run(place())


@pytest.mark.long  # unit/call/test_expectations.py; test_demo_abilities.py
def test_a_real_agent_is_held_to_a_script(livekit: Server, providers: str) -> None:
    """Two steps come out as expected; in the third one nothing does, which fails the run.

    Whatever came of it, the call has used what the providers delivered to it.
    """
    outcome = talk(livekit)
    call = outcome.result
    assert isinstance(call, CallResult), outcome
    assert len(call.turns) == len(SCRIPT)
    met = call.expected(ExpectationOutcome.MET)
    assert tuple(each.kind for each in met) == MET, outcome
    missed = call.expected(ExpectationOutcome.MISSED)
    assert [each.kind for each in missed] == ["words", "handoff"], outcome
    assert outcome.reason is Reason.UNEXPECTED_ANSWER
    assert outcome.detail == "step 3: words missed; step 3: handoff missed"
    answer = httpx.get(f"{providers}/counts", params={"room": ROOM})
    counted = Counts(**answer.raise_for_status().json())
    assert counted.llm_cached == 3 * REQUESTS
    (used,) = call.usage  # all three models are called `demo`
    assert used.stt_seconds == pytest.approx(counted.stt_seconds)
    as_counted = {"model": "demo", **asdict(counted)}
    assert asdict(replace(used, stt_seconds=counted.stt_seconds)) == as_counted
