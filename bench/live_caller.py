"""A caller on the plain SDK, who times what it hears; it shares no code with the probe's caller.

Only the clips and the ends of their speech are those that ship.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from livekit import rtc

from exporter.rtc.clip import Clip
from exporter.server_api import Server, ServerApi, make_token

RATE = 48_000
PIECE_MS = 10
PIECE = RATE * PIECE_MS // 1000
QUEUE_MS = 60
LOUD = 600
"""Sample value that is no silence: -35 dBFS."""
SILENT_PIECES = 30
"""A reply begins behind so many pieces without a sound, if it is not the click of a codec."""
SOUNDING_PIECES = 3
REPLY_WITHIN_S = 20.0
LISTENS_WITHIN_S = 60.0
SETTLE_S = 4.0
"""What a session ignores at its begin, while it learns the caller's echo, is 3 s."""


class LiveCaller:
    """One call. Times are on the monotonic clock.

    Args:
        room: Not yet connected.
    """

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._source = rtc.AudioSource(RATE, 1, QUEUE_MS)
        self._tasks: list[asyncio.Task[None]] = []
        self._to_say = np.zeros(0, np.int16)
        self._said = 0
        """Samples of the clip that were handed over."""
        self._end_at = 0
        self._ended_s: float | None = None
        self._anchor = np.inf
        self._pieces = 0
        self._loud: list[bool] = []
        self._sounds: list[float] = []
        """When each stretch of sound began."""
        room.on("track_subscribed", self._on_track)

    async def connect(self, url: str, token: str) -> None:
        """Enter the room, and send silence from then on."""
        await self._room.connect(url, token)
        track = rtc.LocalAudioTrack.create_audio_track("voice", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
        await self._room.local_participant.publish_track(track, options)
        self._tasks.append(asyncio.create_task(self._speak()))

    async def listens(self) -> None:
        """Wait until the agent says that it listens."""
        async with asyncio.timeout(LISTENS_WITHIN_S):
            while self._state() != "listening":  # noqa: ASYNC110 - an attribute of the SDK's
                await asyncio.sleep(0.05)

    async def turn(self, clip: Clip) -> float | None:
        """Say a clip; return the seconds from its last speech to the reply, None without one."""
        self._ended_s, self._said, self._end_at = None, 0, clip.speech_end
        sounds = len(self._sounds)
        self._to_say = clip.pcm
        try:
            async with asyncio.timeout(REPLY_WITHIN_S):
                while self._ended_s is None or len(self._sounds) == sounds:  # noqa: ASYNC110 - two tasks
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return None
        heard_s = self._sounds[sounds] - self._ended_s
        await self.listens()
        return heard_s

    async def aclose(self) -> None:
        """Leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._room.disconnect()
        await self._source.aclose()

    def _state(self) -> str:
        found = (each.attributes for each in self._room.remote_participants.values())
        return next((each["lk.agent.state"] for each in found if "lk.agent.state" in each), "")

    def _on_track(self, track: rtc.Track, *_: object) -> None:
        if isinstance(track, rtc.RemoteAudioTrack):
            self._tasks.append(asyncio.create_task(self._hear(track)))

    async def _speak(self) -> None:
        while True:
            piece, self._to_say = self._to_say[:PIECE], self._to_say[PIECE:]
            # It leaves when all that waits before it has left.
            leaves_s = time.monotonic() + self._source.queued_duration
            if self._ended_s is None and self._said <= self._end_at <= self._said + len(piece):
                self._ended_s = leaves_s + (self._end_at - self._said) / RATE
            self._said += len(piece)
            whole = np.pad(piece, (0, PIECE - len(piece)))
            await self._source.capture_frame(rtc.AudioFrame(whole.tobytes(), RATE, 1, PIECE))

    async def _hear(self, track: rtc.RemoteAudioTrack) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=PIECE_MS)
        first_s = 0.0
        async for event in stream:
            # Single pieces come late, none early: the earliest tells when all were due.
            at = self._pieces * PIECE_MS / 1e3
            self._anchor = min(self._anchor + 1e-5, time.monotonic() - at)
            loud = np.flatnonzero(np.abs(np.frombuffer(event.frame.data, np.int16)) >= LOUD)
            quiet = not any(self._loud[-SILENT_PIECES:])
            if loud.size and quiet:
                first_s = self._anchor + at + loud[0] / RATE
            self._loud.append(bool(loud.size))
            self._pieces += 1
            recent = self._loud[-SILENT_PIECES - SOUNDING_PIECES :]
            if all(recent[-SOUNDING_PIECES:]) and not any(recent[:-SOUNDING_PIECES]):
                self._sounds.append(first_s)


@asynccontextmanager
async def live_call(server: Server, room_name: str, agent_name: str) -> AsyncIterator[LiveCaller]:
    """Call an agent as a person would; yields once it listens."""
    room = rtc.Room()
    caller = LiveCaller(room)
    token = make_token(server, identity="live", room=room_name)
    async with ServerApi(server) as api:
        try:
            await caller.connect(server.url, token)
            await api.create_dispatch(room_name, agent_name, "")
            await caller.listens()
            await asyncio.sleep(SETTLE_S)
            yield caller
        finally:
            await caller.aclose()
            await api.delete_room(room_name)
