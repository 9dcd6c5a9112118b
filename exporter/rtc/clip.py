"""What the caller says: a WAV file, resampled once, with the bounds of its speech."""

import wave
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import ConfigError

if TYPE_CHECKING:
    from exporter.rtc.levels import Pcm

MIN_CLIP_S = 0.1
MAX_CLIP_S = 60.0
DEFAULT_CLIP = "caller.wav"


@dataclass(frozen=True, slots=True)
class Clip:
    """An utterance, ready to be sent.

    Attributes:
        pcm: 48 kHz mono samples.
        speech_start: First sample of speech.
        speech_end: The sample after the last one of speech; what follows is silence.
        longest_pause_s: Longest silence inside the speech; an agent may take it for the end.
    """

    pcm: "Pcm"
    speech_start: int
    speech_end: int
    longest_pause_s: float


def clip_length_s(path: Path | None) -> float:
    """Return how long an utterance is, in seconds; None is the clip that ships.

    Raises:
        ConfigError: As of `check_wav`.
    """
    return _shipped_length_s() if path is None else check_wav(path)


@cache
def _shipped_length_s() -> float:
    with as_file(files("exporter.rtc") / "clips" / DEFAULT_CLIP) as shipped:
        return check_wav(shipped)


def check_wav(path: Path) -> float:
    """Refuse a file that cannot be an utterance; reads the header only.

    Returns:
        Its length in seconds.

    Raises:
        ConfigError: The file is no PCM WAV file, is empty, or is longer than a minute.
    """
    try:
        with wave.open(str(path), "rb") as file:
            frames, rate = file.getnframes(), file.getframerate()
            seconds = frames / rate
            width = file.getsampwidth() * file.getnchannels()
    except (OSError, EOFError, wave.Error, ZeroDivisionError) as error:
        raise ConfigError(f"{path}: not a PCM WAV file ({error})") from error
    if path.stat().st_size < frames * width:
        raise ConfigError(f"{path}: ends before the {seconds:.1f} s given in its header")
    if not MIN_CLIP_S <= seconds <= MAX_CLIP_S:
        raise ConfigError(
            f"{path}: {seconds:.1f} s long; expected {MIN_CLIP_S:g} to {MAX_CLIP_S:g} s"
        )
    return seconds


def load_clip(path: Path | None) -> Clip:
    """Load an utterance, resample it to 48 kHz and find its speech.

    Args:
        path: A WAV file, or None for the clip that ships with the package.

    Raises:
        ConfigError: The file is not a usable WAV file or holds no speech.
    """
    if path is None:
        with as_file(files("exporter.rtc") / "clips" / DEFAULT_CLIP) as shipped:
            return load_clip(shipped)
    check_wav(path)
    return _load(path, path.stat().st_mtime_ns)


@cache
def _load(path: Path, _mtime_ns: int) -> Clip:
    from exporter.rtc import levels  # noqa: PLC0415 - numpy only where audio is touched

    pcm = _mono_48k(path)
    start, end = levels.speech_bounds(pcm)
    if end == 0:
        raise ConfigError(f"{path}: silent; expected speech")
    return Clip(pcm, start, end, levels.longest_pause_s(pcm))


def _mono_48k(path: Path) -> "Pcm":
    import numpy as np  # noqa: PLC0415

    from exporter.rtc.levels import RATE  # noqa: PLC0415

    with wave.open(str(path), "rb") as file:
        width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
        raw = file.readframes(file.getnframes())
    if width == 1:  # the only unsigned format of WAV
        samples = (np.frombuffer(raw, np.uint8).astype(np.int16) - 128) << 8
    else:  # little-endian; the two upper bytes of each sample are its 16 bits
        octets = np.frombuffer(raw, np.uint8).reshape(-1, width)
        samples = np.ascontiguousarray(octets[:, -2:]).view("<i2").reshape(-1)
    mono = samples[: len(samples) // channels * channels].reshape(-1, channels).mean(axis=1)
    pcm = mono.astype(np.int16)
    return pcm if rate == RATE else _resample(pcm, rate, RATE)


def _resample(pcm: "Pcm", rate: int, wanted: int) -> "Pcm":
    import numpy as np  # noqa: PLC0415
    from livekit import rtc  # noqa: PLC0415 - soxr comes with the SDK

    resampler = rtc.AudioResampler(rate, wanted, quality=rtc.AudioResamplerQuality.HIGH)
    frame = rtc.AudioFrame(pcm.tobytes(), rate, 1, len(pcm))
    frames = [*resampler.push(frame), *resampler.flush()]
    return np.concatenate([np.frombuffer(bytes(f.data), np.int16) for f in frames])
