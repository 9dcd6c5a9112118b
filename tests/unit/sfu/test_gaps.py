"""How long no media came, from counters that are read now and then."""

import pytest

from exporter.sfu.gaps import flows_since, longest_gap, spans
from exporter.sfu.stats import Snapshot

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
