"""What DNSMOS makes of replies: the order is that of listeners, and the scale is theirs."""

import os
from functools import cache
from importlib.util import find_spec

import numpy as np
import pytest

from exporter.outcome import Mos
from exporter.rtc.clip import shipped_clips
from exporter.rtc.levels import RATE, Pcm
from exporter.rtc.mos import mos

MISSING = [name for name in ("onnxruntime", "speechmos") if find_spec(name) is None]
# At home skipped without the extra; under CI a test run without it fails.
pytestmark = pytest.mark.skipif(
    bool(MISSING) and not os.environ.get("CI"), reason=f"not installed: {', '.join(MISSING)}"
)

LONG_S = 20.0
"""Two segments, and something between them."""


def speech(seconds: float = 0.0) -> Pcm:
    """Return speech, said again and again for so many seconds; once if 0."""
    said = [clip.pcm[clip.speech_start : clip.speech_end] for clip in shipped_clips()]
    once = np.concatenate(said)
    return np.resize(once, round(seconds * RATE)) if seconds else once


def noisy(pcm: Pcm, snr_db: float) -> Pcm:
    """Return it with white noise, of which the whole band of 24 kHz has that much less power."""
    power = np.mean(pcm.astype(np.float64) ** 2)
    noise = np.random.default_rng(1).standard_normal(len(pcm))
    mixed = pcm + noise * np.sqrt(power / 10 ** (snr_db / 10))
    heard: Pcm = np.clip(mixed, -32768, 32767).astype(np.int16)
    return heard


def score(pcm: Pcm) -> Mos:
    """Return the score of what has speech in it, after a look at its bounds."""
    found = mos(pcm)
    assert found is not None
    for value in (found.signal, found.background, found.overall):
        assert 1.0 <= value <= 5.0
    return found


@cache
def clean_score() -> Mos:
    """Return the score of clean speech; one score takes a second."""
    return score(speech())


def test_noise_is_heard() -> None:
    """Clean speech is better than with noise at 20 dB, and that than with noise at 0 dB."""
    clean = clean_score()
    some, much = (score(noisy(speech(), snr_db)) for snr_db in (20, 0))
    assert clean.background > some.background > much.background
    assert clean.overall > some.overall > much.overall
    assert clean.overall > much.overall + 0.5


def test_the_level_alone_changes_little() -> None:
    """Half as loud and a quarter as loud is not half as good."""
    for part in (2, 4):
        quiet = score((speech() // part).astype(np.int16))
        assert quiet.overall == pytest.approx(clean_score().overall, abs=0.3)


def test_the_silence_after_a_reply_is_no_part_of_it() -> None:
    """How long we waited for more changes little: where the speech ends is found anew."""
    waited = np.concatenate([speech(), np.zeros(12 * RATE, np.int16)])
    assert score(waited).overall == pytest.approx(clean_score().overall, abs=0.2)


@pytest.mark.long
def test_a_long_reply_is_scored_at_both_ends() -> None:
    """Noise in its last seconds alone shows; what is all clean is as good as a short one."""
    clean = speech(LONG_S)
    worse = np.concatenate([clean[: -9 * RATE], noisy(clean[-9 * RATE :], 0)])
    assert score(clean).overall > score(worse).overall > score(noisy(clean, 0)).overall
    assert score(clean).overall == pytest.approx(clean_score().overall, abs=0.3)


@pytest.mark.parametrize("pcm", [np.zeros(RATE, np.int16), np.zeros(0, np.int16)])
def test_silence_has_no_score(pcm: Pcm) -> None:
    """Nobody would say anything of it."""
    assert mos(pcm) is None


def test_half_a_second_is_enough() -> None:
    """A reply of one word has a score, too."""
    score(speech()[: RATE // 2])
