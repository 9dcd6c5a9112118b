"""The stream that is sent ends in order."""

import asyncio

from exporter.rtc.levels import Pcm
from exporter.rtc.voice import LAST_PUSH_S, Voice
from tests import virtual_time
from tests.virtual_time import Clock


def test_the_last_push_is_answered_before_the_end() -> None:
    """The SDK may crash where a process ends in the middle of one."""
    answered: list[bool] = []

    async def story(_: Clock) -> None:
        async def capture(_: Pcm) -> None:
            answered.append(False)
            await asyncio.sleep(0.08)
            answered[-1] = True

        voice = Voice(capture)
        voice.begin()
        await asyncio.sleep(0.1)
        await voice.aclose()

    virtual_time.run(story)
    assert answered == [True, True]


def test_an_sdk_that_does_not_answer_holds_nobody_up() -> None:
    """The stream ends all the same."""

    async def story(clock: Clock) -> float:
        voice = Voice(lambda _: asyncio.Event().wait())  # type: ignore[arg-type, return-value] # never returns
        voice.begin()
        began = clock()
        await voice.aclose()
        return clock() - began

    assert virtual_time.run(story) <= LAST_PUSH_S
