"""The time of a sample does not depend on how late the event loop was."""

import time

import pytest

from exporter.rtc.levels import RATE
from exporter.rtc.sample_clock import FRAME, SampleClock

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


@pytest.mark.parametrize(
    ("lateness", "frame", "expected"),
    [
        pytest.param([0.0] + [0.010] * 300, 150, 0.0, id="the first frame"),
        pytest.param([0.0] + [0.010] * 300, 200, 0.0, id="200 frames before: the last that helps"),
        pytest.param([0.0] + [0.010] * 300, 201, 0.010, id="201 frames before: too long ago"),
        pytest.param([0.010] * 300 + [0.0], 251, 0.0, id="49 frames later: the last that helps"),
        pytest.param([0.010] * 300 + [0.0], 250, 0.010, id="50 frames later: too far ahead"),
        pytest.param([0.0] * 100 + [0.019] * 100, 120, 0.0, id="19 ms later: the loop was late"),
        pytest.param([0.0] * 100 + [0.021] * 100, 120, 0.021, id="21 ms later: the stream stopped"),
    ],
)
def test_frames_around_tell_the_time(lateness: list[float], frame: int, expected: float) -> None:
    """The least late of two seconds before and half a second after; none from before a gap."""
    place = frame * FRAME
    assert clock_of(lateness).time_of(place) == pytest.approx(START + place / RATE + expected)


@pytest.mark.parametrize(
    ("lateness", "expected"),
    [
        pytest.param([0.0] + [0.010] * 199, 0.0, id="the last two seconds"),
        pytest.param([0.0] + [0.010] * 200, 0.010, id="longer ago"),
        pytest.param([0.0] * 100 + [0.019] * 50, 0.0, id="half a second of a late loop"),
        pytest.param([0.0] * 100 + [0.021] * 50, 0.021, id="half a second after a gap"),
        pytest.param([0.0] * 100 + [0.021] * 49, 0.0, id="not yet half a second after it"),
    ],
)
def test_the_latest_frames_tell_what_is_delivered_now(
    lateness: list[float], expected: float
) -> None:
    """A place in the stream is found by them, to the sample."""
    when = START + 30.0
    found = clock_of(lateness).sample_at(when)
    assert found == pytest.approx((30.0 - expected) * RATE, abs=1)


def test_what_has_not_arrived_is_delivered_now() -> None:
    """A sample that is overdue is not said to have come in time, nor one to come at its time."""
    before = time.monotonic()
    told = [SampleClock().time_of(0), SampleClock().time_of(RATE), clock_of([0.0]).time_of(RATE)]
    after = time.monotonic()
    assert all(before - 1e-6 <= each <= after + 1e-6 for each in told)
