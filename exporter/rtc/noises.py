"""Noise behind a caller: loops without a seam, of one level."""

from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from exporter.rtc.bands import NOISE_BAND, limited_loop
from exporter.rtc.clip import load_clip
from exporter.rtc.levels import RATE

Wave = npt.NDArray[np.float64]

LOOP_S = 10
"""Length of white and pink noise, after which it repeats."""


def noise_loop(kind: str, file: Path | None = None) -> Wave:
    """Return one round of a noise, at any level.

    Its band is `NOISE_BAND`, so that the ratio of speech to noise is the same for a recogniser at
    16 kHz as for one at 48 kHz.

    Args:
        kind: babble, pink or white; no matter where there is a file.
        file: A sound file with the noise.

    Raises:
        ConfigError: The file cannot be read any more.
    """
    if file is not None:
        return limited_loop(load_clip(file).pcm.astype(np.float64), NOISE_BAND)
    return _built_in(kind)


@cache
def _built_in(kind: str) -> Wave:
    if kind == "babble":
        with as_file(files("exporter.rtc") / "clips" / "babble.wav") as shipped:
            return noise_loop(kind, shipped)
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(LOOP_S * RATE))
    if kind == "pink":
        hz = np.fft.rfftfreq(LOOP_S * RATE, 1 / RATE)
        spectrum[1:] /= np.sqrt(hz[1:])  # power falls by 3 dB an octave
    return limited_loop(np.fft.irfft(spectrum), NOISE_BAND)
