"""The time of a sample does not depend on how late the event loop was."""

import pytest

from exporter.call.levels import RATE
from exporter.call.sample_clock import FRAME, SampleClock

START = 100.0
FRAME_S = FRAME / RATE


def clock_of(lateness: list[float], start: float = START) -> SampleClock:
    """Return a clock that saw one frame for each lateness, in seconds."""
    clock = SampleClock()
    for number, late in enumerate(lateness):
        clock.arrived(start + number * FRAME_S + late)
    return clock


def test_frames_in_time_tell_the_time() -> None:
    """Sample i is delivered i / rate after the first frame."""
    clock = clock_of([0.0] * 100)
    assert clock.time_of(0) == pytest.approx(START)
    assert clock.time_of(20 * FRAME + 240) == pytest.approx(START + 0.205)


def test_late_frames_do_not_shift_it() -> None:
    """A burst of frames after a stall of 0.15 s leaves the time of its samples as it was."""
    stall = [max(0.0, 0.15 - number * FRAME_S) for number in range(15)]
    clock = clock_of([0.001] * 50 + stall + [0.0] * 60)
    assert clock.time_of(52 * FRAME) == pytest.approx(START + 0.52, abs=0.001)


def test_a_gap_in_the_stream_starts_the_clock_anew() -> None:
    """After frames have stopped for a second, samples are that second later."""
    clock = clock_of([0.0] * 100 + [1.0] * 100)
    assert clock.time_of(99 * FRAME) == pytest.approx(START + 0.99)
    assert clock.time_of(120 * FRAME) == pytest.approx(START + 2.2)


def test_a_time_finds_its_sample_and_back() -> None:
    """`sample_at` is the inverse of `time_of`, also for a time that has not come yet."""
    clock = clock_of([0.0] * 100)
    assert clock.sample_at(START + 0.5) == pytest.approx(0.5 * RATE, abs=1)
    assert clock.sample_at(START + 2.0) == pytest.approx(2.0 * RATE, abs=1)
    assert clock.sample_at(START - 1.0) == 0


def test_after_a_gap_a_time_finds_its_sample() -> None:
    """A second of standstill is a second for `sample_at` too."""
    clock = clock_of([0.0] * 100 + [1.0] * 100)
    assert clock.sample_at(START + 3.5) == pytest.approx(2.5 * RATE, abs=1)


def test_before_the_first_frame_there_is_no_sample() -> None:
    """A stream of which nothing has arrived is at its beginning."""
    assert SampleClock().sample_at(START) == 0
