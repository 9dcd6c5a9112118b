"""An agent whose turn-taking is known: it is interrupted, and stops, goes on or talks on as told.

`python -m tests.turn_agent` takes a line of JSON on standard input for each call: the room, and
the fields of a `Manner`. After each call it prints a line: the times to yield and to reply by its
own clock, and how late it was itself. As `plain_agent` it shares no code with the caller: other
clocks, another detector, the SDK alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from livekit import rtc

from tests.plain_agent import LOUD, PIECE, PIECE_MS, RATE, PlainAgent, answer_in, voiced

SHORT_S = 0.7
"""Length of the answer to what interrupted."""
_CLOCK_PIECES = 200
"""A piece may come late, never early: the earliest of two seconds is the clock."""
_TALKS_S = 1.4
"""With natural pauses it sounds so long between two of them."""

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Manner:
    """What the agent does; the defaults make one that never yields. All times in seconds."""

    reply_s: float = 6.0
    """Length of its replies."""
    ends_s: float | None = None
    """Length of all replies but the first of a call, if they are shorter."""
    natural_s: float = 0.0
    """Length of the pauses within them; 0 is none."""
    delay_s: float = 0.6
    """Last loud sample heard to first sample of its reply leaving."""
    endpoint_s: float = 0.35
    """Silence of the caller after which it takes the turn."""
    yields_s: float | None = None
    """First loud sample heard into its speech to its own last one ..."""
    least_s: float = 0.0
    """... unless what it hears is shorter than this."""
    yields_after_end_s: float | None = None
    """Last loud sample heard to its own last one; longer than `endpoint_s`."""
    resumes_s: float | None = None
    """So long after it stopped it goes on with the same reply."""
    answers: bool = True
    """It answers what was said into its speech."""
    answer_s: float = 1.2
    """Last loud sample of that to the first sample of the answer."""
    states: bool = True
    """It says what it does."""


@dataclass(frozen=True, slots=True)
class _Due:
    at: float
    sound: Samples
    thinks: bool
    """It is a new reply, and not the rest of one."""
    heard_s: float | None = None
    """Of the reply to a whole utterance: the last loud sample of that."""


class TurnAgent(PlainAgent):
    """Takes turns in a manner that is known.

    Args:
        room: Not yet connected.
        manner: What it does.

    Attributes:
        yields_s: From the first loud sample that it heard to the last one that it sent, in seconds,
            of each time that it stopped.
        replies_s: From the last loud sample that it heard to the first one that it sent, in
            seconds, of each reply; answers to what interrupted it are not among them.
        late_s: How late what it heard came to it at worst, once anything was said, in seconds.
    """

    def __init__(self, room: rtc.Room, manner: Manner) -> None:
        super().__init__(room, manner.delay_s)
        self.yields_s: list[float] = []
        self.replies_s: list[float] = []
        self.late_s = 0.0
        self._manner = manner
        self._reply: Samples = np.zeros(0, np.int16)
        """What is left to be sent of it."""
        self._due: _Due | None = None
        self._began_s: float | None = None
        """First loud sample of what the caller is saying; None while it says nothing."""
        self._last_s = 0.0
        self._into = False
        """The caller began while this agent spoke."""
        self._stop_s: float | None = None
        self._stops = False
        """It has stopped, or is about to, at what the caller is saying."""

    async def _hear(self, track: rtc.RemoteAudioTrack) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=PIECE_MS)
        offsets: deque[float] = deque(maxlen=_CLOCK_PIECES)
        heard = 0
        async for event in stream:
            piece = np.frombuffer(event.frame.data, np.int16).astype(np.int32)
            offsets.append(time.monotonic() - heard / RATE)
            at = min(offsets) + heard / RATE
            heard += len(piece)
            if self.answered or self._began_s is not None:
                self.late_s = max(self.late_s, offsets[-1] - min(offsets))
            loud = np.flatnonzero(np.abs(piece) >= LOUD)
            if len(loud):
                self._hear_speech(at + float(loud[0]) / RATE, at + float(loud[-1] + 1) / RATE)
            elif self._began_s is not None and at > self._last_s + self._manner.endpoint_s:
                self._take_turn(self._began_s)

    def _hear_speech(self, first_s: float, last_s: float) -> None:
        if self._began_s is None:
            self._began_s, self._into, self._stops = first_s, len(self._reply) > 0, False
        self._last_s = last_s
        yields_s, long = self._manner.yields_s, last_s - self._began_s >= self._manner.least_s
        if self._into and yields_s is not None and long and not self._stops:
            self._stop_s, self._stops = self._began_s + yields_s, True

    def _take_turn(self, began_s: float) -> None:
        manner, into, last_s = self._manner, self._into, self._last_s
        short = last_s - began_s < manner.least_s
        self._began_s, self._into = None, False
        if not into:
            first, ends_s = self.answered == 0, manner.ends_s
            self.answered += 1
            length_s = manner.reply_s if first or ends_s is None else ends_s
            speech = self._speech(length_s)
            self._due = _Due(last_s + manner.delay_s, speech, thinks=True, heard_s=last_s)
            return
        if manner.yields_after_end_s is not None and not short:
            self._stop_s = last_s + manner.yields_after_end_s
        if manner.answers and not short:
            self._due = _Due(last_s + manner.answer_s, self._speech(SHORT_S), thinks=True)

    def _speech(self, seconds: float) -> Samples:
        sound = np.frombuffer(voiced(seconds), np.int16).copy()
        pause, step = round(self._manner.natural_s * RATE), round(_TALKS_S * RATE)
        for start in range(step, len(sound) - step, step + pause):
            sound[start : start + pause] = 0
        return sound

    async def _speak(self) -> None:
        while True:
            # The next piece leaves when all that waits before it has left.
            leaves_s = time.monotonic() + self._source.queued_duration
            self._stop_in_time(leaves_s)
            self._begin_in_time(leaves_s)
            self._tell_state()
            piece, self._reply = self._reply[:PIECE], self._reply[PIECE:]
            frame = np.concatenate([piece, np.zeros(PIECE - len(piece), np.int16)])
            await self._source.capture_frame(rtc.AudioFrame(frame.tobytes(), RATE, 1, PIECE))

    def _stop_in_time(self, leaves_s: float) -> None:
        at = self._stop_s
        if at is None or at >= leaves_s + PIECE_MS / 1e3:
            return
        self._stop_s, keep = None, max(0, round((at - leaves_s) * RATE))
        rest, self._reply = self._reply[keep:], self._reply[:keep]
        if not len(rest):
            return  # it had ended before
        stopped_s = leaves_s + keep / RATE
        since_s = self._last_s if self._began_s is None else self._began_s
        self.yields_s.append(stopped_s - since_s)
        if self._manner.resumes_s is not None:
            self._due = _Due(stopped_s + self._manner.resumes_s, rest, thinks=False)

    def _begin_in_time(self, leaves_s: float) -> None:
        due = self._due
        if due is None or len(self._reply) or due.at >= leaves_s + PIECE_MS / 1e3:
            return
        ahead = max(0, round((due.at - leaves_s) * RATE))
        self._reply, self._due = np.concatenate([np.zeros(ahead, np.int16), due.sound]), None
        if due.heard_s is not None:
            self.replies_s.append(leaves_s + ahead / RATE - due.heard_s)

    def _tell_state(self) -> None:
        thinks = self._due is not None and self._due.thinks
        state = "speaking" if len(self._reply) else "thinking" if thinks else "listening"
        if self._manner.states and state != self._state:
            self._state = state
            told = self._room.local_participant.set_attributes({"lk.agent.state": state})
            self._tasks.append(asyncio.create_task(told))


async def _call(room_name: str, manner: Manner) -> TurnAgent:
    agent = await answer_in(room_name, lambda: TurnAgent(rtc.Room(), manner))
    assert isinstance(agent, TurnAgent)
    return agent


def main() -> None:
    """Answer in one room after another."""
    for line in sys.stdin:
        order = json.loads(line)
        agent = asyncio.run(_call(order["room"], Manner(**order["manner"])))
        told = {
            "yields_s": agent.yields_s,
            "replies_s": agent.replies_s,
            "late_s": agent.late_s,
        }
        print(json.dumps(told), flush=True)  # noqa: T201 - read by the parent
    os._exit(0)  # as of a plain agent


if __name__ == "__main__":
    main()
