"""How a reply sounds: level, clipping, bandwidth and gaps of what was heard.

Functions of samples and of levels of windows, which know no SDK and no clock. A codec was between:
what is found is found through Opus.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from exporter.outcome import ReplySound
from exporter.rtc.levels import (
    RATE,
    SILENCE_DB,
    WINDOW,
    WINDOW_S,
    Pcm,
    longest_gap_s,
    window_levels,
)

Mask = npt.NDArray[np.bool_]
Levels = npt.NDArray[np.float64]

MARGIN_DB = 15.9
"""Speech is what lies within this below the active level (ITU-T P.56, method B)."""

HANGOVER_S = 0.2
"""A pause that is shorter belongs to the speech (P.56)."""

_ENOUGH_DB = 0.01

BLOCK_S = 1.0
"""Audio worked on at a time, which takes some 2 ms: meanwhile an event loop does nothing else."""


class SoundOfReply:
    """Takes the sound of one reply, block after block, and tells how it sounds."""

    def __init__(self) -> None:
        self._levels: list[Levels] = []
        self._bands: list[npt.NDArray[np.float64]] = []
        self._above = np.zeros(len(_CLIP_STEPS), np.int64)

    def take(self, pcm: Pcm) -> None:
        """Take the next block: one of `blocks`."""
        self._levels.append(window_levels(pcm))
        self._bands.append(_bands(pcm))
        loud = np.abs(pcm.astype(np.int32))
        self._above += [np.count_nonzero(loud >= step * FULL_SCALE) for step in _CLIP_STEPS]

    def result(self) -> ReplySound | None:
        """Return how what was taken sounds; None for silence."""
        levels = np.concatenate(self._levels or [np.empty(0)])
        active = active_windows(levels)
        if not active.any():
            return None
        samples = int(np.count_nonzero(active)) * WINDOW
        return ReplySound(
            level_dbfs=_mean_level(levels[active]),
            clipped_ratio=_clipped(self._above) / samples,
            bandwidth_hz=_bandwidth(np.concatenate(self._bands), active),
            longest_gap_s=longest_gap_s(levels),
        )


def blocks(pcm: Pcm) -> Iterator[Pcm]:
    """Yield audio in pieces of `BLOCK_S`; the last may be shorter."""
    size = round(BLOCK_S * RATE)
    return (pcm[start : start + size] for start in range(0, len(pcm), size))


async def reply_sound(heard: Pcm) -> ReplySound | None:
    """Return how a reply sounds, None for silence; microphone and ear go on meanwhile.

    Args:
        heard: From the first sound of the reply on, to its last or later.
    """
    sound = SoundOfReply()
    for block in blocks(heard):
        sound.take(block)
        await asyncio.sleep(0)
    return sound.result()


def active_windows(levels: Levels) -> Mask:
    """Tell which windows are speech, in the manner of ITU-T P.56.

    As there, speech is within 15.9 dB below the level that it has itself, and a pause shorter than
    0.2 s belongs to it. Simplified: the envelope is the RMS of windows of 5 ms where P.56 smooths
    the rectified signal twice with 30 ms; and 0.2 s are not added at the end of each utterance,
    so that the level of words with long pauses between them reads up to 0.8 dB higher.
    """
    threshold = SILENCE_DB + 1
    active = levels >= threshold
    while active.any():
        # From below: a click, however loud, has no share in the mean over all that is not silence.
        higher = _mean_level(levels[active]) - MARGIN_DB
        if higher <= threshold + _ENOUGH_DB:
            break
        threshold = higher
        active = _bridged(levels >= threshold)
    return active


def active_level(pcm: npt.NDArray[np.int16] | npt.NDArray[np.float64]) -> float:
    """Return the level in dBFS that a sound has while it is speech; of silence, `SILENCE_DB`.

    Args:
        pcm: Samples of the range of 16 bits.
    """
    levels = window_levels(np.clip(pcm, -32768, 32767).astype(np.int16))
    active = active_windows(levels)
    return _mean_level(levels[active]) if active.any() else SILENCE_DB


FULL_SCALE = 32768
_CLIP_STEPS = (0.50, 0.60, 0.85)
_TAIL = 0.1
"""So many samples of speech that was not clipped are above 0.85, as a share of those from 0.5 to
0.6, or fewer."""


def _clipped(above: npt.NDArray[np.int64]) -> float:
    """Return how many samples were at full scale before they were encoded.

    A codec smears flat tops: of samples that were at full scale a quarter comes back below 0.9 of
    it, some above. So not the samples at full scale are counted, but those above 0.85, less as many
    as there would be without clipping, by those between 0.5 and 0.6: the distribution of speech
    falls smoothly, and what was clipped stands above it. (After Eaton and Naylor, "Detection of
    clipping in coded speech signals", EUSIPCO 2013, who read clipping from such a histogram. The
    constants are our own: docs/measurement.md has what they were tried with.)

    Args:
        above: Samples louder than each of `_CLIP_STEPS`.
    """
    above_50, above_60, above_85 = map(float, above)
    return max(0.0, above_85 - _TAIL * (above_50 - above_60))


FRAME_WINDOWS = 4
"""Windows in a frame whose spectrum is taken: 20 ms."""
_FRAME = FRAME_WINDOWS * WINDOW
_BINS = 4
BAND_HZ = _BINS * RATE / _FRAME
"""Width of the bands in which energy is looked for."""

FLOOR_DB = 50.0
"""A band that is quieter than the loudest by more is empty."""

QUIET_MARGIN_DB = 10.0
"""A band with energy is louder by this than it is in the pauses."""

LOUD_SHARE = 0.95
"""A band is as loud as in the loudest twentieth of the frames: only some sounds reach the top."""

STEP_DB = 7.0
"""Opus encodes the level of bands up to 4.4 kHz wide, and so fills the rest of one that ends within
it, less loudly. Where a spectrum falls by so much at once the rest is of that kind ..."""

STEP_FROM_HZ = 8000.0
"""... from here on: below, its bands are narrower than our tolerance, and voices have gaps."""


def _bandwidth(bands: npt.NDArray[np.float64], active: Mask) -> float:
    """Return the highest frequency at which speech has energy, in steps of 200 Hz.

    Energy above the floor: within 50 dB of the loudest band, and 10 dB above that band's own level
    in the pauses, where there are any.

    Args:
        bands: Power of each frame in each band.
        active: Which windows are speech.
    """
    frames = len(active) // FRAME_WINDOWS
    speech = active[: frames * FRAME_WINDOWS].reshape(frames, FRAME_WINDOWS)
    bands = bands[:frames]
    loud, quiet = bands[speech.all(axis=1)], bands[~speech.any(axis=1)]
    if not len(loud):
        return 0.0
    levels = 10 * np.log10(np.quantile(loud, LOUD_SHARE, axis=0))
    floor = np.full(len(levels), levels.max() - FLOOR_DB)
    if len(quiet):
        floor = np.maximum(floor, 10 * np.log10(quiet.mean(axis=0)) + QUIET_MARGIN_DB)
    top = int(np.flatnonzero(levels >= floor).max(initial=0)) + 1
    return (_first_step(levels, top) - 0.5) * BAND_HZ


def _first_step(levels: Levels, top: int) -> int:
    """Return the first band at which the spectrum falls at once; `top` if it never does."""
    for band in range(round(STEP_FROM_HZ / BAND_HZ), min(top, len(levels) - 3)):
        if levels[band - 3 : band].mean() - levels[band + 1 : band + 4].mean() >= STEP_DB:
            return band
    return top


def _bands(pcm: Pcm) -> npt.NDArray[np.float64]:
    """Return the power of each frame in each band; the last of the spectrum is left out."""
    frames = len(pcm) // _FRAME
    waves = pcm[: frames * _FRAME].reshape(frames, _FRAME) * np.hanning(_FRAME)
    power = np.abs(np.fft.rfft(waves, axis=1)[:, :-1]) ** 2
    bands: npt.NDArray[np.float64] = power.reshape(frames, _FRAME // 2 // _BINS, _BINS).sum(axis=2)
    return bands + 1.0  # digital silence has no logarithm


def runs(levels: Sequence[float], threshold_db: float) -> Iterator[tuple[int, int]]:
    """Yield the windows [start, end) of each stretch of sound that is no click.

    Pauses below 0.2 s belong to it.
    """
    loud = np.asarray(levels, np.float64) >= threshold_db
    edges = np.flatnonzero(np.diff(_bridged(loud), prepend=False, append=False))
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if np.count_nonzero(loud[start:end]) >= _LEAST:
            yield start, end


_LEAST = round(0.03 / WINDOW_S)

Span = tuple[float, float]
"""Begin and end of a sound, in seconds."""


def seconds(spans: Iterable[Span]) -> float:
    """Return for how long there is sound in any of the spans."""
    return sum(end - begin for begin, end in _merged(spans))


def overlap_s(one: Iterable[Span], other: Iterable[Span]) -> float:
    """Return for how long there is sound in both."""
    ours, theirs = list(one), list(other)
    return seconds(ours) + seconds(theirs) - seconds([*ours, *theirs])


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    reached = float("-inf")
    for begin, end in sorted(spans):
        if end > reached:
            yield max(begin, reached), end
            reached = end


def _mean_level(levels: Levels) -> float:
    return float(10 * np.log10(np.mean(10 ** (levels / 10))))


def _bridged(loud: Mask) -> Mask:
    """Return the windows with the short pauses between loud ones filled."""
    filled, at = loud.copy(), np.flatnonzero(loud)
    gaps = np.diff(at)
    for before in np.flatnonzero((gaps > 1) & (gaps * WINDOW_S <= HANGOVER_S)).tolist():
        filled[at[before] : at[before + 1]] = True
    return filled
