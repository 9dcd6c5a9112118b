"""Levels of speech and noise after ITU-T P.56; shares no code with the exporter.

For benches and tests: `clip_at` finds an utterance in noise, `snr_db` tells how far above the noise
an ear has heard it.
"""

import numpy as np
import numpy.typing as npt

Wave = npt.NDArray[np.float64]

RATE = 48_000
MARGIN_DB = 15.9
BRIDGED_S = 0.2
_STEP = RATE // 1000
"""The envelope moves slowly: every millisecond will do."""
_ABOUT = 8
"""Milliseconds before and after, over which it is averaged."""


def power_db(wave: Wave) -> float:
    """Return the mean power in dB, 0 is full scale of 16 bits."""
    return float(10 * np.log10(np.mean(np.square(wave / 32768)) + 1e-12))


def active_level_db(wave: Wave) -> float:
    """Return the active level of speech in the same dB: its energy over the time it is active.

    Active is what is within 15.9 dB below that level itself, and gaps shorter than 0.2 s. As in
    P.56, but without the 0.2 s that it adds after the last sound, which is much for a short clip.
    """
    power = np.square(wave[: len(wave) // _STEP * _STEP] / 32768).reshape(-1, _STEP).mean(axis=1)
    around = np.ones(2 * _ABOUT + 1) / (2 * _ABOUT + 1)
    envelope = np.convolve(power, around, "same")
    best = (np.inf, 0.0)
    for threshold_db in np.arange(-80, 0, 0.1):
        active = _bridged(np.flatnonzero(envelope >= 10 ** (threshold_db / 10)))
        if active:
            level = float(10 * np.log10(power.sum() / active))
            best = min(best, (abs(level - threshold_db - MARGIN_DB), level))
    return best[1]


def _bridged(loud: npt.NDArray[np.intp]) -> int:
    """Count milliseconds that are loud, and those in short gaps between them."""
    gaps = np.diff(loud) - 1
    return len(loud) + int(gaps[gaps < BRIDGED_S * 1000].sum())


def clip_at(heard: Wave, clip: Wave) -> int:
    """Return the sample of `heard` at which `clip` begins, by correlation: noise hides no clip."""
    size = 1 << int(np.ceil(np.log2(len(heard) + len(clip))))
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(clip, size))
    # Whitened in part: low pitch alone would make a blunt peak.
    spectrum /= np.sqrt(np.abs(spectrum)) + 1e-9
    return int(np.argmax(np.fft.irfft(spectrum, size)[: len(heard)]))


def snr_db(noisy: Wave, speech: Wave, noise: Wave) -> float:
    """Return the active level of speech above that of noise, where only their sum was heard.

    Args:
        noisy: The sum, at the samples of `speech`.
        speech: The utterance as it was before, at any level, for where it is active.
        noise: The noise alone, from another time.
    """
    alone = 10 ** (power_db(noise) / 10)
    voice = 10 ** (power_db(noisy) / 10) - alone
    return float(10 * np.log10(voice / alone)) + active_level_db(speech) - power_db(speech)
