"""A caller on the plain SDK, who times what it hears; it shares no code with the probe's caller.

Only the clips and the ends of their speech are those that ship.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice

import numpy as np
from livekit import rtc

from exporter.rtc.clip import Clip
from exporter.server_api import Server, ServerApi, make_token

RATE = 48_000
PIECE_MS = 10
PIECE = RATE * PIECE_MS // 1000
QUEUE_MS = 200
"""Sound that waits in the source: how late this process may be before there is a gap in it."""
CLOCK_PIECES, RECENT_PIECES = 400, 30
LOUD = 600
"""Sample value that is no silence: -35 dBFS."""
SILENT_PIECES = 30
"""A reply begins behind so many pieces without a sound, if it is not the click of a codec."""
SOUNDING_PIECES = 3
REPLY_WITHIN_S = 20.0
LISTENS_WITHIN_S = 60.0
SETTLE_S = 4.0
"""What a session ignores at its begin, while it learns the caller's echo, is 3 s."""
AROUND_END_S = (-0.5, 0.1)
AROUND_REPLY_S = (-2.0, 0.5)
"""A caller that was late within these, around the ends of a turn, may have timed them wrongly."""
_LOOKS = 6000
"""A minute of them: longer than a turn."""


class PieceClock:
    """When a stream began whose pieces are never early and sometimes late, and how sure that is."""

    def __init__(self) -> None:
        self._began: deque[float] = deque(maxlen=CLOCK_PIECES)

    def take(self, began_s: float) -> None:
        """Take a time at which the stream began, if this piece was in time."""
        self._began.append(began_s)

    def restart(self) -> None:
        """Forget everything: the stream has had a gap."""
        self._began.clear()

    @property
    def began_s(self) -> float:
        """By the piece of the last seconds that was least late; infinite before the first."""
        return min(self._began, default=np.inf)

    @property
    def slipped_s(self) -> float:
        """By how much all of the latest pieces were later: the stream itself is, or was, late."""
        return min(islice(reversed(self._began), RECENT_PIECES), default=np.inf) - self.began_s


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """What the caller heard of one turn, in seconds."""

    heard_s: float
    """From the end of its speech to the reply."""
    late_s: float
    """How late the caller itself was around one of both, at worst."""


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
        self._pushed = 0
        """Samples that were handed over."""
        self._out, self._in = PieceClock(), PieceClock()
        self._pieces = 0
        self._loud: list[bool] = []
        self._sounds: list[tuple[float, float]] = []
        """When each stretch of sound began, and by how much the stream had slipped then."""
        self._looks: deque[tuple[float, float]] = deque(maxlen=_LOOKS)
        """When the loop was looked at, and how late."""
        room.on("track_subscribed", self._on_track)

    async def connect(self, url: str, token: str) -> None:
        """Enter the room, and send silence from then on."""
        await self._room.connect(url, token)
        track = rtc.LocalAudioTrack.create_audio_track("voice", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
        await self._room.local_participant.publish_track(track, options)
        self._tasks += [asyncio.create_task(each) for each in (self._speak(), self._look())]

    async def listens(self) -> None:
        """Wait until the agent says that it listens."""
        async with asyncio.timeout(LISTENS_WITHIN_S):
            while self._state() != "listening":  # noqa: ASYNC110 - an attribute of the SDK's
                await asyncio.sleep(0.05)

    async def turn(self, clip: Clip) -> HeardTurn | None:
        """Say a clip; return how long its reply took, None where none came."""
        sounds = len(self._sounds)
        end, self._to_say = self._pushed + clip.speech_end, clip.pcm
        try:
            async with asyncio.timeout(REPLY_WITHIN_S):
                ended_s, slipped_s = await self._ended(end)
                while len(self._sounds) == sounds:  # noqa: ASYNC110 - a task of the SDK's
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return None
        reply_s, reply_slipped_s = self._sounds[sounds]
        await self.listens()
        ends = ((ended_s, AROUND_END_S), (reply_s, AROUND_REPLY_S))
        lags = (self._lag_s(at + before, at + after) for at, (before, after) in ends)
        return HeardTurn(reply_s - ended_s, max(slipped_s, reply_slipped_s, *lags))

    async def _ended(self, sample: int) -> tuple[float, float]:
        """Return when a sample leaves, once that is past, and how far the source has slipped."""
        while time.monotonic() < self._out.began_s + sample / RATE:  # noqa: ASYNC110 - another task
            await asyncio.sleep(0.01)
        return self._out.began_s + sample / RATE, self._out.slipped_s

    def _lag_s(self, begin: float, end: float) -> float:
        """Return how late the loop was at worst in a span of time."""
        late = (lag for at, lag in self._looks if at >= begin and at - lag <= end)
        return max(late, default=0.0)

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

    async def _look(self) -> None:
        while True:
            due = time.monotonic() + PIECE_MS / 1e3
            await asyncio.sleep(PIECE_MS / 1e3)
            self._looks.append((time.monotonic(), time.monotonic() - due))

    async def _speak(self) -> None:
        while True:
            piece, self._to_say = self._to_say[:PIECE], self._to_say[PIECE:]
            if time.monotonic() > self._out.began_s + self._pushed / RATE:
                self._out.restart()
            whole = np.pad(piece, (0, PIECE - len(piece)))
            self._pushed += PIECE
            await self._source.capture_frame(rtc.AudioFrame(whole.tobytes(), RATE, 1, PIECE))
            # The answer comes when the queue has fallen to its length: so long later the last
            # sample leaves. The SDK's own `queued_duration` can stay wrong after a gap.
            self._out.take(time.monotonic() + QUEUE_MS / 1e3 - self._pushed / RATE)

    async def _hear(self, track: rtc.RemoteAudioTrack) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=PIECE_MS)
        first_s = 0.0
        async for event in stream:
            at = self._pieces * PIECE_MS / 1e3
            self._in.take(time.monotonic() - at)
            loud = np.flatnonzero(np.abs(np.frombuffer(event.frame.data, np.int16)) >= LOUD)
            quiet = not any(self._loud[-SILENT_PIECES:])
            if loud.size and quiet:
                first_s = self._in.began_s + at + loud[0] / RATE
            self._loud.append(bool(loud.size))
            self._pieces += 1
            recent = self._loud[-SILENT_PIECES - SOUNDING_PIECES :]
            if all(recent[-SOUNDING_PIECES:]) and not any(recent[:-SOUNDING_PIECES]):
                self._sounds.append((first_s, self._in.slipped_s))


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
