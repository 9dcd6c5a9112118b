"""Loss up and down from what the SFU reports and what the receiver misses."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.outcome import Loss
from exporter.rtc.loss import concealed_ratio, loss_down, loss_up, reported_until

from .streams import received, report, sent, snapshot


def test_nothing_is_known_before_the_first_report() -> None:
    """Without a report of the SFU there is no loss, not a loss of 0."""
    assert loss_up([snapshot(sent(1, 50))]) is None
    assert loss_down([snapshot(received(50))], None) is None
    assert loss_up([]) is None
    assert loss_down([], Loss(100, 0)) is None


def test_what_the_sfu_reports_is_lost_on_the_way_up() -> None:
    """The last report counts, over what had been sent when it was written."""
    readings = [
        snapshot(sent(1, 50)),
        snapshot(sent(2, 100), report(1.5, lost=1)),
        snapshot(sent(3, 150), report(2.5, lost=5)),
    ]
    assert loss_up(readings) == Loss(125, 5)


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=20, unique=True),
    st.floats(1.0, 60.0),
    st.floats(0.0, 2.0),
)
def test_packets_at_a_steady_pace(times: list[int], at_s: float, round_trip_s: float) -> None:
    """Whenever statistics were read, 50 packets a second are 50 a second up to the report."""
    readings = [snapshot(sent(when, 50 * when)) for when in sorted(times)]
    readings[-1] = snapshot(*readings[-1].sent, report(at_s, 0, round_trip_s=round_trip_s))
    # Before the first reading and after the last one nobody counted.
    told_of = min(max(at_s - round_trip_s / 2, min(times)), max(times))
    found = loss_up(readings)
    assert found is not None
    assert found.packets == pytest.approx(50 * told_of, abs=0.51)


def test_a_report_tells_of_half_a_round_trip_before() -> None:
    """On a long way, what is still under way is not counted as sent."""
    readings = [
        snapshot(sent(1, 50)),
        snapshot(sent(2, 100), report(2, lost=0, round_trip_s=0.4)),
    ]
    assert loss_up(readings) == Loss(90, 0)


def test_streams_are_added_up() -> None:
    """Each stream has a report of its own, at a time of its own."""
    readings = [
        snapshot(sent(1, 50, 1), sent(1, 50, 2)),
        snapshot(sent(2, 100, 1), sent(2, 100, 2), report(1.5, 3, 1), report(2, 1, 2)),
    ]
    assert loss_up(readings) == Loss(175, 4)


def test_duplicates_are_no_negative_loss() -> None:
    """The count of RTCP may be below 0 where packets came twice."""
    readings = [snapshot(sent(1, 50)), snapshot(sent(2, 100), report(2, lost=-3))]
    assert loss_up(readings) == Loss(100, 0)
    assert loss_down([snapshot(received(103, lost=-3))], Loss(100, 0)) == Loss(103, 0)


def test_what_was_lost_before_is_not_lost_again() -> None:
    """The receiver misses 2 % of the uplink too; the rest is the downlink's."""
    down = loss_down([snapshot(received(9604, lost=396))], Loss(5000, 100))
    assert down is not None
    assert down == Loss(9800, 196)
    assert down.ratio == pytest.approx(0.02)


def test_a_lossless_downlink_stays_so() -> None:
    """All that is missing was lost on the way up; chance on either side makes it no less than 0."""
    assert loss_down([snapshot(received(980, lost=20))], Loss(1000, 20)) == Loss(980, 0)
    assert loss_down([snapshot(received(985, lost=15))], Loss(1000, 20)) == Loss(980, 0)


def test_a_burst_that_is_not_reported_yet_is_not_the_downlink_s() -> None:
    """1. All is well. 2. The uplink fails, its report is to come. Result: nothing is lost down."""
    sender = [
        snapshot(sent(9, 1800), report(8.9, lost=0)),
        snapshot(sent(10, 2000), report(9.1, lost=0)),
    ]
    receiver = [
        snapshot(received(1800, at_s=9.0)),
        snapshot(received(1900, lost=100, at_s=10.0)),
    ]
    assert reported_until(sender) == 9.1
    assert reported_until([]) == 0.0
    up = loss_up(sender)
    assert loss_down(receiver, up, reported_until(sender)) == Loss(1800, 0)
    assert loss_down(receiver, up) == Loss(2000, 100)
    assert loss_down(receiver, up, 9.0) == Loss(1800, 0), "the reading at that time counts too"


@pytest.mark.parametrize(("up", "down"), [(0.02, 0.02), (0.1, 0.0), (0.0, 0.05), (0.3, 0.2)])
def test_both_directions_of_a_link_that_loses_at_random(up: float, down: float) -> None:
    """Whatever each way loses is found on its side, to the precision of so many packets."""
    dice = random.Random(7)
    packets = 20_000
    forwarded = sum(dice.random() >= up for _ in range(packets))
    arrived = sum(dice.random() >= down for _ in range(forwarded))
    told_up = loss_up([snapshot(sent(1, packets), report(1, packets - forwarded))])
    assert told_up is not None
    told_down = loss_down([snapshot(received(arrived, lost=packets - arrived))], told_up)
    assert told_down is not None
    assert told_up.ratio == pytest.approx(up, abs=0.01)
    assert told_down.ratio == pytest.approx(down, abs=0.01)


def test_concealment_counts_from_the_first_reading() -> None:
    """What was made up before the first packet came is no loss."""
    readings = [
        snapshot(received(0, samples=4800, concealed=4800)),
        snapshot(received(50, samples=52800, concealed=5280)),
    ]
    assert concealed_ratio(readings) == pytest.approx(0.01)
    assert concealed_ratio(readings[:1]) is None
    assert concealed_ratio([]) is None


def test_streams_that_are_replaced_still_count() -> None:
    """A lost connection that is made anew begins new streams; what came before was counted up."""
    receiver = [
        snapshot(received(900, ssrc=7, samples=48000, concealed=480)),
        snapshot(received(990, 10, ssrc=7, samples=96000, concealed=4800)),
        snapshot(),
        snapshot(received(500, ssrc=8, samples=48000)),
    ]
    assert loss_down(receiver, Loss(1500, 0)) == Loss(1500, 10)
    assert concealed_ratio(receiver) == pytest.approx(0.045)
