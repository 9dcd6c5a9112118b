"""What becomes of the caller's voice before it is sent: noise, a poor microphone, levels."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from exporter.outcome import Sending
from exporter.rtc.bands import NOISE_BAND, TELEPHONE_BAND, limited, limited_loop
from exporter.rtc.clip import Clip, load_clip
from exporter.rtc.levels import RATE, Pcm, amplitude
from exporter.rtc.sound import active_level
from exporter.rtc.voice import Voice

Wave = npt.NDArray[np.float64]

LOOP_S = 10
"""Length of white and pink noise, after which it repeats."""
MOST = 32_000.0
"""The largest sample of utterance and noise together."""

WEAKENED_DB = {"white": 2.4, "pink": 1.8}
"""By so much Opus weakens a noise against speech: between words, where it takes few bits for what
is like no voice. So much louder it is sent, and arrives as it was set. Medians over built-in clips
at 24 and 48 kbit/s; babble is as speech to it."""
WEAKENED_TELEPHONE_DB = 0.9
"""The same within the band of a telephone."""
SPEECH_KBPS = (24.0, 64.0)
"""Bit rates of Opus at which that is so; the SDK's own is one of them. Below Opus weakens speech as
well, and above neither."""


class BadLine:
    """The voice of one call.

    Noise goes on at one level during the whole call. So all utterances are brought to one active
    level, that of the quietest: each is as far above the noise as was asked for. Where both
    together would be too loud for 16 bits, both become quieter. The ratio is that behind Opus.

    Args:
        sending: What is asked for.
        noise_file: Sound file of the noise, where it is not a built-in one.
        clips: What the caller says in the call.

    Raises:
        ConfigError: The file cannot be read any more.
    """

    def __init__(self, sending: Sending, noise_file: Path | None, clips: Sequence[Clip]) -> None:
        self._sending = sending
        self._noise: Pcm | None = None
        self._level_db: float | None = None
        if sending.snr_db is None:
            return
        shaped = [self._shaped(clip) for clip in clips]
        level_db = min(map(active_level, shaped))
        peak = max(np.abs(_at(each, active_level(each), level_db)).max() for each in shaped)
        loop = noise_loop(sending.noise, noise_file)
        if sending.low_quality_microphone:
            loop = limited_loop(loop, TELEPHONE_BAND)
        louder_db = 0.0 if noise_file else weakened_db(sending)
        loop *= amplitude(level_db - sending.snr_db + louder_db) / np.sqrt(np.mean(np.square(loop)))
        gain = min(1.0, MOST / (peak + np.abs(loop).max()))
        self._level_db = level_db + 20 * float(np.log10(gain))
        self._noise = _pcm(loop * gain)

    def take_over(self, voice: Voice) -> None:
        """Have all that this voice sends sound like that, from its begin on."""
        voice.sending = self._sending
        if self._noise is not None:
            voice.add_noise(self._noise)

    def clip(self, clip: Clip) -> Clip:
        """Return an utterance as it goes on this line; its bounds stay where they are."""
        wave = self._shaped(clip)
        if self._level_db is not None:
            wave = _at(wave, active_level(wave), self._level_db)
        return replace(clip, pcm=_pcm(wave))

    def _shaped(self, clip: Clip) -> Wave:
        wave = clip.pcm.astype(np.float64)
        return limited(wave, TELEPHONE_BAND) if self._sending.low_quality_microphone else wave


def weakened_db(sending: Sending) -> float:
    """Return by how many dB Opus weakens the noise of a line against the speech on it."""
    low, high = SPEECH_KBPS
    if sending.bitrate_kbps is not None and not low <= sending.bitrate_kbps <= high:
        return 0.0
    weakened = WEAKENED_DB.get(sending.noise, 0.0)
    return min(weakened, WEAKENED_TELEPHONE_DB) if sending.low_quality_microphone else weakened


def _at(wave: Wave, level_db: float, wanted_db: float) -> Wave:
    return wave * 10 ** ((wanted_db - level_db) / 20)


def _pcm(wave: Wave) -> Pcm:
    return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)


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
