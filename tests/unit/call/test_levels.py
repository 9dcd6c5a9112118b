"""Loudness and the bounds of speech, on sounds whose samples are known one by one."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.rtc.levels import (
    RATE,
    WINDOW,
    Pcm,
    amplitude,
    longest_pause_s,
    speech_bounds,
    speech_threshold,
    window_levels,
)

LOUD = 8000
LOUD_DB = 20 * math.log10(LOUD / 32768)
HALF_A_SECOND = RATE // 2 // WINDOW


def windows(*lengths: int) -> Pcm:
    """Return silence, sound, silence and so on, each of so many windows, and half a second more.

    Every sample of the sound has one value, so that its level is known by arithmetic.
    """
    values = [
        value for place, length in enumerate(lengths) for value in [LOUD * (place % 2)] * length
    ]
    return np.repeat(np.array(values + [0] * HALF_A_SECOND, np.int16), WINDOW)


def test_each_window_has_its_own_level() -> None:
    """Windows of a constant value v have 20 log10(v / 32768); a broken one at the end has none."""
    values = (327, -3277, 32767, 0, -32768)
    pcm = np.repeat(np.array(values, np.int16), WINDOW)
    expected = [-40.02, -20.0, 0.0, -120.0, 0.0]
    assert window_levels(pcm) == pytest.approx(expected, abs=0.005)
    assert window_levels(pcm[:-1]) == pytest.approx(expected[:-1], abs=0.005)


def test_the_level_of_a_window_is_that_of_its_power() -> None:
    """A window of which a quarter is sound is 10 log10(4) dB quieter than a whole one."""
    pcm = np.zeros(WINDOW, np.int16)
    pcm[: WINDOW // 4] = LOUD
    assert window_levels(pcm) == pytest.approx([LOUD_DB - 10 * math.log10(4)])


@pytest.mark.parametrize(
    ("level_db", "value"), [(0.0, 32768), (-20.0, 3276.8), (-40.0, 327.68), (-60.0, 32.768)]
)
def test_twenty_decibels_are_a_tenth(level_db: float, value: float) -> None:
    """Amplitudes go by 20 dB per factor of ten, from full scale down."""
    assert amplitude(level_db) == pytest.approx(value)


@pytest.mark.parametrize(
    ("peak_db", "quiet_db", "expected"),
    [
        pytest.param(-20.0, -90.0, -50.0, id="30 dB below the loudest"),
        pytest.param(-20.0, -55.0, -45.0, id="10 dB above the noise"),
        pytest.param(-20.0, -40.0, -40.0, id="not less than 20 dB below the loudest"),
        pytest.param(-20.0, -20.0, -40.0, id="no quiet tenth"),
        pytest.param(-35.0, -90.0, -60.0, id="-60 dBFS are silence"),
        pytest.param(-50.0, -90.0, -70.0, id="except in a recording that is hardly louder"),
    ],
)
def test_threshold_of_a_recording(peak_db: float, quiet_db: float, expected: float) -> None:
    """It follows from the loudest window and the quiet tenth."""
    levels = np.array([quiet_db] * 11 + [peak_db - 12.0] * 88 + [peak_db])
    assert speech_threshold(levels.clip(min=quiet_db)) == pytest.approx(expected)


@given(
    start=st.integers(0, 5 * WINDOW),
    length=st.integers(7 * WINDOW, 40 * WINDOW),
    value=st.sampled_from([LOUD, -LOUD, -32768]),
)
def test_speech_is_found_to_the_sample(start: int, length: int, value: int) -> None:
    """Wherever it lies between the windows, and whatever its sign."""
    pcm = np.zeros(start + length + RATE // 2, np.int16)
    pcm[start : start + length] = value
    assert speech_bounds(pcm) == (start, start + length)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        pytest.param((4, 6), (4, 10), id="30 ms are speech"),
        pytest.param((4, 5), None, id="25 ms are a click"),
        pytest.param((4, 4, 29, 4), (4, 41), id="two sounds 145 ms apart are one word"),
        pytest.param((4, 4, 30, 4), None, id="150 ms apart they are two clicks"),
        pytest.param((4, 5, 60, 20), (69, 89), id="a click before is left out"),
        pytest.param((4, 20, 60, 5), (4, 24), id="a click after is left out"),
        pytest.param((4, 20, 100, 20), (4, 144), id="two words are one utterance"),
        pytest.param((), None, id="nothing"),
    ],
)
def test_words_and_clicks(lengths: tuple[int, ...], expected: tuple[int, int] | None) -> None:
    """A sound is speech from 30 ms on, and sounds that are close together are one."""
    found = speech_bounds(windows(*lengths))
    assert found == ((0, 0) if expected is None else tuple(at * WINDOW for at in expected))


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        pytest.param((4, 20), 0.0, id="no pause"),
        pytest.param((4, 20, 1, 20), 0.005, id="one window"),
        pytest.param((4, 20, 40, 20, 60, 20, 10, 20), 0.3, id="the longest of three"),
        pytest.param((4, 20, 31, 5), 0.0, id="what lies before a click is no pause"),
        pytest.param((4, 5), 0.0, id="a click alone"),
        pytest.param((), 0.0, id="silence"),
    ],
)
def test_longest_pause(lengths: tuple[int, ...], expected: float) -> None:
    """Windows of silence between two of speech; neither the lead nor the tail is a pause."""
    assert longest_pause_s(windows(*lengths)) == pytest.approx(expected)


def test_a_recording_shorter_than_a_window_is_silent() -> None:
    """It has no levels, and so neither speech nor a pause."""
    pcm = np.full(WINDOW - 1, LOUD, np.int16)
    assert speech_bounds(pcm) == (0, 0)
    assert longest_pause_s(pcm) == 0.0
