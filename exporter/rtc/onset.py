"""When sound begins: above the noise, for long enough, and counted to the sample."""

from collections import deque
from collections.abc import Sequence

from exporter.rtc.levels import WINDOW_S

FLOOR_DB = -55.0
"""Quieter than this nobody hears a reply, however quiet the line."""

NOISE_MARGIN_DB = 10.0
"""Sound must be this much louder than the line's own noise."""

NOISE_CAP_DB = -30.0
"""What is louder than this is not taken for the noise of a line."""

MIN_SOUND_S = 0.030
"""Shorter sounds are clicks."""

MAX_DIP_S = 0.015
"""A voice dips below the threshold between two pulses of the glottis."""

RINGING_DB = 10.0
"""What is so much quieter than the loudest just before is its ringing: Opus adds 20 ms of it, and
at 10 kbit/s smears a click of 5 ms over 40 ms, of which at most 25 ms are louder."""

JUDGED_WINDOWS = round(2 * MIN_SOUND_S / WINDOW_S)
NEEDED_WINDOWS = round(MIN_SOUND_S / WINDOW_S)


def noise_level(levels: Sequence[float]) -> float:
    """Return the level of the line's own noise in dBFS: the median of windows without speech."""
    if not levels:
        return FLOOR_DB - NOISE_MARGIN_DB
    ordered = sorted(levels)
    return min(ordered[len(ordered) // 2], NOISE_CAP_DB)


def sound_threshold(noise_db: float) -> float:
    """Return the level in dBFS above which a window is sound, on a line of that noise."""
    return max(FLOOR_DB, noise_db + NOISE_MARGIN_DB)


RECENT_S = 3.0
"""How far back the line's own noise is looked for."""

RECENT_WINDOWS = round(RECENT_S / WINDOW_S)


def quiet_level(levels: Sequence[float]) -> float:
    """Return the level of the line's own noise in dBFS, by the quiet tenth of the windows."""
    return noise_level(sorted(levels)[: max(1, len(levels) // 10)])


def sounds(levels: Sequence[float], last_s: float = 0.2) -> bool:
    """Tell whether somebody speaks in the last seconds of these windows, louder than a click."""
    threshold = sound_threshold(quiet_level(levels))
    recent = levels[-round(last_s / WINDOW_S) :]
    return sum(level >= threshold for level in recent) >= NEEDED_WINDOWS


class OnsetDetector:
    """Finds the first sound in a sequence of windows that is not a click.

    A sound has `MIN_SOUND_S` of windows that are above the threshold and near its own loudest,
    with dips of at most `MAX_DIP_S` between them. Feed it one level after another; it holds no
    audio and no clock.
    """

    def __init__(self, threshold_db: float, first_window: int) -> None:
        self.threshold_db = threshold_db
        self._next = first_window
        self._start: int | None = None
        self._dip = 0
        self._judged: deque[float] = deque(maxlen=JUDGED_WINDOWS)

    def push(self, level_db: float) -> int | None:
        """Take the level of the next window; return the window of the onset once it is sure."""
        window = self._next
        self._next += 1
        loud = level_db >= self.threshold_db
        if self._start is None:
            if not loud:
                return None
            self._start = window
            self._judged.clear()
        self._judged.append(level_db)
        self._dip = 0 if loud else self._dip + 1
        if self._dip * WINDOW_S > MAX_DIP_S:
            self._start = None
        return self._start if self._lasts() else None

    def _lasts(self) -> bool:
        limit = max(self.threshold_db, max(self._judged) - RINGING_DB)
        return sum(level >= limit for level in self._judged) >= NEEDED_WINDOWS
