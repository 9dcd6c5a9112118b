"""When the agent came: an arrival counts from the moment in which the caller is in the room."""

import asyncio

import pytest
from livekit import rtc

from exporter.rtc.caller import Caller
from exporter.rtc.tracks import Devices
from tests import virtual_time
from tests.fake_call.devices import FakeMicrophone, ear_on
from tests.fake_call.room import FakeParticipant, FakeRoom
from tests.virtual_time import Clock

PUBLISHING_S = 0.4
"""The agent comes half way through it."""


class _SlowMicrophone(FakeMicrophone):
    """Takes its time to be published, and lets the agent in meanwhile."""

    def __init__(self, room: FakeRoom, agent: FakeParticipant) -> None:
        super().__init__(lambda _at, _pcm: None)
        self._room = room
        self._agent = agent

    async def publish(self, participant: rtc.LocalParticipant, name: str = "microphone") -> None:
        """Publish, as slowly as a server may answer."""
        await asyncio.sleep(PUBLISHING_S / 2)
        self._room.enter(self._agent)
        await asyncio.sleep(PUBLISHING_S / 2)
        await super().publish(participant, name)


@pytest.mark.parametrize("there_before", [False, True])
def test_an_agent_that_comes_while_the_caller_publishes_has_arrived(there_before: bool) -> None:
    """Only one that was in the room when the caller entered has no arrival."""

    async def story(clock: Clock) -> None:
        room, agent = FakeRoom(), FakeParticipant("agent-1", {})
        microphone: FakeMicrophone = _SlowMicrophone(room, agent)
        if there_before:
            room.has_already(agent)
            microphone = FakeMicrophone(lambda _at, _pcm: None)
        devices = Devices(lambda: room, lambda: microphone, ear_on)
        caller = Caller(lambda _person: True, devices=devices)
        began = clock()
        try:
            inside = await caller.connect("ws://livekit.test", "token", 10.0)
            arrived = await caller.meet(1.0)
            assert arrived is not None
            assert inside == began
            assert caller.was_there == there_before
            if not there_before:
                assert arrived - began == pytest.approx(PUBLISHING_S / 2)
        finally:
            await caller.leave()

    virtual_time.run(story)
