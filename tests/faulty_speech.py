"""Speech with faults that are known by how it was made: a reply to be played, and its truth.

Shares no code with what measures it. The material is speech with noise under it that follows its
loudness, as fricatives do, so that there is energy at all frequencies.
"""

import math
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

RATE = 48_000
FULL_SCALE = 32_767
CLIP = Path(__file__).parents[1] / "exporter" / "rtc" / "clips" / "caller.wav"
SPEECH_S = (0.115, 1.2)
"""From its first loud sound to its last: where it begins and ends cannot be mistaken."""
FRICATION_DB = -22

Wave = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fault:
    """What a reply is like; it is said twice, with the gap between."""

    bandwidth_hz: float
    gap_s: float
    level_dbfs: float | None = None
    """Of the speech; None where clipping decides it."""
    clipped_ratio: float = 0.0


def reply(fault: Fault) -> tuple[npt.NDArray[np.int16], float]:
    """Return the samples, and the true level of the speech in dBFS."""
    speech = _band_limited(_material(), fault.bandwidth_hz)
    if fault.level_dbfs is not None:
        speech *= 32_768 * 10 ** (fault.level_dbfs / 20) / _rms(speech)
    else:
        ordered = np.sort(np.abs(speech))
        speech *= FULL_SCALE / ordered[-max(1, round(fault.clipped_ratio * len(speech)))]
    samples = np.clip(speech, -FULL_SCALE, FULL_SCALE).astype(np.int16)
    gap = np.zeros(round(fault.gap_s * RATE), np.int16)
    level = 20 * math.log10(_rms(samples.astype(np.float64)) / 32_768)
    return np.concatenate([samples, gap, samples]), level


def write(file: Path, samples: npt.NDArray[np.int16]) -> Path:
    """Write a WAV file of 48 kHz."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())
    return file


def _material() -> Wave:
    half, rate = soundfile.read(CLIP)
    begin, end = (round(seconds * rate) for seconds in SPEECH_S)
    half = half[begin:end]
    spectrum = np.fft.rfft(half)
    count = len(half) * RATE // rate
    speech = np.fft.irfft(np.concatenate([spectrum, np.zeros(count // 2 + 1 - len(spectrum))]))
    loudness = np.sqrt(np.convolve(speech**2, np.ones(480) / 480, "same"))
    noise = np.random.default_rng(1).standard_normal(len(speech))
    mixed: Wave = speech + noise * loudness * 10 ** (FRICATION_DB / 20)
    return mixed


def _band_limited(sound: Wave, highest_hz: float) -> Wave:
    spectrum = np.fft.rfft(sound)
    spectrum[round(highest_hz * len(sound) / RATE) :] = 0
    return np.fft.irfft(spectrum, len(sound))


def _rms(sound: Wave) -> float:
    return float(np.sqrt(np.mean(sound**2)))
