"""A dialogue with a real agent: a tool, a hand-over, and what it does not do."""

import asyncio
import json

import pytest

from exporter.demo.settings import Answer
from exporter.outcome import CallResult, ExpectationOutcome, Outcome, Reason
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests import patience

pytestmark = [pytest.mark.integration, pytest.mark.whole_machine]

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


def talk(server: Server) -> Outcome:
    """Place the call."""
    config = LatencyConfig.model_validate(
        {
            "agent_name": "demo",
            "join_timeout": patience.WAIT_S,
            "reply_timeout": 30,
            "metadata": json.dumps({"llm": {"turns": [each.model_dump() for each in ANSWERS]}}),
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


def test_a_real_agent_is_held_to_a_script(livekit: Server, providers: str) -> None:
    """Two steps come out as expected; in the third one nothing does, which fails the run."""
    del providers  # only has to run
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
