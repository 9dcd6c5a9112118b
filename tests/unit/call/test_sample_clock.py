"""The time of a sample does not depend on how late the event loop was."""

import time

import pytest

from exporter.rtc.levels import RATE
from exporter.rtc.sample_clock import FRAME_MS, SampleClock
from tests.fake_call.devices import WAIT_S

START = 100.0
FRAME_S = FRAME_MS / 1000
FRAME = round(FRAME_S * RATE)


def clock_of(lateness: list[float], start: float = START) -> SampleClock:
    """Return a clock that saw one frame for each lateness, in seconds."""
    clock = SampleClock()
    for number, late in enumerate(lateness):
        clock.arrived(start + number * FRAME_S + WAIT_S + late)
    return clock


def test_frames_in_time_tell_the_time() -> None:
    """Sample i is delivered i / rate after the first one."""
    clock = clock_of([0.0] * 100)
    assert clock.time_of(0) == pytest.approx(START)
    assert clock.time_of(4 * FRAME + 240) == pytest.approx(START + 0.205)


@pytest.mark.parametrize("frame_ms", [10, 20, 50])
def test_the_length_of_the_frames_does_not_change_the_time(frame_ms: int) -> None:
    """A frame comes with its last 10 ms: its other samples were there before."""
    clock = SampleClock(frame_ms)
    for piece in range(100):  # the SDK takes one each 10 ms
        if (piece + 1) * 10 % frame_ms == 0:
            clock.arrived(START + piece * 0.010)
    times = [clock.time_of(sample) for sample in (0, 240, 4800, 47_000)]
    assert times == pytest.approx([START, START + 0.005, START + 0.1, START + 47_000 / RATE])


def test_late_frames_do_not_shift_it() -> None:
    """A burst of frames after a stall of 0.15 s leaves the time of its samples as it was."""
    stall = [max(0.0, 0.15 - number * FRAME_S) for number in range(3)]
    clock = clock_of([0.001] * 10 + stall + [0.0] * 12)
    assert clock.time_of(11 * FRAME) == pytest.approx(START + 0.55, abs=0.001)


def test_a_gap_in_the_stream_starts_the_clock_anew() -> None:
    """After frames have stopped for a second, samples are that second later."""
    clock = clock_of([0.0] * 20 + [1.0] * 20)
    assert clock.time_of(19 * FRAME) == pytest.approx(START + 0.95)
    assert clock.time_of(24 * FRAME) == pytest.approx(START + 2.2)


def test_a_time_finds_its_sample_and_back() -> None:
    """`sample_at` is the inverse of `time_of`, also for a time that has not come yet."""
    clock = clock_of([0.0] * 20)
    assert clock.sample_at(START + 0.5) == pytest.approx(0.5 * RATE, abs=1)
    assert clock.sample_at(START + 2.0) == pytest.approx(2.0 * RATE, abs=1)
    assert clock.sample_at(START - 1.0) == 0


def test_after_a_gap_a_time_finds_its_sample() -> None:
    """A second of standstill is a second for `sample_at` too."""
    clock = clock_of([0.0] * 20 + [1.0] * 20)
    assert clock.sample_at(START + 3.5) == pytest.approx(2.5 * RATE, abs=1)


@pytest.mark.parametrize("frames", [0, 4, 13, 14, 15])
def test_a_sample_is_sure_once_half_a_second_after_it_has_arrived(frames: int) -> None:
    """Its frame and nine more, wherever in its frame it lies."""
    clock = clock_of([0.0] * frames)
    assert [clock.is_sure_of(4 * FRAME + of) for of in (0, FRAME - 1)] == [frames >= 14] * 2


def test_before_the_first_frame_there_is_no_sample() -> None:
    """A stream of which nothing has arrived is at its beginning."""
    assert SampleClock().sample_at(START) == 0


@pytest.mark.parametrize(
    ("lateness", "frame", "expected"),
    [
        pytest.param([0.0] + [0.010] * 60, 30, 0.0, id="the first frame"),
        pytest.param([0.0] + [0.010] * 60, 40, 0.0, id="40 frames before: the last that helps"),
        pytest.param([0.0] + [0.010] * 60, 41, 0.010, id="41 frames before: too long ago"),
        pytest.param([0.010] * 60 + [0.0], 51, 0.0, id="9 frames later: the last that helps"),
        pytest.param([0.010] * 60 + [0.0], 50, 0.010, id="10 frames later: too far ahead"),
        pytest.param([0.0] * 20 + [0.019] * 20, 24, 0.0, id="19 ms later: the loop was late"),
        pytest.param([0.0] * 20 + [0.021] * 20, 24, 0.021, id="21 ms later: the stream stopped"),
    ],
)
def test_frames_around_tell_the_time(lateness: list[float], frame: int, expected: float) -> None:
    """The least late of two seconds before and half a second after; none from before a gap."""
    place = frame * FRAME
    assert clock_of(lateness).time_of(place) == pytest.approx(START + place / RATE + expected)


@pytest.mark.parametrize(
    ("lateness", "expected"),
    [
        pytest.param([0.0] + [0.010] * 39, 0.0, id="the last two seconds"),
        pytest.param([0.0] + [0.010] * 40, 0.010, id="longer ago"),
        pytest.param([0.0] * 20 + [0.019] * 10, 0.0, id="half a second of a late loop"),
        pytest.param([0.0] * 20 + [0.021] * 10, 0.021, id="half a second after a gap"),
        pytest.param([0.0] * 20 + [0.021] * 9, 0.0, id="not yet half a second after it"),
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
