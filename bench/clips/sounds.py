"""Sounds that are no utterance: a cough, and a room full of people who talk. Computed, not taken.

Both are the same at each call: their random numbers have a seed, and espeak-ng needs none.
"""

import numpy as np
from numpy.typing import NDArray

from exporter.demo.speech import Sound, Voice, speak

BABBLE_S = 8.0
"""After so long it repeats."""
_TALKERS = tuple(
    Voice(f"en-us+{variant}", words, pitch, 60)
    for variant, words, pitch in (
        ("m1", 170, 40),
        ("f1", 185, 55),
        ("m3", 160, 35),
        ("f2", 200, 45),
        ("m4", 180, 50),
        ("f3", 165, 60),
        ("m7", 190, 30),
        ("f4", 175, 50),
    )
)
"""Eight, as in most studies of babble: of fewer single words are understood."""
_TALK = (
    "We had better take the early train tomorrow.",
    "She said that the garden needs some rain.",
    "Nobody ever found the other glove.",
    "Put both boxes next to the kitchen door.",
    "His brother works at the harbour in summer.",
    "There were forty people at the concert last night.",
    "I have not read that book since school.",
    "They are painting the bridge green again.",
)


def babble(rate: int) -> Sound:
    """Return eight people who talk at once, in a loop without a seam."""
    mixed = np.zeros(round(BABBLE_S * rate))
    for number, voice in enumerate(_TALKERS):
        said = _talk(number, voice, rate)
        # What is left over at the end is said over the begin: no word is cut in two.
        at = (np.arange(len(said)) + number * len(mixed) // len(_TALKERS)) % len(mixed)
        np.add.at(mixed, at, said)
    return _sound(mixed, rate)


def _talk(number: int, voice: Voice, rate: int) -> NDArray[np.float64]:
    """Return what one of them says, at the same level as all others."""
    parts: list[NDArray[np.float64]] = []
    while sum(map(len, parts)) < BABBLE_S * rate:
        text = _TALK[(number + len(parts)) % len(_TALK)]
        parts.append(speak(text, voice).resampled(rate).samples.astype(np.float64))
    said = np.concatenate(parts)
    level: float = np.sqrt(np.mean(np.square(said)))
    return said / level


COUGH_S = 0.38


def cough(rate: int) -> Sound:
    """Return a cough: a burst as the glottis opens, the breath after it, and a short voiced end.

    Lengths and the course of loudness follow the three phases that are described of a voluntary
    cough; the timbre is noise through three resonances of an open mouth.
    """
    t = np.arange(round(COUGH_S * rate)) / rate
    noise = np.random.default_rng(7).standard_normal(len(t))
    burst = _rise(t, 0.0, 0.008) * np.exp(-t / 0.045)
    breath = 0.22 * _rise(t, 0.03, 0.05) * np.exp(-np.maximum(0.0, t - 0.2) / 0.05)
    voiced = 0.35 * _rise(t, 0.21, 0.03) * np.exp(-np.maximum(0.0, t - 0.25) / 0.04)
    buzz = np.sign(np.sin(2 * np.pi * (190 * t - 120 * t**2))) + 0.5 * noise
    source = noise * (burst + breath) + buzz * voiced
    return _sound(_through_mouth(source, rate) * _rise(COUGH_S - t, 0.0, 0.02), rate)


def _rise(t: NDArray[np.float64], begin_s: float, length_s: float) -> NDArray[np.float64]:
    return np.clip((t - begin_s) / length_s, 0.0, 1.0)


def _through_mouth(source: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Return a sound through resonances at 700, 1500 and 2900 Hz."""
    spectrum: NDArray[np.complex128] = np.fft.rfft(source, 2 * len(source))
    hz = np.fft.rfftfreq(2 * len(source), 1 / rate)
    gain = sum(1 / (1 + ((hz - peak) / wide) ** 2) for peak, wide in ((700, 250), (1500, 350)))
    gain += 0.5 / (1 + ((hz - 2900) / 600) ** 2) + 0.03
    return np.fft.irfft(spectrum * gain)[: len(source)]


def _sound(wave: NDArray[np.float64], rate: int) -> Sound:
    scaled = wave * (32_000 / np.abs(wave).max())
    return Sound(np.rint(scaled).astype(np.int16), rate)
