"""What the caller says: a sound file, resampled once, with the bounds of its speech."""

import io
import struct
import wave
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from exporter.errors import ConfigError

if TYPE_CHECKING:
    from exporter.rtc.levels import Pcm

MIN_CLIP_S = 0.1
MAX_CLIP_S = 60.0
MAX_BYTES = 256 << 20
"""More than a minute of any sound."""
SHIPPED: Mapping[str, str] = MappingProxyType(
    {
        "caller.wav": "My order has not arrived yet.",
        "price.wav": "How much does it cost?",
        "thanks.wav": "Thank you very much.",
    }
)
"""What the caller says without a setting, in turn; bench/clips/make.py makes all clips."""

QUESTION = ("question_begun.wav", "question_ended.wav")
"""Two halves of one question, between which is silence of any length: after the first, the melody
says that more will come."""
QUESTION_PAUSES: Mapping[str, float] = MappingProxyType(
    {"pause_0.6": 0.6, "pause_1.2": 1.2, "pause_2": 2.0}
)
"""Built-in clips of that question, and the seconds of silence inside it."""
BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "interruption": "Please stop it.",
        "backchannel": "Mm-hmm.",
        "cough": "",
        **dict.fromkeys(QUESTION_PAUSES, "I want to know, how much does it cost?"),
    }
)
"""What the caller says in scenarios: the clips by name, and their words."""

UNKNOWN_SIZE = 0x7F000000
"""A WAV of so many bytes, or of none, was written by a service that did not know its length."""

REPAIR = "convert it: ffmpeg -i FILE -ac 1 -ar 48000 NEW.wav"


@dataclass(frozen=True, slots=True)
class Clip:
    """An utterance, ready to be sent.

    Attributes:
        pcm: 48 kHz mono samples.
        speech_start: First sample of speech.
        speech_end: The sample after the last one of speech; what follows is silence.
        longest_pause_s: Longest silence inside the speech; an agent may take it for the end.
        words: What is said; "" where it is not known.
    """

    pcm: "Pcm"
    speech_start: int
    speech_end: int
    longest_pause_s: float
    words: str = ""


def clip_length_s(path: Path | None) -> float:
    """Return how long an utterance is, in seconds; None is the longest clip that ships.

    Raises:
        ConfigError: As of `load_clip`.
    """
    if path is None:
        return max(map(_shipped_length_s, SHIPPED))
    from exporter.rtc.levels import RATE  # noqa: PLC0415 - numpy only where audio is touched

    return len(load_clip(path).pcm) / RATE


@cache
def _shipped_length_s(name: str) -> float:
    clip = files("exporter.rtc") / "clips" / name
    with as_file(clip) as shipped, wave.open(str(shipped), "rb") as file:
        return file.getnframes() / file.getframerate()


def load_clip(path: Path | None) -> Clip:
    """Load an utterance, resample it to 48 kHz and find its speech.

    Args:
        path: A WAV, FLAC or Ogg file, or None for the first clip that ships with the package.

    Raises:
        ConfigError: The file cannot be read, is no sound, not of a length to be said, or silent.
    """
    if path is None:
        return shipped_clips()[0]
    try:
        return _load(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error


def shipped_clips() -> tuple[Clip, ...]:
    """Return the clips that ship with the package, with their words."""
    return tuple(_shipped(name) for name in SHIPPED)


def _shipped(name: str) -> Clip:
    return replace(_from_package(name), words=SHIPPED[name])


def built_in_clip(name: str) -> Clip:
    """Return a clip of `BUILT_IN`, with its words."""
    if name not in QUESTION_PAUSES:
        return replace(_from_package(f"{name}.wav"), words=BUILT_IN[name])
    return _with_pause(QUESTION_PAUSES[name], BUILT_IN[name])


@cache
def _with_pause(seconds: float, words: str) -> Clip:
    """Return the question with digital silence of that length between its halves.

    Made here, and not shipped as one file: a silence that was resampled is none at its edges.
    """
    import numpy as np  # noqa: PLC0415 - numpy only where audio is touched

    from exporter.rtc.levels import RATE  # noqa: PLC0415

    begun, ended = map(_from_package, QUESTION)
    silence = np.zeros(round(seconds * RATE), np.int16)
    resumed = len(begun.pcm) + len(silence)
    return Clip(
        np.concatenate([begun.pcm, silence, ended.pcm]),
        begun.speech_start,
        resumed + ended.speech_end,
        seconds,
        words,
    )


def _from_package(name: str) -> Clip:
    with as_file(files("exporter.rtc") / "clips" / name) as file:
        return load_clip(file)


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
    import soundfile  # noqa: PLC0415

    from exporter.rtc.levels import RATE  # noqa: PLC0415

    try:
        with soundfile.SoundFile(io.BytesIO(_sized(path))) as file:
            rate, promised = file.samplerate, file.frames
            seconds = promised / rate
            if not MIN_CLIP_S <= seconds <= MAX_CLIP_S:
                expected = f"expected {MIN_CLIP_S:g} to {MAX_CLIP_S:g} s"
                raise ConfigError(f"{path}: {seconds:.1f} s long; {expected}")
            samples = file.read(always_2d=True)
    except (soundfile.SoundFileError, ValueError) as error:
        why = str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(".")
        raise ConfigError(f"{path}: no sound that can be read ({why}); {REPAIR}") from error
    if len(samples) < promised:
        raise _cut_off(path)
    whole = np.rint(np.nan_to_num(samples.mean(axis=1)) * 32768)
    pcm = np.clip(whole, -32768, 32767).astype(np.int16)
    return pcm if rate == RATE else resample(pcm, rate, RATE)


def _sized(path: Path) -> bytes:
    """Return the content of a sound file, with the size of its samples where a WAV has none.

    Raises:
        ConfigError: It is too large, or shorter than its header says.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES >> 20} MB; {REPAIR}")
    if content[:4] not in (b"RIFF", b"RF64"):
        return content
    at, promised = _data_chunk(content)
    there = len(content) - at
    if promised == 0 or promised >= UNKNOWN_SIZE:
        return content[: at - 4] + struct.pack("<I", there) + content[at:]
    if promised > there:
        raise _cut_off(path)
    return content


def _data_chunk(content: bytes) -> tuple[int, int]:
    """Return where the samples of a WAV file begin, and how many bytes of them it promises.

    Where the chunk is missing that is the end of the file: the library says what else is wrong.
    """
    at, wide = 12, UNKNOWN_SIZE
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        at += 8
        if name == b"ds64" and at + 16 <= len(content):  # of RF64: sizes of 64 bits
            _, wide = struct.unpack_from("<QQ", content, at)
        if name == b"data":
            return at, wide if content[:4] == b"RF64" else size
        at += size + size % 2
    return len(content), 1


def _cut_off(path: Path) -> ConfigError:
    return ConfigError(f"{path}: ends before its header says; copy or make it again")


def resample(pcm: "Pcm", rate: int, wanted: int) -> "Pcm":
    """Return the same sound at another rate, both in Hz."""
    import numpy as np  # noqa: PLC0415
    from livekit import rtc  # noqa: PLC0415 - soxr comes with the SDK

    resampler = rtc.AudioResampler(rate, wanted, quality=rtc.AudioResamplerQuality.HIGH)
    frame = rtc.AudioFrame(pcm.tobytes(), rate, 1, len(pcm))
    frames = [*resampler.push(frame), *resampler.flush()]
    return np.concatenate([np.frombuffer(bytes(f.data), np.int16) for f in frames])
