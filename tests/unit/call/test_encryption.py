"""A caller with a key knows whether it can decrypt what the agent says."""

import asyncio

import pytest
from livekit import rtc

from exporter.errors import ProbeError
from exporter.outcome import Reason
from exporter.rtc.caller import Caller
from exporter.rtc.tracks import Devices
from tests import virtual_time
from tests.fake_call.devices import FakeMicrophone, ear_on
from tests.fake_call.room import FakeParticipant, FakeRoom

DECRYPTED, FAILED = rtc.EncryptionState.OK, rtc.EncryptionState.DECRYPTION_FAILED
ANOTHER = "the agent's audio cannot be decrypted with the key in livekit.e2ee_key_file"


def why_not(*states: tuple[str, rtc.EncryptionState.ValueType], packets: bool = True) -> str:
    """Return why a caller with a key cannot decrypt, by what the SDK said of whom; or ""."""

    async def story(_clock: virtual_time.Clock) -> str:
        room, agent = FakeRoom(), FakeParticipant("agent", {})
        devices = Devices(lambda: room, lambda: FakeMicrophone(lambda *_: None), ear_on)
        caller = Caller(lambda _: True, devices=devices)
        await caller.connect("ws://livekit.test", "token", 10.0, "key")
        room.enter(agent)
        track = room.publish(agent, encrypted=True)
        if not packets:
            track.stall()
        await caller.meet(1.0)
        await caller.listen(1.0)
        await asyncio.sleep(1.0)
        for whose, state in states:
            room.emit("e2ee_state_changed", agent if whose == "agent" else None, state)
        try:
            await caller.check_key()
        except ProbeError as error:
            return str(error)
        finally:
            await caller.leave()
        return ""

    return virtual_time.run(story)


@pytest.mark.parametrize("state", [("us", DECRYPTED), ("agent", FAILED)])
def test_nothing_decrypted_is_another_key(state: tuple[str, rtc.EncryptionState.ValueType]) -> None:
    """Silence is what is heard then; that we encrypt ourselves says nothing."""
    assert why_not() == why_not(state) == f"{Reason.ENCRYPTED}: {ANOTHER}"


def test_one_frame_decrypted_is_the_right_key() -> None:
    """Whatever came before it."""
    assert why_not(("agent", FAILED), ("agent", DECRYPTED)) == ""


def test_an_agent_of_which_nothing_came_may_have_the_right_key() -> None:
    """Nothing was there to be decrypted: it is as silent as any other."""
    assert why_not(packets=False) == ""
