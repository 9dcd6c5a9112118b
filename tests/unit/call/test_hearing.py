"""Audio crosses the SDK in the frames that were asked for, and is looked at in finer windows."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from livekit import rtc

from exporter.errors import ProbeError
from exporter.outcome import Reason
from exporter.probes.calibrate.echo import buzz
from exporter.rtc.hearing import Hearing
from exporter.rtc.levels import RATE, WINDOW, Pcm
from exporter.rtc.sample_clock import FRAME_MS
from exporter.rtc.tracks import Ear
from tests import virtual_time
from tests.virtual_time import Clock

FRAME = RATE * FRAME_MS // 1000


async def frames_of(*sounds: Pcm) -> AsyncIterator[Pcm]:
    """Deliver them, and then nothing more."""
    for sound in sounds:
        yield sound
    await asyncio.Event().wait()


def test_a_frame_is_split_into_windows() -> None:
    """A sound that begins inside a frame is found to the sample."""

    async def story(_: Clock) -> tuple[int, int]:
        pcm = np.zeros(2 * FRAME, np.int16)
        pcm[FRAME + 5 * WINDOW + 7 :] = buzz(1.0)[: FRAME - 5 * WINDOW - 7]
        ear = Hearing(frames_of(pcm[:FRAME], pcm[FRAME:]))
        await asyncio.sleep(0)
        loud = next(number for number, level in enumerate(ear.levels(0)) if level > -55)
        first = ear.first_loud_sample(loud, -55)
        await ear.aclose()
        return loud, first

    window, sample = virtual_time.run(story)
    assert window == (FRAME + 5 * WINDOW) // WINDOW
    assert sample == pytest.approx(FRAME + 5 * WINDOW + 7, abs=2)


def test_frames_of_another_length_are_a_fault_of_the_prober() -> None:
    """Their times would be wrong: nothing is measured by them."""

    async def story(_: Clock) -> None:
        ear = Hearing(frames_of(np.zeros(FRAME, np.int16), np.zeros(480, np.int16)))
        try:
            await ear.hear_more(float("inf"))
            await ear.hear_more(float("inf"))
        finally:
            await ear.aclose()

    with pytest.raises(ProbeError, match="frames of 480 samples came") as caught:
        virtual_time.run(story)
    assert caught.value.reason is Reason.PROBE_CRASHED


def test_the_length_of_a_frame_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own is 10 ms, which costs the most."""
    asked: list[object] = []

    class Stream:
        def __init__(self, _: rtc.Track, **options: object) -> None:
            asked.append(options["frame_size_ms"])

        def __aiter__(self) -> AsyncIterator[rtc.AudioFrameEvent]:
            return self

        async def __anext__(self) -> rtc.AudioFrameEvent:
            raise StopAsyncIteration

        async def aclose(self) -> None:
            pass

    async def story() -> None:
        await Ear(rtc.RemoteAudioTrack.__new__(rtc.RemoteAudioTrack)).aclose()

    monkeypatch.setattr(rtc, "AudioStream", Stream)
    asyncio.run(story())
    assert asked == [FRAME_MS]
