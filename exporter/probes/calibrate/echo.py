"""The other side of a calibration: it replies after a delay that is known to the sample."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import numpy as np
from livekit import rtc

from exporter.rtc.levels import RATE, SPEECH_RANGE_DB, WINDOW_S, Pcm
from exporter.rtc.onset import FLOOR_DB, OnsetDetector
from exporter.rtc.tasks import Tasks
from exporter.rtc.tracks import Ear, Microphone

SETTLE_S = 0.18
"""Silence after which an utterance has ended; longer than the closure of a stop consonant."""

CHUNK_MS = 20
"""Frames in both directions: longer ones would be known too late."""
QUEUE_MS = 40
"""A short queue: a reply can begin 60 ms after it was decided on."""

LOUD_DB = FLOOR_DB + 10
"""Quieter than this is not the caller's speech."""


def buzz(seconds: float, level_db: float = -15.0, pitch_hz: int = 140) -> Pcm:
    """Return a voiced sound that is loud from its first sample to its last.

    Harmonics up to 4 kHz in sine phase, so that Opus keeps it and both its ends are sharp.
    """
    t = np.arange(RATE) / RATE  # one second holds whole periods: a longer sound repeats it
    harmonics = np.arange(1, 4000 // pitch_hz)[:, np.newaxis]
    wave = (np.sin(2 * np.pi * pitch_hz * harmonics * t) / harmonics).sum(axis=0)
    wave *= 10 ** (level_db / 20) / np.sqrt(np.mean(np.square(wave)))
    pcm = np.clip(wave * 32768, -32768, 32767).astype(np.int16)
    return np.resize(pcm, round(seconds * RATE))


class Utterances:
    """Finds the caller's utterances on one track, one after another.

    Args:
        ear: On the caller's track.
        on_begin: Called when an utterance has begun, some 30 ms after its first sound.
    """

    def __init__(self, ear: Ear, on_begin: Callable[[], None] | None = None) -> None:
        self._ear = ear
        self._on_begin = on_begin
        self._at = 0

    async def next_end(self) -> float:
        """Wait for an utterance to end; return when its last loud sample was heard.

        Told `SETTLE_S` after that sample, on the monotonic clock.
        """
        ear = self._ear
        detector = OnsetDetector(LOUD_DB, self._at)
        began = False
        peak = last = 0.0
        last_window = 0
        while True:
            for level in ear.levels(self._at):
                if not began and detector.push(level) is not None:
                    began = True
                    if self._on_begin is not None:
                        self._on_begin()
                peak = max(peak, level) if began and peak else level if began else peak
                if began and level >= max(peak - SPEECH_RANGE_DB, FLOOR_DB):
                    last_window, last = self._at, max(peak - SPEECH_RANGE_DB, FLOOR_DB)
                self._at += 1
                if began and (self._at - last_window) * WINDOW_S >= SETTLE_S:
                    return ear.time_by_now(ear.last_loud_sample(last_window, last))
            await ear.hear_more(time.monotonic() + 1.0)


Answer = Callable[[Microphone, float], Awaitable[None]]
"""What to do when an utterance has ended: given the microphone and when its end was heard."""


def reply_after(delay_s: float, reply: Pcm) -> Answer:
    """Return the answer that plays `reply` so that it leaves `delay_s` after what was heard."""

    async def answer(microphone: Microphone, heard: float) -> None:
        microphone.play(reply, at=heard + delay_s)

    return answer


class Echo:
    """Listens to the first audio track of a room and answers each utterance on it.

    Args:
        room: Not yet connected, so that no track is missed.
        answer: What to do at the end of each utterance.
        on_begin: Called when an utterance has begun.
        tasks: Watches what it hears and speaks by; nobody does if None.
    """

    def __init__(
        self,
        room: rtc.Room,
        answer: Answer,
        on_begin: Callable[[], None] | None = None,
        tasks: Tasks | None = None,
    ) -> None:
        self._room = room
        self._tasks = tasks or Tasks()
        self._answer = answer
        self._on_begin = on_begin
        self.microphone = Microphone(CHUNK_MS, QUEUE_MS)
        self._ear: Ear | None = None
        self._task: asyncio.Task[None] | None = None
        room.on("track_subscribed", self._on_track)

    async def publish(self) -> None:
        """Publish the microphone, once the room is connected."""
        await self.microphone.publish(self._room.local_participant)
        self._tasks.watch(self.microphone.task)

    async def aclose(self) -> None:
        """Stop listening and sending; the room stays as it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._ear is not None:
            await self._ear.aclose()
        await self.microphone.aclose()

    def _on_track(self, track: rtc.Track, *_: object) -> None:
        if isinstance(track, rtc.RemoteAudioTrack) and self._ear is None:
            self._ear = Ear(track, CHUNK_MS)
            self._task = asyncio.get_running_loop().create_task(
                self._listen(self._ear), name="echo"
            )
            self._tasks.watch(self._ear.task, self._task)

    async def _listen(self, ear: Ear) -> None:
        utterances = Utterances(ear, self._on_begin)
        while True:
            await self._answer(self.microphone, await utterances.next_end())
