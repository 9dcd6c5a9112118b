"""An agent of known latency that shares no code with the caller: the plain SDK, nothing else.

`python -m tests.plain_agent` takes a line on standard input for each call: a room, a delay in
seconds, and the WAV files (48 kHz, mono, 16 bits) that are its replies in turn, if it shall not
just sound. It joins the room once it is there, as a participant of the kind agent, replies so long
after the last loud sample that it heard, by its own clock, and leaves with the caller. It imports
nothing of the exporter: a constant error of the caller's microphone, ear or sample clock is not in
it, and so is seen.
"""

from __future__ import annotations  # array.array[int] is only for the types

import array
import asyncio
import math
import os
import sys
import time
import wave
from collections.abc import Callable, Sequence
from functools import partial

from livekit import api, rtc

RATE = 48_000
PIECE_MS = 10
"""The SDK takes and gives audio in pieces of this length; here no longer ones are used."""
PIECE = RATE * PIECE_MS // 1000
QUEUE_MS = 60
LOUD = 600
"""Sample value that is no silence: -35 dBFS."""
SETTLE_S = 0.2
"""Silence after which an utterance has ended."""
REPLY_S = 0.6
_POLL_S = 0.05


def voiced(seconds: float, pitch_hz: int = 180) -> array.array[int]:
    """Return a sound that is loud from its first sample to its last: a few harmonics, -12 dBFS."""
    parts = range(1, 12)
    step = 2 * math.pi * pitch_hz / RATE
    shape = [sum(math.cos(step * i * n) / n for n in parts) for i in range(RATE // pitch_hz)]
    most = max(abs(value) for value in shape)
    period = [round(value / most * 16_000) for value in shape]
    count = round(seconds * RATE)
    return array.array("h", (period * (count // len(period) + 1))[:count])


def read(wav: str) -> array.array[int]:
    """Return the samples of a WAV file."""
    with wave.open(wav) as file:
        return array.array("h", file.readframes(file.getnframes()))


class PlainAgent:
    """Hears one track and speaks on another.

    Args:
        room: Not yet connected.
        delay_s: From the last loud sample that it heard to the first sample of its reply.
        replies: WAV files, for one utterance after another; it says its state where there are any.
    """

    def __init__(self, room: rtc.Room, delay_s: float, replies: Sequence[str] = ()) -> None:
        self._room = room
        self._delay_s = delay_s
        self._says_state = bool(replies)
        self._replies = [read(each) for each in replies] or [voiced(REPLY_S)]
        self.answered = 0
        """Utterances that it has replied to, or is about to."""
        self._source = rtc.AudioSource(RATE, 1, QUEUE_MS)
        self._due_s: float | None = None
        self._state = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = asyncio.Event()
        room.on("track_subscribed", self._on_track)
        room.on("disconnected", lambda _: self._ended.set())
        room.on("participant_disconnected", lambda _: self._ended.set())

    async def call(self, url: str, token: str) -> None:
        """Take part until the caller has left."""
        await self._room.connect(url, token)
        track = rtc.LocalAudioTrack.create_audio_track("voice", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
        await self._room.local_participant.publish_track(track, options)
        self._tasks.append(asyncio.create_task(self._speak()))
        await self._ended.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._room.disconnect()
        await self._source.aclose()

    def _on_track(self, track: rtc.Track, *_: object) -> None:
        if isinstance(track, rtc.RemoteAudioTrack):
            self._tasks.append(asyncio.create_task(self._hear(track)))

    async def _hear(self, track: rtc.RemoteAudioTrack) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=PIECE_MS)
        heard_s: float | None = None
        async for event in stream:
            now = time.monotonic()
            loud = [i for i, value in enumerate(event.frame.data) if abs(value) >= LOUD]
            if loud:
                heard_s = now + (loud[-1] + 1) / RATE
            elif heard_s is not None and now > heard_s + SETTLE_S:
                self._due_s, heard_s = heard_s + self._delay_s, None

    async def _speak(self) -> None:
        reply = array.array("h")
        while True:
            self._say_state(speaks=bool(reply))
            # The next piece leaves when all that waits before it has left.
            leaves_s = time.monotonic() + self._source.queued_duration
            if self._due_s is not None and self._due_s < leaves_s + PIECE_MS / 1e3:
                ahead = max(0, round((self._due_s - leaves_s) * RATE))
                reply = self._replies[self.answered % len(self._replies)]
                reply, self._due_s = array.array("h", bytes(2 * ahead)) + reply, None
                self.answered += 1
            piece, reply = reply[:PIECE], reply[PIECE:]
            piece += array.array("h", bytes(2 * (PIECE - len(piece))))
            await self._source.capture_frame(rtc.AudioFrame(piece.tobytes(), RATE, 1, PIECE))

    def _say_state(self, *, speaks: bool) -> None:
        state = "speaking" if speaks else "listening"
        if self._says_state and state != self._state:
            self._state = state
            told = self._room.local_participant.set_attributes({"lk.agent.state": state})
            self._tasks.append(asyncio.create_task(told))


async def answer_in(room_name: str, make: Callable[[], PlainAgent]) -> PlainAgent:
    """Wait until the room is there, and answer the caller in it until the call ends; return who."""
    async with api.LiveKitAPI() as server:
        named = api.ListRoomsRequest(names=[room_name])
        while not (await server.room.list_rooms(named)).rooms:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(_POLL_S)
    token = (
        api.AccessToken()
        .with_identity("agent-of-known-delay")
        .with_kind("agent")
        .with_grants(
            api.VideoGrants(
                room_join=True, room=room_name, agent=True, can_update_own_metadata=True
            )
        )
    )
    agent = make()
    await agent.call(os.environ["LIVEKIT_URL"], token.to_jwt())
    return agent


def plain(delay_s: float, replies: Sequence[str]) -> PlainAgent:
    """Return an agent for a room that is to be made within the event loop."""
    return PlainAgent(rtc.Room(), delay_s, replies)


def main() -> None:
    """Answer in one room after another."""
    for line in sys.stdin:
        room_name, delay_s, *replies = line.split()
        make = partial(plain, float(delay_s), replies)
        asyncio.run(answer_in(room_name, make))
    os._exit(0)  # the SDK (livekit 1.1.21) sometimes aborts when its library is unloaded


if __name__ == "__main__":
    main()
