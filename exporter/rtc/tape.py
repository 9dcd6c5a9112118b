"""Both voices of a call on one time axis, as the caller lived through them.

What we say stands where it left the source, what we hear where it was delivered: by the same two
sample clocks as the times of turns. Knows no SDK and no file.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from exporter.rtc.hearing import Hearing
from exporter.rtc.levels import RATE, Pcm

STEP = RATE // 50
"""What is taken off the tape is a multiple of these samples: 20 ms."""

STEP_S = STEP / RATE

HOLD_S = 1.0
"""Sound is placed so long after it came: the time of what is heard is known half a second later,
and a late event loop may be later still."""

SLACK = RATE * 3 // 1000
"""A piece that is off by no more follows the one before without a seam: 3 ms."""

_OURS, _THEIRS = 0, 1


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame that was heard, and has no time yet."""

    ear: Hearing
    sample: int
    pcm: Pcm


@dataclass(frozen=True, slots=True)
class _Piece:
    """Sound with its place."""

    side: int
    start: int
    pcm: Pcm

    @property
    def end(self) -> int:
        return self.start + len(self.pcm)


class Tape:
    """Takes sound from the microphone and from all ears; gives it as stereo, once.

    Args:
        began: Its first sample, on the monotonic clock.
    """

    def __init__(self, began: float) -> None:
        self._began = began
        self._taken = 0
        """Samples that were taken."""
        self._frames: list[_Frame] = []
        self._pieces: list[_Piece] = []
        self._next: dict[Hashable, int] = {}
        """Of each stream the place after its last piece."""
        self._closed = False

    def close(self) -> None:
        """Let go of all sound, and take none from now on: nobody will take it off again."""
        self._closed = True
        self._frames, self._pieces = [], []

    def said(self, at: float, pcm: Pcm) -> None:
        """Put sound of ours in place, whose first sample leaves the source at `at`."""
        if not self._closed:
            self._put(_OURS, "microphone", at, pcm)

    def heard(self, ear: Hearing, sample: int, pcm: Pcm) -> None:
        """Keep a frame whose first sample has that number in its stream."""
        if not self._closed:
            self._frames.append(_Frame(ear, sample, pcm))

    def take(self, until: float = math.inf) -> Pcm:
        """Return what was not taken yet of the sound before `until`, left ours, right theirs.

        Args:
            until: On the monotonic clock; without it all that there is.
        """
        self._place(until)
        if until == math.inf:
            end = max((each.end for each in self._pieces), default=self._taken)
            size = -(-(end - self._taken) // STEP) * STEP
        else:
            size = max(0, round((until - self._began) * RATE) - self._taken) // STEP * STEP
        mix = np.zeros((size, 2), np.int32)
        for each in self._pieces:
            first, last = max(each.start, self._taken), min(each.end, self._taken + size)
            if first < last:  # what comes after its place was taken is lost
                part = each.pcm[first - each.start : last - each.start]
                mix[first - self._taken : last - self._taken, each.side] += part
        self._taken += size
        self._pieces = [each for each in self._pieces if each.end > self._taken]
        return np.clip(mix, -32768, 32767).astype(np.int16)

    def _place(self, until: float) -> None:
        """Place the frames that began before; of the others more may still be learnt."""
        frames, self._frames = self._frames, []
        for each in frames:
            at = each.ear.time_by_now(each.sample)
            if at < until:
                self._put(_THEIRS, each.ear, at, each.pcm)
            else:
                self._frames.append(each)

    def _put(self, side: int, stream: Hashable, at: float, pcm: Pcm) -> None:
        place = round((at - self._began) * RATE)
        follows = self._next.get(stream)
        if follows is not None and abs(place - follows) <= SLACK:
            place = follows
        self._next[stream] = place + len(pcm)
        self._pieces.append(_Piece(side, place, pcm))
