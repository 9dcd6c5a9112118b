"""The time of every sample of a stream, from the frames that reached us least late.

Frames carry no timestamps, but they are made at a steady pace: so sample i was delivered at
`anchor + i / rate`, where the anchor is the smallest (arrival - place / rate) around it. A late
event loop makes single frames late; it cannot make one early.
"""

import time

from exporter.rtc.levels import RATE

FRAME = 480
"""Samples in a frame of the SDK: 10 ms."""

LOOK_AHEAD = 50
"""Frames after a sample that help to tell its time: half a second."""

LOOK_BACK = 200
"""Frames before it: two seconds."""

GAP_S = 0.020
"""Frames that are all later than those before, by more than this, show a gap in the stream."""


class SampleClock:
    """Takes the arrival of each frame; tells when a sample was delivered."""

    def __init__(self) -> None:
        self._lateness: list[float] = []  # of each frame: arrival less its place in the stream

    @property
    def frames(self) -> int:
        """Frames that have arrived."""
        return len(self._lateness)

    def arrived(self, when: float) -> None:
        """Note the next frame, which arrived at `when` on the monotonic clock."""
        self._lateness.append(when - self.frames * FRAME / RATE)

    def time_of(self, sample: int) -> float:
        """Return when that sample was delivered, by the frames around it that have arrived.

        Frames from before a gap do not count: the stream has stood still since.
        """
        frame = sample // FRAME
        after = self._lateness[frame : frame + LOOK_AHEAD]
        before = self._lateness[max(0, frame - LOOK_BACK) : frame]
        anchor = min(after, default=time.monotonic() - sample / RATE)
        if before and anchor - min(before) < GAP_S:
            anchor = min(anchor, *before)
        return anchor + sample / RATE

    def sample_at(self, when: float) -> int:
        """Return the sample that was, or by now would be, delivered at `when`."""
        if not self._lateness:
            return 0
        recent = min(self._lateness[-LOOK_AHEAD:])
        anchor = min(self._lateness[-LOOK_BACK:])
        if recent - anchor >= GAP_S:
            anchor = recent
        return max(0, int((when - anchor) * RATE))
