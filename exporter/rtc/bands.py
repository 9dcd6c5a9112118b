"""Band limits without delay, and a telephone's codec.

The band is cut in the spectrum, which shifts no frequency: nothing moves in time.
"""

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from exporter.rtc.levels import RATE, Pcm

Wave = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Band:
    """What passes: at both ends the amplitude is half, and falls along half a cosine."""

    low_hz: float
    high_hz: float
    slope_hz: float
    """Width of each of the two slopes."""


NOISE_BAND = Band(50.0, 8000.0, 40.0)
TELEPHONE_BAND = Band(300.0, 3400.0, 100.0)


def limited_loop(wave: Wave, band: Band) -> Wave:
    """Return one round of a loop with that band alone."""
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    rise = np.clip((hz - band.low_hz) / band.slope_hz + 0.5, 0, 1)
    fall = np.clip((band.high_hz - hz) / band.slope_hz + 0.5, 0, 1)
    gain = np.sin(np.pi / 2 * rise) ** 2 * np.sin(np.pi / 2 * fall) ** 2
    limited: Wave = np.fft.irfft(np.fft.rfft(wave) * gain, len(wave))
    return limited


def limited(wave: Wave, band: Band) -> Wave:
    """Return a sound between silences with that band alone, as long as before."""
    around = round(4 / band.slope_hz * RATE)  # what rings on does not come back at the other end
    padded = np.concatenate([np.zeros(around), wave, np.zeros(around)])
    return limited_loop(padded, band)[around : around + len(wave)]


STEP = RATE // 8000
"""Samples for one of the telephone's."""
MARGIN = 20 * STEP
"""Samples that `companded` needs before and after those that it returns."""


def companded(pcm: Pcm) -> Pcm:
    """Return what a telephone makes of a sound: 8000 samples a second, each in 8 bits of mu-law.

    Nothing moves in time: the filter that goes back to 48 kHz is symmetric.

    Args:
        pcm: Nothing above 4 kHz; `MARGIN` samples more than wanted at both ends. Where a stream
            is taken in parts, each has to begin at a multiple of `STEP`.
    """
    wide = np.zeros(len(pcm))
    wide[::STEP] = _mu_law()[pcm[::STEP].astype(np.int32) + 32768]
    smooth = np.convolve(wide, _interpolation(), "valid")
    return np.clip(np.rint(smooth), -32768, 32767).astype(np.int16)


@cache
def _mu_law() -> Pcm:
    """Return what each of the 65536 samples is once it was encoded by G.711 and decoded."""
    import soundfile  # noqa: PLC0415 - only where a call sounds like a telephone

    every = np.arange(-32768, 32768).astype(np.int16)
    coded = io.BytesIO()
    soundfile.write(coded, every, 8000, format="RAW", subtype="ULAW")
    coded.seek(0)
    form = {"format": "RAW", "subtype": "ULAW", "samplerate": 8000, "channels": 1}
    decoded: Pcm = soundfile.read(coded, dtype="int16", **form)[0]
    return decoded


@cache
def _interpolation() -> Wave:
    """Return a low-pass filter at 4 kHz; what is above 4.6 kHz, it weakens by 60 dB."""
    at = np.arange(-MARGIN, MARGIN + 1)
    taps: Wave = np.sinc(at / STEP) * np.kaiser(len(at), 6.0)
    return taps
