"""Loudness of audio in short windows, in dBFS (0 is a full-scale square wave)."""

import numpy as np
import numpy.typing as npt

RATE = 48_000
"""Samples per second of all audio inside this package."""

WINDOW = 240
"""Samples in a window: 5 ms, shorter than a pitch period and than an Opus frame."""

WINDOW_S = WINDOW / RATE

SILENCE_DB = -120.0
"""Level given to digital silence, whose logarithm has no value."""

DIGITAL_SILENCE = 1e-12
"""Mean square below which a window is given `SILENCE_DB`."""

Pcm = npt.NDArray[np.int16]


def window_levels(pcm: Pcm) -> npt.NDArray[np.float64]:
    """Return the RMS level of each whole window of `pcm` in dBFS."""
    whole = len(pcm) // WINDOW
    blocks = pcm[: whole * WINDOW].reshape(whole, WINDOW).astype(np.float64) / 32768.0
    power = np.mean(np.square(blocks), axis=1)
    levels: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(power, DIGITAL_SILENCE))
    return levels


def amplitude(level_db: float) -> float:
    """Return the sample value (0 ... 32768) whose level is `level_db` dBFS."""
    return float(32768.0 * 10 ** (level_db / 20))


SPEECH_RANGE_DB = 30.0
"""Speech is what lies within this of the loudest window; breath and reverberation lie below."""


def speech_threshold(levels: npt.NDArray[np.float64]) -> float:
    """Return the level in dBFS above which a window of this recording is speech."""
    return max(float(levels.max(initial=SILENCE_DB)) - SPEECH_RANGE_DB, -60.0)


def speech_bounds(pcm: Pcm) -> tuple[int, int]:
    """Return the first sample of speech and the sample after the last one.

    A sample is speech when it is louder than the threshold and lies in the first or last window
    that is. (0, 0) when nothing is loud enough.
    """
    levels = window_levels(pcm)
    threshold = speech_threshold(levels)
    loud = np.flatnonzero(levels >= threshold)
    if not len(loud):
        return 0, 0
    limit = amplitude(threshold)
    first = int(loud[0]) * WINDOW
    last = int(loud[-1]) * WINDOW
    start = first + int(np.argmax(np.abs(pcm[first : first + WINDOW].astype(np.int32)) >= limit))
    tail = np.flatnonzero(np.abs(pcm[last : last + WINDOW].astype(np.int32)) >= limit)
    return start, last + int(tail[-1]) + 1


def longest_pause_s(pcm: Pcm) -> float:
    """Return the longest stretch in seconds below the speech threshold, inside the speech."""
    levels = window_levels(pcm)
    loud = np.flatnonzero(levels >= speech_threshold(levels))
    return float(np.diff(loud).max(initial=1) - 1) * WINDOW_S if len(loud) else 0.0
