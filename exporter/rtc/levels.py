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
    blocks = pcm[: whole * WINDOW].reshape(whole, WINDOW).astype(np.float64)
    power = np.einsum("ij,ij->i", blocks, blocks) / (WINDOW * 32768.0**2)
    levels: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(power, DIGITAL_SILENCE))
    return levels


def amplitude(level_db: float) -> float:
    """Return the sample value (0 ... 32768) whose level is `level_db` dBFS."""
    return float(32768.0 * 10 ** (level_db / 20))


SPEECH_RANGE_DB = 30.0
"""Speech is what lies within this of the loudest window; breath and reverberation lie below."""

NOISE_MARGIN_DB = 10.0
"""Speech is louder than the quiet tenth of a recording by this ..."""

LOUD_RANGE_DB = 20.0
"""... but what lies within this of the loudest is speech, where the quiet tenth is speech too."""

PAUSE_S = 0.15
"""Sounds that are further apart do not belong to one word."""

MIN_SPEECH_S = 0.03
"""What is shorter, and stands alone, is a click."""


def speech_threshold(levels: npt.NDArray[np.float64]) -> float:
    """Return the level in dBFS above which a window of this recording is speech."""
    peak = float(levels.max(initial=SILENCE_DB))
    noise = float(np.percentile(levels, 10)) if len(levels) else SILENCE_DB
    wanted = max(peak - SPEECH_RANGE_DB, noise + NOISE_MARGIN_DB, -60.0)
    return min(wanted, peak - LOUD_RANGE_DB)


def speech_bounds(pcm: Pcm) -> tuple[int, int]:
    """Return the first sample of speech and the sample after the last one.

    A sample is speech when it is louder than the threshold and lies in the first or last window
    of speech. (0, 0) when nothing is loud enough for long enough.
    """
    levels = window_levels(pcm)
    threshold = speech_threshold(levels)
    loud = _without_clicks(np.flatnonzero(levels >= max(threshold, SILENCE_DB + 1)))
    if not len(loud):
        return 0, 0
    limit = amplitude(threshold)
    first, last = int(loud[0]) * WINDOW, int(loud[-1]) * WINDOW
    start = np.flatnonzero(np.abs(pcm[first : first + WINDOW].astype(np.int32)) >= limit)
    end = np.flatnonzero(np.abs(pcm[last : last + WINDOW].astype(np.int32)) >= limit)
    return first + int(start[0]), last + int(end[-1]) + 1


def longest_pause_s(pcm: Pcm) -> float:
    """Return the longest stretch in seconds below the speech threshold, inside the speech."""
    return longest_gap_s(window_levels(pcm))


def longest_gap_s(levels: npt.NDArray[np.float64]) -> float:
    """Return the same for the levels of a recording."""
    loud = _without_clicks(np.flatnonzero(levels >= speech_threshold(levels)))
    return float(np.diff(loud).max(initial=1) - 1) * WINDOW_S


def _without_clicks(windows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return the loud windows without those that stand alone and are too few for speech."""
    words = np.split(windows, np.flatnonzero(np.diff(windows) * WINDOW_S > PAUSE_S) + 1)
    kept = [word for word in words if len(word) * WINDOW_S >= MIN_SPEECH_S]
    return np.concatenate(kept) if kept else windows[:0]
