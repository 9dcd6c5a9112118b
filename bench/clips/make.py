"""Make the caller's built-in utterances and sounds, exporter/rtc/clips/*.wav.

    python -m bench.clips.make           write the clips
    python -m bench.clips.make --check   fail when they are not what this file makes
    python -m bench.clips.make --judge   show why these sentences and voices were chosen

The clips are part of the measurement: an agent waits longer after an utterance that does not sound
finished. CLIPS are three that the local end-of-turn model takes for finished with the widest
margin among some 2,000 combinations of sentence, voice, speed and melody, of those that
pocketsphinx understands word by word: their worst probabilities over 0.15 to 0.4 s of silence are
0.6 to 0.7, the model's threshold 0.36; a plain "What time is it, please?" reads 0.17, and the agent
waits for its maximum delay. They have no pause inside.

Of the sounds of scenarios "Please stop it." reads 0.43 or more, and "I want to know," below
0.30 over 0.15 to 0.6 s of silence: that question goes on after any of its pauses. (After 1 s of
silence the model says 0.30 of everything.)
"""

import argparse
import sys
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.clips.sounds import babble, cough
from exporter.demo.speech import Samples, Sound, Voice, speak
from exporter.rtc.clip import BUILT_IN, SHIPPED

FOLDER = Path(__file__).parents[2] / "exporter" / "rtc" / "clips"
RATE = 24_000
_PEAK = 0.6
_EDGE_S = 0.05
_FADE_S = 0.003
"""A sound that stops within a sample clicks, and rings on where it is resampled."""
# The synthesizer lets its pitch tremble at random, so two runs differ sample by sample, but not
# in loudness over time: the same clip reads above 0.999, another voice 0.98, other words below 0.4.
_FRAME_S = 0.02
_LEAST_CORRELATION = 0.99


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance: what is said and how."""

    name: str
    """File name without its ending."""
    text: str
    voice: Voice
    edges_s: tuple[float, float] = (_EDGE_S, _EDGE_S)
    """Silence before and after it."""
    least: int = 100
    """A sample value (of 32767) below which its first and last sounds are cut off."""

    @property
    def file(self) -> Path:
        """Where it stands."""
        return FOLDER / f"{self.name}.wav"

    def sound(self) -> Sound:
        """Speak it."""
        spoken = speak(self.text, self.voice).trimmed(self.least).resampled(RATE).at_peak(_PEAK)
        return spoken.faded(_FADE_S).padded(*self.edges_s)


@dataclass(frozen=True, slots=True)
class Made:
    """A sound that is computed."""

    name: str
    make: Callable[[int], Sound]
    """Given the rate."""
    edges_s: tuple[float, float] = (0.0, 0.0)
    """Silence before and after it."""
    loop: bool = False
    """Without begin and end: known by its spectrum, where others are by their course."""

    @property
    def file(self) -> Path:
        """Where it stands."""
        return FOLDER / f"{self.name}.wav"

    def sound(self) -> Sound:
        """Make it."""
        return self.make(RATE).at_peak(_PEAK).padded(*self.edges_s)


_QUICK = Voice("en-us+f2", 220, 40, 99)
_CALM = Voice("en-us+f2", 200, 40, 99)
_CLEAR = 600
"""About the pause of a question, whose length is known: what is hardly heard would prolong it."""
_HUMMED = 1000
"""What fades away below it is 70 ms longer in some runs of the synthesizer than in others."""
CLIPS = tuple(
    Clip(name.removesuffix(".wav"), SHIPPED[name], voice)
    for name, voice in zip(SHIPPED, (_QUICK, _CALM, _CALM), strict=True)
)
SOUNDS: tuple[Clip | Made, ...] = (
    Clip("interruption", BUILT_IN["interruption"], Voice("en-us+f2", 180, 40, 99)),
    Clip("question_begun", "I want to know,", _CALM, (_EDGE_S, 0.0), _CLEAR),
    Clip("question_ended", "how much does it cost?", _CALM, (0.0, _EDGE_S), _CLEAR),
    Clip("backchannel", BUILT_IN["backchannel"], _QUICK, least=_HUMMED),
    Made("cough", cough, (_EDGE_S, _EDGE_S)),
    Made("babble", babble, loop=True),
)
"""What is heard in scenarios and on noisy lines."""
_ALTERNATIVES = (
    Clip("table", "I want to book a table for two.", Voice("en+f2", 220, 40, 99)),
    Clip("time", "I would like to know the time.", Voice("en+f2", 190, 50, 90)),
    Clip("plain", "What time is it, please?", Voice("en-us", 160, 50, 50)),
)


def read_wav(file: Path) -> Sound:
    """Return the sound in a WAV file of 16 bits, mono."""
    with wave.open(str(file)) as read:
        raw = read.readframes(read.getnframes())
        return Sound(np.frombuffer(raw, "<i2"), read.getframerate())


def difference(file: Path, wanted: Sound, *, loop: bool = False) -> str:
    """Say how a WAV file differs from what it should be; "" when it does not.

    Of a loop of many voices the course over time is another at each run, and the spectrum is not.
    """
    if not file.exists():
        return "it is missing"
    standing = read_wav(file)
    samples, rate = standing.samples, standing.rate
    if rate != wanted.rate:
        return f"its rate is {rate}, expected {wanted.rate}"
    if abs(len(samples) - len(wanted.samples)) > wanted.rate // 100:
        return f"it has {len(samples)} samples, expected {len(wanted.samples)}"
    course = _spectrum if loop else _loudness
    likeness = _correlation(course(samples, rate), course(wanted.samples, rate))
    if likeness < _LEAST_CORRELATION:
        return f"it sounds different (correlation {likeness:.3f})"
    return ""


def main() -> int:
    """Write, check or judge the clips; return the exit status."""
    parser = argparse.ArgumentParser(description="Make the caller's utterances.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    mode.add_argument("--judge", action="store_true", help="write nothing, compare alternatives")
    arguments = parser.parse_args()
    if arguments.judge:
        _judge()
        return 0
    every: tuple[Clip | Made, ...] = (*CLIPS, *SOUNDS)
    return max(_make(each, check=arguments.check) for each in every)


def _make(clip: Clip | Made, *, check: bool) -> int:
    """Write a clip that differs, or say so; return the exit status."""
    found = difference(clip.file, clip.sound(), loop=isinstance(clip, Made) and clip.loop)
    if found and check:
        sys.stderr.write(f"{clip.file}: {found}; run `make clips`\n")
        return 1
    if found:
        FOLDER.mkdir(parents=True, exist_ok=True)
        clip.file.write_bytes(clip.sound().wav())
        sys.stdout.write(f"wrote {clip.file}\n")
    return 0


def _judge() -> None:
    """Print what the end-of-turn model and the recogniser make of each."""
    from livekit.local_inference import EOT, EOT_MAX_SAMPLES  # noqa: PLC0415 - 240 MB

    from exporter.demo.recognition import Recognizer  # noqa: PLC0415

    model, recognizer = EOT(), Recognizer()
    sys.stdout.write("finished  seconds  heard as\n")
    spoken_sounds = [each for each in SOUNDS if isinstance(each, Clip)]
    for clip in (*CLIPS, *spoken_sounds, *_ALTERNATIVES):
        spoken = read_wav(clip.file) if clip.file.exists() else clip.sound()
        sound = spoken.trimmed().resampled(16_000)
        ends = (sound.padded(1.0, silence).samples for silence in (0.15, 0.25, 0.32, 0.4))
        worst = min(float(model.predict(end[-EOT_MAX_SAMPLES:].copy())) for end in ends)
        heard = recognizer.transcribe(sound)
        sys.stdout.write(f"{worst:8.2f}  {sound.seconds:7.2f}  {heard}   ({clip.text})\n")


def _loudness(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Return the root mean square of each frame."""
    size = round(rate * _FRAME_S)
    count = len(samples) // size
    frames = samples[: count * size].astype(np.float64).reshape(count, size)
    return np.asarray(np.sqrt(np.mean(frames**2, axis=1)))


def _spectrum(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Return the level of each band of 100 Hz."""
    power = np.abs(np.fft.rfft(samples[: len(samples) // rate * rate].astype(np.float64))) ** 2
    bands = power[1 : len(power) // 100 * 100 + 1]
    size = 100 * (len(samples) // rate)
    count = len(bands) // size
    return np.asarray(10 * np.log10(bands[: count * size].reshape(count, size).sum(axis=1) + 1.0))


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return how alike two courses are, -1 to 1; 0 when one of them does not move."""
    shared = min(len(one), len(other))
    if shared == 0 or np.ptp(one[:shared]) == 0 or np.ptp(other[:shared]) == 0:
        return 0.0
    return float(np.corrcoef(one[:shared], other[:shared])[0, 1])


if __name__ == "__main__":
    sys.exit(main())
