"""When sound begins: above the noise, long enough, and not for a click."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.rtc.onset import (
    OnsetDetector,
    noise_level,
    quiet_level,
    sound_threshold,
    sounds,
)

QUIET = -90.0
VOICE = -18.0
THRESHOLD = -55.0


def onset_of(levels: list[float], threshold: float = THRESHOLD, first: int = 0) -> int | None:
    """Return the first onset that the detector finds in these windows of 5 ms."""
    detector = OnsetDetector(threshold, first)
    found = [detector.push(level) for level in levels]
    return next((window for window in found if window is not None), None)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        pytest.param([QUIET] * 20, None, id="silence"),
        pytest.param([QUIET] * 10 + [VOICE] * 6, 10, id="thirty milliseconds are enough"),
        pytest.param([QUIET] * 10 + [VOICE] * 5 + [QUIET] * 10, None, id="less are a click"),
        pytest.param(
            [QUIET] * 4 + [-19.0, -20.0, -33.0, -35.0, -40.0, -46.0, -52.0] + [QUIET] * 10,
            None,
            id="a click that the codec lets ring is a click",
        ),
        pytest.param(
            [QUIET] * 4 + [-39.0, -21.0, -22.0, -33.0, -26.0, -27.0, -42.0] + [QUIET] * 10,
            None,
            id="a click at 10 kbit/s, where the codec smears it",
        ),
        pytest.param(
            [QUIET] * 4 + [-47.0, -22.0, -25.0, -27.0, -21.0, -26.0, -41.0, -48.0] + [QUIET] * 10,
            None,
            id="another at 8 kbit/s",
        ),
        pytest.param(
            [QUIET] * 3 + [VOICE] * 3 + [QUIET] * 3 + [VOICE] * 3, 3, id="a dip of 15 ms is voice"
        ),
        pytest.param(
            [VOICE] * 2 + [QUIET] * 40 + [VOICE] * 10, 42, id="a click long before is forgotten"
        ),
        pytest.param(
            [QUIET] * 5 + [-50.0] * 4 + [VOICE] * 8, 5, id="a soft beginning belongs to the sound"
        ),
        pytest.param([VOICE] * 6, 0, id="sound from the first window"),
        pytest.param([THRESHOLD] * 6, 0, id="at the threshold it is sound"),
        pytest.param([THRESHOLD - 0.1] * 6, None, id="below the threshold it is none"),
        pytest.param(
            [VOICE] * 2 + [-45.0] * 20, 0, id="a voice that goes on softly after a loud beginning"
        ),
    ],
)
def test_onset(levels: list[float], expected: int | None) -> None:
    """The onset is the first window of the first sound that lasts."""
    assert onset_of(levels) == expected


def test_onset_counts_from_the_first_window_it_was_told() -> None:
    """Windows are numbered as in the stream, not from the first one that is pushed."""
    assert onset_of([QUIET] * 2 + [VOICE] * 6, first=1000) == 1002


def test_noise_is_not_sound() -> None:
    """On a line with noise of -50 dBFS only what is louder by a margin is sound."""
    noise = [-50.0, -49.0, -51.0, -48.5] * 10
    threshold = sound_threshold(noise_level(noise))
    assert onset_of(noise * 3, threshold) is None
    assert onset_of(noise + [VOICE] * 8, threshold) == 40


def test_loud_noise_does_not_deafen() -> None:
    """What is as loud as speech is not taken for noise, so speech is still heard."""
    assert sound_threshold(noise_level([-12.0] * 50)) < VOICE


def test_without_noise_the_threshold_is_what_a_person_hears() -> None:
    """Digital silence does not make the detector hear what nobody would."""
    assert sound_threshold(noise_level([-120.0] * 50)) == THRESHOLD
    assert sound_threshold(noise_level([])) == THRESHOLD


def test_a_loud_beginning_is_its_own_measure_for_60_ms() -> None:
    """What is more than 10 dB softer counts as ringing until the loud windows are that far back."""
    detector = OnsetDetector(THRESHOLD, 0)
    found = [detector.push(level) for level in [VOICE] * 2 + [-45.0] * 12]
    assert found == [None] * 13 + [0]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        pytest.param([-70.0, -60.0], -70.0, id="one window where there are few"),
        pytest.param([-70.0, -60.0, -50.0, *[VOICE] * 7], -70.0, id="one of ten"),
        pytest.param([-70.0, -60.0, -50.0, *[VOICE] * 17], -60.0, id="the louder of two"),
        pytest.param([-70.0, -60.0, -50.0, *[VOICE] * 27], -60.0, id="the middle one of three"),
    ],
)
def test_the_quiet_tenth_is_the_noise_of_a_line_that_speaks(
    levels: list[float], expected: float
) -> None:
    """Its median, in whatever order the windows came."""
    assert quiet_level(levels[::-1]) == expected


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        pytest.param([VOICE] * 6 + [QUIET] * 34, True, id="from 200 to 170 ms ago"),
        pytest.param([VOICE] * 6 + [QUIET] * 35, False, id="one window of it is longer ago"),
        pytest.param([QUIET] * 35 + [VOICE] * 5, False, id="a click"),
        pytest.param([QUIET] * 34 + [THRESHOLD] * 6, True, id="at the threshold"),
        pytest.param([-50.0] * 40, False, id="noise"),
        pytest.param([-50.0] * 34 + [-40.0] * 6, True, id="above the noise by its margin"),
    ],
)
def test_somebody_speaks_now(levels: list[float], expected: bool) -> None:
    """Thirty milliseconds within the last 200 ms are speech, if louder than the line's noise."""
    assert sounds(levels) is expected


@given(st.lists(st.floats(-120, 0), min_size=1, max_size=100).filter(lambda all_: len(all_) % 2))
def test_noise_is_the_median_of_the_line(levels: list[float]) -> None:
    """Half of the windows are louder; what is louder than -30 dBFS is no noise."""
    assert noise_level(levels) == min(statistics.median(levels), -30.0)


LEVELS = st.lists(st.sampled_from([QUIET, -54.0, -40.0, VOICE]), max_size=40)


@given(LEVELS, st.integers(-40, 40))
def test_only_differences_of_levels_matter(levels: list[float], louder_db: int) -> None:
    """All of it louder, and the threshold too: the onset is where it was."""
    louder = [level + louder_db for level in levels]
    assert onset_of(louder, THRESHOLD + louder_db) == onset_of(levels)


@given(LEVELS)
def test_silence_before_moves_the_onset_and_changes_nothing(levels: list[float]) -> None:
    """A click or a dip before it would have been forgotten, too."""
    after = onset_of([*[QUIET] * 20, *levels])
    alone = onset_of(levels)
    assert after == (None if alone is None else alone + 20)
