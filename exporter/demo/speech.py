"""Speak: text to samples, by espeak-ng, whose library comes with the package espeakng-loader."""

import ctypes
import io
import threading
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from exporter.errors import ExporterError

Samples = NDArray[np.int16]
"""Mono sound, 16 bits a sample."""

# From the library's header speak_lib.h.
_OUTPUT_RETRIEVAL = 1
_DO_NOT_EXIT = 0x8000
_CHARS_UTF8 = 1
_OK = 0
_RATE, _PITCH, _RANGE = 1, 3, 4
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class SpeechError(ExporterError):
    """The speech library is missing, or refused a voice or a text."""


@dataclass(frozen=True, slots=True)
class Voice:
    """How something is said."""

    name: str = "en-us"
    """A voice of espeak-ng, with a variant after `+`: `en-us`, `en-gb+f3`."""
    words_per_minute: int = 160
    pitch: int = 50
    """0 to 100."""
    pitch_range: int = 50
    """0 (monotone) to 100: how far the melody rises and falls."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Mono samples and their rate."""

    samples: Samples
    rate: int
    """Samples a second."""

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate

    def resampled(self, rate: int) -> "Sound":
        """Return the same sound at another rate.

        The spectrum is cut at the lower of the two Nyquist frequencies, so nothing folds back.
        """
        if rate == self.rate or len(self.samples) == 0:
            return Sound(self.samples, rate)
        length = round(len(self.samples) * rate / self.rate)
        spectrum = np.fft.rfft(self.samples.astype(np.float64))
        scaled = np.fft.irfft(_fit(spectrum, length // 2 + 1), length) * (
            length / len(self.samples)
        )
        return Sound(np.clip(np.rint(scaled), -32768, 32767).astype(np.int16), rate)

    def padded(self, before_s: float, after_s: float) -> "Sound":
        """Return it with silence around it."""
        before = np.zeros(round(before_s * self.rate), np.int16)
        after = np.zeros(round(after_s * self.rate), np.int16)
        return Sound(np.concatenate([before, self.samples, after]), self.rate)

    def trimmed(self, threshold: int = 100) -> "Sound":
        """Return it from its first to its last sample above a threshold (of 32767)."""
        loud = np.flatnonzero(np.abs(self.samples.astype(np.int32)) > threshold)
        if len(loud) == 0:
            return Sound(self.samples[:0], self.rate)
        return Sound(self.samples[loud[0] : loud[-1] + 1], self.rate)

    def faded(self, seconds: float) -> "Sound":
        """Return it with so long a fade at both ends."""
        ramp = np.arange(1, round(seconds * self.rate) + 1) / round(seconds * self.rate)
        faded = self.samples.astype(np.float64)
        faded[: len(ramp)] *= ramp
        faded[len(faded) - len(ramp) :] *= ramp[::-1]
        return Sound(np.rint(faded).astype(np.int16), self.rate)

    def at_peak(self, level: float) -> "Sound":
        """Return it scaled so that its loudest sample has this part (0 to 1) of full scale."""
        peak = int(np.abs(self.samples.astype(np.int32)).max(initial=1))
        scaled = self.samples.astype(np.float64) * (level * 32767 / max(1, peak))
        return Sound(np.rint(scaled).astype(np.int16), self.rate)

    def louder(self, gain: float) -> "Sound":
        """Return it so many times as loud; what goes beyond full scale is clipped."""
        if gain == 1:
            return self
        scaled = self.samples.astype(np.float64) * gain
        return Sound(np.clip(np.rint(scaled), -32768, 32767).astype(np.int16), self.rate)

    def wav(self) -> bytes:
        """Return it as a WAV file: PCM, 16 bits, mono."""
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(self.rate)
            out.writeframes(self.samples.astype("<i2").tobytes())
        return buffer.getvalue()


def speak(text: str, voice: Voice | None = None) -> Sound:
    """Return the text, spoken. Any thread may call it; one at a time is served.

    Raises:
        SpeechError: The library is missing, or does not know the voice.
    """
    return _engine().speak(text, voice or Voice())


class _Engine:
    """The library, which has one state for the whole process."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise SpeechError(f"espeak-ng does not load: {error}") from error
        data = espeakng_loader.get_data_path().encode()
        self._rate = self._library.espeak_Initialize(_OUTPUT_RETRIEVAL, 0, data, _DO_NOT_EXIT)
        if self._rate <= 0:
            raise SpeechError("espeak-ng does not start: its data is missing or of another version")
        self._lock = threading.Lock()
        self._parts: list[Samples] = []
        # Kept, because the library keeps only its address.
        self._callback = _Callback(self._take)
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: Voice) -> Sound:
        with self._lock:
            if self._library.espeak_SetVoiceByName(voice.name.encode()) != _OK:
                raise SpeechError(f"espeak-ng has no voice {voice.name!r}")
            for parameter, value in _settings(voice):
                self._library.espeak_SetParameter(parameter, value, 0)
            self._parts = []
            raw = text.encode()
            status = self._library.espeak_Synth(raw, len(raw) + 1, 0, 0, 0, _CHARS_UTF8, None, None)
            self._library.espeak_Synchronize()
            if status != _OK:
                raise SpeechError(f"espeak-ng refused a text of {len(text)} characters")
            samples = np.concatenate(self._parts) if self._parts else np.zeros(0, np.int16)
            return Sound(samples, self._rate)

    def _take(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int) -> int:
        """Keep what the library hands over; its buffer is used again for the next part."""
        if count > 0:
            self._parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


@cache
def _engine() -> _Engine:
    return _Engine()


def _settings(voice: Voice) -> Iterable[tuple[int, int]]:
    return (
        (_RATE, voice.words_per_minute),
        (_PITCH, voice.pitch),
        (_RANGE, voice.pitch_range),
    )


def _fit(spectrum: NDArray[np.complex128], length: int) -> NDArray[np.complex128]:
    """Cut a spectrum, or fill it up with zeros."""
    fitted = np.zeros(length, np.complex128)
    shared = min(length, len(spectrum))
    fitted[:shared] = spectrum[:shared]
    return fitted
