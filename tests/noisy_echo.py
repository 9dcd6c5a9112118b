"""An agent of known latency that hears one utterance through any noise, and keeps what it heard.

`python -m tests.noisy_echo ROOM DELAY_S CLIP END OUT`: it joins the room once it is there, finds
the clip (raw samples of 16 bits at 48 kHz) in what it hears by correlation, and replies so long
after the clip's sample END. When it has left, all samples that it heard are in OUT, and in
OUT.depths how deep its jitter buffer was at each utterance, in seconds. It imports nothing of the
exporter: see `plain_agent`.
"""

from __future__ import annotations

import array
import asyncio
import os
import sys
import time
from collections import deque
from pathlib import Path

import numpy as np
import numpy.typing as npt
from livekit import rtc

from tests.plain_agent import PIECE_MS, RATE, PlainAgent, answer_in

COARSE = 6
"""Of so many samples one is made, for the search: 8 kHz are enough to know an utterance."""
KNOWN_S = 0.6
"""By so much of its end the clip is known."""
LOOK_S = 0.1
ALIKE = 0.5
"""Correlation from which on it is the clip; noise as loud as the speech leaves 0.7."""
_CLOCK_PIECES = 200

Wave = npt.NDArray[np.float64]


class NoisyEcho(PlainAgent):
    """Answers each time it has heard the clip.

    Args:
        room: Not yet connected.
        delay_s: From the end of the clip to the first sample of the reply.
        clip: What the caller says.
        end: The sample after its last one of speech.
    """

    def __init__(self, room: rtc.Room, delay_s: float, clip: Wave, end: int) -> None:
        super().__init__(room, delay_s)
        # Its last part alone: a jitter buffer that grows or shrinks in the middle moves the rest.
        self._clip = _coarse(clip[max(0, end - round(KNOWN_S * RATE)) : end])
        self.heard = array.array("h")
        self.depths_s: list[float] = []
        self._counted = 0.0, 0

    async def _hear(self, track: rtc.RemoteAudioTrack) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=PIECE_MS)
        offsets: deque[float] = deque(maxlen=_CLOCK_PIECES)
        searched = done = 0
        async for event in stream:
            # A piece may come late, never early: the earliest of two seconds is the clock.
            offsets.append(time.monotonic() - len(self.heard) / RATE)
            self.heard.extend(event.frame.data)
            if len(self.heard) - searched < LOOK_S * RATE:
                continue
            searched = len(self.heard)
            found = self._found(done)
            if found is not None:
                done = found + len(self._clip) * COARSE
                self._tasks.append(asyncio.create_task(self._note_depth(track)))
                self._due_s = min(offsets) + done / RATE + self._delay_s

    async def _note_depth(self, track: rtc.RemoteAudioTrack) -> None:
        """Note how deep its own jitter buffer was on average since the last utterance."""
        for each in await track.get_stats():
            if each.HasField("inbound_rtp"):
                inbound = each.inbound_rtp.inbound
                now = inbound.jitter_buffer_delay, inbound.jitter_buffer_emitted_count
                held_s, samples = now[0] - self._counted[0], now[1] - self._counted[1]
                self.depths_s.append(held_s / max(1, samples))
                self._counted = now

    def _found(self, done: int) -> int | None:
        """Return the sample at which the clip begins, if all of it was heard after `done`."""
        size = len(self._clip)
        first = max(done, len(self.heard) - (size + round(LOOK_S * RATE)) * COARSE * 2)
        recent = _coarse(np.array(self.heard[first:], np.float64))
        if len(recent) < size:
            return None
        length = 1 << (len(recent) + size).bit_length()
        product = np.fft.rfft(recent, length) * np.conj(np.fft.rfft(self._clip, length))
        along = np.fft.irfft(product, length)[: len(recent) - size + 1]
        energy = np.concatenate([[0.0], np.cumsum(np.square(recent))])
        power = (energy[size:] - energy[:-size]) * np.square(self._clip).sum()
        alike = along / np.sqrt(power + 1.0)
        best = int(np.argmax(alike))
        # At the very end the peak may still be rising.
        if alike[best] < ALIKE or best > len(alike) - 80:
            return None
        return first + best * COARSE


def _coarse(wave: Wave) -> Wave:
    fewer: Wave = wave[: len(wave) // COARSE * COARSE].reshape(-1, COARSE).mean(axis=1)
    return fewer


def main() -> None:
    """Take part in one call."""
    room_name, delay_s, clip, end, out = sys.argv[1:]
    samples = np.frombuffer(Path(clip).read_bytes(), np.int16).astype(np.float64)

    def make() -> NoisyEcho:
        return NoisyEcho(rtc.Room(), float(delay_s), samples, int(end))

    agent = asyncio.run(answer_in(room_name, make))
    assert isinstance(agent, NoisyEcho)
    Path(out).write_bytes(agent.heard.tobytes())
    Path(f"{out}.depths").write_text("\n".join(map(str, agent.depths_s)), encoding="utf-8")
    os._exit(0)  # as of a plain agent


if __name__ == "__main__":
    main()
