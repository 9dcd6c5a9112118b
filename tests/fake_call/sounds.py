"""What is heard in a fake call; each sound is made once for all tests."""

from functools import cache

import numpy as np

from exporter.probes.calibrate.echo import buzz
from exporter.rtc.clip import Clip
from exporter.rtc.levels import RATE, Pcm

UTTERANCE_S = 0.8
SOUND_S = 0.6
"""Length of a reply, or of each of its two halves."""
FILLER_S = 0.5


@cache
def voice(seconds: float, pitch_hz: int = 200) -> Pcm:
    """Return a sound that is loud from its first sample to its last; made once for all tests."""
    return buzz(seconds, pitch_hz=pitch_hz)


@cache
def utterance() -> Clip:
    """Return what the caller says: its end cannot be mistaken."""
    sound = voice(UTTERANCE_S, 140)
    return Clip(np.concatenate([sound, np.zeros(4800, np.int16)]), 0, len(sound), 0.0)


@cache
def noise(level_db: float) -> Pcm:
    """Return white noise of that level."""
    wave = np.random.default_rng(1).standard_normal(3 * RATE)
    return (wave * 32768 * 10 ** (level_db / 20)).clip(-32768, 32767).astype(np.int16)
