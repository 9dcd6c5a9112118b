"""What happens to packets: the same by the same seed, and as much as was set."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.rtc.relay.impairment import QUEUE_S, Drop, Impairment, Schedule

PACKET_S = 0.02
SIZE = 172
"""With the headers of UDP and IP 200 bytes: 80 kbit/s at 50 packets a second."""


def decided(line: Impairment, packets: int, seed: str = "1") -> list[float | Drop]:
    """Return what becomes of packets of 20 ms each: by how long each is delayed, or why not."""
    schedule, found = Schedule(line, seed), list[float | Drop]()
    for number in range(packets):
        due = schedule.decide(number * PACKET_S, SIZE)
        found.append(due if isinstance(due, Drop) else due - number * PACKET_S)
    return found


def bursts(found: list[float | Drop]) -> list[int]:
    """Return the lengths of all rows of lost packets."""
    text = "".join("x" if each is Drop.LOST else " " for each in found)
    return [len(each) for each in text.split()]


def test_a_good_line_does_nothing() -> None:
    """By default every packet is due when it comes."""
    assert decided(Impairment(), 100) == [0.0] * 100


def test_the_same_seed_has_the_same_packets_lost() -> None:
    """Another seed has others."""
    line = Impairment(loss=0.1, burst=2, jitter_s=0.02)
    assert decided(line, 500) == decided(line, 500)
    assert decided(line, 500) != decided(line, 500, seed="2")


def test_more_jitter_loses_no_other_packets() -> None:
    """Each has random numbers of its own."""
    without, with_jitter = (
        decided(Impairment(loss=0.1, jitter_s=jitter_s), 500) for jitter_s in (0.0, 0.05)
    )
    lost = [each is Drop.LOST for each in without]
    assert [each is Drop.LOST for each in with_jitter] == lost


@pytest.mark.parametrize("loss", [0.0, 0.02, 0.1, 0.5])
@pytest.mark.parametrize("burst", [1.0, 3.0])
def test_as_many_are_lost_as_was_set(loss: float, burst: float) -> None:
    """Within four standard deviations; losses in bursts vary more by the root of their length."""
    packets = 20_000
    lost = sum(each is Drop.LOST for each in decided(Impairment(loss=loss, burst=burst), packets))
    deviation = math.sqrt(packets * loss * (1 - loss) * max(1.0, 2 * burst))
    assert abs(lost - packets * loss) <= 4 * deviation


@pytest.mark.parametrize("burst", [1.0, 2.0, 5.0])
def test_as_many_are_lost_in_a_row_as_was_set(burst: float) -> None:
    """On average; 1 means what independent losses have."""
    rows = bursts(decided(Impairment(loss=0.1, burst=burst), 40_000))
    expected = max(burst, 1 / 0.9)
    deviation = math.sqrt(expected * (expected - 1)) / math.sqrt(len(rows))
    assert abs(sum(rows) / len(rows) - expected) <= 4 * deviation


def test_jitter_is_evenly_spread_and_lets_nothing_overtake() -> None:
    """A packet is never due before the one that came before it."""
    found = decided(Impairment(jitter_s=0.015), 5000)
    delays = [each for each in found if not isinstance(each, Drop)]
    assert 0 <= min(delays) < 0.0001
    assert 0.0149 < max(delays) <= 0.015
    assert sum(delays) / len(delays) == pytest.approx(0.0075, abs=0.0003)
    wide = decided(Impairment(jitter_s=0.2), 1000)
    dues = [number * PACKET_S + each for number, each in enumerate(wide) if isinstance(each, float)]
    assert dues == sorted(dues)


def test_jitter_may_let_packets_overtake() -> None:
    """Only where that was asked for."""
    found = decided(Impairment(jitter_s=0.2, reorder=True), 1000)
    dues = [
        number * PACKET_S + each for number, each in enumerate(found) if isinstance(each, float)
    ]
    assert dues != sorted(dues)


@given(st.floats(0, 1))
def test_a_delay_is_the_same_for_all(delay_s: float) -> None:
    """Each packet is held for exactly that."""
    assert decided(Impairment(delay_s=delay_s), 20) == pytest.approx([delay_s] * 20)


def test_a_line_that_is_wide_enough_delays_by_the_time_of_a_packet() -> None:
    """A packet has passed when its last bit has."""
    assert decided(Impairment(rate_bps=160_000), 50) == pytest.approx([0.01] * 50)


def test_a_line_that_is_too_narrow_drops_what_would_wait_for_too_long() -> None:
    """What passes is the rate; the wait is bounded."""
    packets = 1000
    found = decided(Impairment(rate_bps=40_000), packets)
    passed = [each for each in found if not isinstance(each, Drop)]
    assert set(found) - set(passed) == {Drop.OVERFLOWED}
    assert len(passed) * 200 * 8 / (packets * PACKET_S) == pytest.approx(40_000, rel=0.03)
    assert QUEUE_S < max(passed) <= QUEUE_S + 0.04 + 1e-9
