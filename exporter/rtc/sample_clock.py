"""The time of every sample of a stream, from the frames that reached us least late.

Frames carry no timestamps, but they are made at a steady pace: so sample i was delivered at
`anchor + i / rate`, where the anchor is the smallest (arrival - place / rate) around it. A late
event loop makes single frames late; it cannot make one early.

The SDK takes the audio from the jitter buffer in pieces of 10 ms, as a sound card does, and hands
over a frame once it has its last piece. So what arrives with a frame is the first sample of that
piece; those before it were there earlier, and waited.
"""

import time

from exporter.rtc.levels import RATE

FRAME_MS = 50
"""Length of a frame that the SDK delivers, where nobody has to answer sooner. Each costs the same
whatever its length: with frames and pushes of 10 ms and 40 ms a caller takes half as much again."""

PIECE = RATE * 10 // 1000
"""Samples that the SDK takes at a time."""

LOOK_AHEAD_S = 0.5
"""Frames so long after a sample help to tell its time."""

LOOK_BACK_S = 2.0
"""And those so long before it."""

GAP_S = 0.020
"""Frames that are all later than those before, by more than this, show a gap in the stream."""


class SampleClock:
    """Takes the arrival of each frame; tells when a sample was delivered.

    Args:
        frame_ms: Length of all frames.
    """

    def __init__(self, frame_ms: int = FRAME_MS) -> None:
        self.frame = RATE * frame_ms // 1000
        """Samples in a frame."""
        self._ahead = round(LOOK_AHEAD_S * RATE) // self.frame
        self._back = round(LOOK_BACK_S * RATE) // self.frame
        self._lateness: list[float] = []  # of each frame: arrival less its last piece's place

    @property
    def frames(self) -> int:
        """Frames that have arrived."""
        return len(self._lateness)

    def arrived(self, when: float) -> None:
        """Note the next frame, which arrived at `when` on the monotonic clock."""
        last_piece = (self.frames + 1) * self.frame - PIECE
        self._lateness.append(when - last_piece / RATE)

    def is_sure_of(self, sample: int) -> bool:
        """Tell whether all frames have arrived that help to tell the time of that sample."""
        return self.frames >= sample // self.frame + self._ahead

    def time_of(self, sample: int) -> float:
        """Return when that sample was delivered, by the frames around it that have arrived.

        Frames from before a gap do not count: the stream has stood still since.
        """
        frame = sample // self.frame
        after = self._lateness[frame : frame + self._ahead]
        before = self._lateness[max(0, frame - self._back) : frame]
        anchor = min(after, default=time.monotonic() - sample / RATE)
        if before and anchor - min(before) < GAP_S:
            anchor = min(anchor, *before)
        return anchor + sample / RATE

    def sample_at(self, when: float) -> int:
        """Return the sample that was, or by now would be, delivered at `when`."""
        if not self._lateness:
            return 0
        recent = min(self._lateness[-self._ahead :])
        anchor = min(self._lateness[-self._back :])
        if recent - anchor >= GAP_S:
            anchor = recent
        return max(0, int((when - anchor) * RATE))
