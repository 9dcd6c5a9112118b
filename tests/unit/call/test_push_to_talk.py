"""Agents that are told by RPC when the caller's turn begins and ends."""

import pytest

from exporter.outcome import Reason, Turn
from tests.fake_call.calls import converse
from tests.fake_call.script import Script

TALK = ("start_turn", "end_turn")
RPCS = {"start_rpc": TALK[0], "end_rpc": TALK[1]}


def turns(script: Script, **settings: str) -> list[Turn]:
    """Return two turns with an agent."""
    return converse(script, turns=2, reply_timeout=3, turn=settings).turns


def test_an_agent_with_push_to_talk_is_measured() -> None:
    """The first RPC comes before the utterance, the second when its last sample has left."""
    found = turns(Script(push_to_talk=TALK), **RPCS)
    assert [turn.e2e_s for turn in found] == pytest.approx([1.0] * 2, abs=0.001)


def test_without_its_rpcs_it_does_not_reply() -> None:
    """It does not listen."""
    assert [turn.reason for turn in turns(Script(push_to_talk=TALK))] == [Reason.NO_REPLY] * 2


@pytest.mark.parametrize(
    ("rpcs", "name"),
    [
        pytest.param({"start_rpc": "begin_turn"}, "begin_turn", id="start"),
        pytest.param({"start_rpc": "start_turn", "end_rpc": "stop_turn"}, "stop_turn", id="end"),
    ],
)
def test_an_rpc_that_fails_is_the_reason(rpcs: dict[str, str], name: str) -> None:
    """Each turn fails at once, and the line names the method."""
    found = turns(Script(push_to_talk=TALK), **rpcs)
    detail = f"the agent did not take the RPC {name!r}: Method not supported at destination"
    assert [(turn.reason, turn.detail) for turn in found] == [(Reason.AGENT_ERROR, detail)] * 2
