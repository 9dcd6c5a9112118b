"""How long no media came, from counters that are read now and then."""

import pytest

from exporter.rtc.gaps import Silence, flows_since, longest_gap, longest_silence, silent_s, spans
from exporter.rtc.stats import Snapshot

from .streams import received, snapshot


def readings(*counts: tuple[float, int], ssrc: int = 7) -> list[Snapshot]:
    """Return readings by the time of the last packet and their count so far."""
    return [snapshot(received(count, ssrc=ssrc, last_packet_s=at)) for at, count in counts]


def test_a_steady_stream_has_gaps_of_one_packet() -> None:
    """Packets of 20 ms come every 20 ms, whenever the counters are read."""
    found = spans(readings((1.0, 1), (1.1, 6), (1.2, 11), (1.2, 11), (1.3, 16)))
    assert longest_gap(found, since_s=0) == pytest.approx(0.020)


def test_a_gap_ends_with_the_first_packet_after_it() -> None:
    """Between the last packet before and the first after, not between two readings."""
    found = spans(readings((1.0, 1), (1.1, 6), (1.1, 6), (1.9, 11), (2.0, 16)))
    assert longest_gap(found, since_s=1.1) == pytest.approx(1.82 - 1.1)


def test_what_was_before_does_not_count() -> None:
    """A gap that was over before the break is none of the break's."""
    found = spans(readings((1.0, 1), (2.0, 2), (2.1, 7), (2.2, 12)))
    assert longest_gap(found, since_s=2.05) == pytest.approx(0.020)
    assert longest_gap(found, since_s=3.0) is None


def test_a_burst_does_not_reach_back_before_what_was_known() -> None:
    """Packets that were held up come together: they had not come when the counter was read."""
    held_up = [
        snapshot(received(10, at_s=1.0, last_packet_s=1.0)),
        snapshot(received(10, at_s=1.5, last_packet_s=1.0)),
        snapshot(received(60, at_s=1.6, last_packet_s=1.6)),
    ]
    assert longest_gap(spans(held_up), since_s=1.0) == pytest.approx(0.5)


def test_a_stream_that_replaces_another() -> None:
    """A track that is published anew is another stream: the gap spans both."""
    found = spans(
        [
            *readings((1.0, 1), (1.1, 6)),
            snapshot(),
            *readings((1.7, 6), (1.8, 11), ssrc=8),
        ]
    )
    assert longest_gap(found, since_s=1.0) == pytest.approx(0.5)


def test_the_first_of_several_streams_ends_the_gap() -> None:
    """One that comes back later than another makes no longer gap, though it was heard last."""
    together = [
        snapshot(*(received(count, ssrc=ssrc, last_packet_s=at) for ssrc, count, at in streams))
        for streams in (
            ((7, 1, 1.0), (8, 1, 1.0)),
            ((7, 6, 1.1), (8, 6, 1.1)),
            ((7, 16, 2.0), (8, 11, 1.99)),
        )
    ]
    assert longest_gap(spans(together), since_s=1.0) == pytest.approx(1.82 - 1.1)


def test_a_silence_begins_with_the_last_packet_before_it() -> None:
    """So that it can be told since when a connection was gone."""
    assert longest_silence(spans(readings((1.0, 1), (1.5, 6), (3.5, 7))), 0) == Silence(1.5, 2.0)


def test_how_long_it_has_been_silent() -> None:
    """Since the last packet of any stream; for ever where there was none."""
    old, new = received(9, last_packet_s=1.0, at_s=4.0), received(2, last_packet_s=3.9, at_s=4.0)
    assert silent_s(snapshot(old, new)) == pytest.approx(0.1)
    assert silent_s(snapshot()) == float("inf")


def test_media_flows_when_it_has_come_for_long_enough() -> None:
    """Not by a single packet, not with a gap within, and not by what came before."""
    found = spans(readings(*((1.0 + n / 10, 5 * n + 1) for n in range(16))))
    assert flows_since(found, since_s=1.0, for_s=1.0)
    assert flows_since(found, since_s=0.0, for_s=1.0)
    assert not flows_since(found, since_s=2.0, for_s=1.0)
    assert not flows_since(found, since_s=9.0, for_s=1.0)
    assert not flows_since((), since_s=0.0, for_s=1.0)
    stalled = spans(readings((1.0, 1), (1.1, 6), (1.9, 7), (2.1, 17)))
    assert not flows_since(stalled, since_s=1.0, for_s=1.0)
