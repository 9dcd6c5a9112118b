"""Agents that expect something of their caller: a participant of the real SDK, on a real server."""

from pathlib import Path

import pytest
from livekit import rtc

from exporter.outcome import CallResult, Reason
from exporter.probes.calibrate.echo import Answer
from exporter.probes.latency.conversation import TORN
from exporter.rtc.tracks import Microphone
from exporter.server_api import Server
from tests.integration.own_agent import DELAY_S, REPLY, call, target
from tests.integration.voids import assert_late, measured
from tests.lateness import watching

pytestmark = pytest.mark.integration

START, END = "start_turn", "end_turn"


class PushToTalk:
    """Replies only to what was said between two RPCs."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def set_up(self, participant: rtc.LocalParticipant) -> None:
        """Register the two methods."""
        for method in (START, END):
            participant.register_rpc_method(method, self._note)

    def answer(self, _room: rtc.Room) -> Answer:
        """Return what it does at the end of an utterance."""

        async def reply(microphone: Microphone, heard: float) -> None:
            if self.told[-2:] == [START, END]:
                await REPLY(microphone, heard)

        return reply

    async def _note(self, call: rtc.RpcInvocationData) -> str:
        self.told.append(call.method)
        return ""


@pytest.mark.long  # unit/call/test_push_to_talk.py has it with a fake agent
def test_push_to_talk(livekit: Server) -> None:
    """The two RPCs reach the agent around each utterance, and its replies are measured."""
    agent = PushToTalk()
    config = target("push-to-talk", turn={"start_rpc": START, "end_rpc": END})
    outcome = call(livekit, config, agent.answer, set_up=agent.set_up)
    assert isinstance(outcome.result, CallResult)
    turns = outcome.result.turns
    assert agent.told[:2] == [START, END]
    assert all(turn.e2e_s and turn.e2e_s > DELAY_S for turn in measured(turns))


@pytest.mark.long  # unit/call/test_push_to_talk.py has it with a fake agent
def test_an_rpc_that_the_agent_does_not_have(livekit: Server) -> None:
    """The turn fails, and the line names the method."""
    config = target("no-such-rpc", turn={"start_rpc": "begin"})
    outcome = call(livekit, config)
    assert outcome.reason is Reason.AGENT_ERROR, outcome
    words = "Method not supported at destination"
    assert outcome.detail == f"the agent did not take the RPC 'begin': {words}"


def test_what_an_agent_can_read_of_its_caller(livekit: Server) -> None:
    """Who the caller is, with kind, metadata and attributes; and the metadata of the room."""
    seen: list[tuple[object, ...]] = []

    def answer(room: rtc.Room) -> Answer:
        async def note(microphone: Microphone, heard: float) -> None:
            for each in room.remote_participants.values():
                number = each.attributes.get("sip.phoneNumber")
                who = each.identity, each.name, each.kind, each.metadata
                seen.append((*who, number, room.metadata))
            await REPLY(microphone, heard)

        return note

    caller = {"kind": "sip", "metadata": "gold", "attributes": {"sip.phoneNumber": "+15550100"}}
    caller |= {"identity": "ann-1", "name": "Ann"}
    config = target("expecting", caller=caller, room={"metadata": '{"tenant": "a"}'})
    outcome = call(livekit, config, answer)
    sip = rtc.ParticipantKind.PARTICIPANT_KIND_SIP
    expected = ("ann-1", "Ann", sip, "gold", "+15550100", '{"tenant": "a"}')
    assert seen[0] == expected, outcome
    assert len(set(seen)) == 1


@pytest.mark.long  # unit/call/test_endings.py has it with a fake agent
@pytest.mark.whole_machine
@pytest.mark.parametrize("follow", [False, True])
def test_an_agent_that_hands_over(follow: bool, livekit: Server, tmp_path: Path) -> None:
    """Others are told late that it has left; the turns go on with the second, if they may."""
    config = target(f"hand-over-{follow}".lower(), follow=follow, trials=2)
    with watching(tmp_path) as watch:
        outcome = call(livekit, config, None)
    assert isinstance(outcome.result, CallResult)
    turns = outcome.result.turns
    if any(turn.detail == TORN for turn in turns):  # nothing more was said, so nobody handed over
        assert_late([outcome], watch, [turn for turn in turns if turn not in measured(turns)])
    elif follow:
        assert len(turns) == 3, outcome
        assert all(turn.e2e_s and turn.e2e_s > DELAY_S for turn in measured(turns))
        assert any("another agent takes over" in line for line in outcome.log), outcome
    else:
        assert outcome.reason is Reason.AGENT_LEFT, outcome
        assert outcome.detail.endswith("another agent is there")
