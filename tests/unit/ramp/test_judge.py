"""What breaks a tier, what limits the prober, and the figures that both rest on."""

from dataclasses import replace
from typing import Any

import pytest

from exporter.outcome import Loss, RampTier, Reason
from exporter.probes.ramp.summary import LOST_AFTER_S, TierSummary, quality_reached
from tests.unit.ramp.tiers import IDLE, client, judged, tier


def test_a_tier_that_is_well() -> None:
    """Its figures are those of all clients together, and nothing is to be said against it."""
    found = judged(tier(4, rtt_ms=12))
    assert (found.broken, found.limits) == ((), ())
    summary = found.summary
    assert (summary.clients, summary.connected, summary.pings, summary.packets) == (4, 4, 80, 4000)
    assert (summary.rtt_p50_s, summary.rtt_p95_s, summary.quality) == (0.012, 0.012, "excellent")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"round_trips_s": (0.101,) * 20}, "p95 of the round trip 101.0 ms is above 100 ms"),
        ({"media": Loss(1000, 11)}, "loss 1.1 % is above 1 %"),
        ({"media": Loss(1000, 500)}, "loss 50.0 % is above 1 %"),
        ({"media": None}, "no audio was sent"),
        ({"quality": "poor"}, "LiveKit reports the connection quality poor"),
        ({"round_trips_s": ()}, "no round trip was measured"),
        ({"round_trips_s": (), "lost": 30}, "p95 of the round trip 2000.0 ms is above 100 ms"),
    ],
)
def test_what_breaks_a_tier(changes: dict[str, Any], words: str) -> None:
    """Each target for itself; a message that never came counts as one that took two seconds."""
    assert judged(tier(2, **changes)).broken == (words,)


@pytest.mark.parametrize("loss", [Loss(1000, 10), Loss(1000, 0)])
def test_a_target_is_not_broken_by_meeting_it(loss: Loss) -> None:
    """The threshold itself is still good."""
    assert judged(tier(2, round_trips_s=(0.1,) * 20, media=loss)).held


def test_failed_connections_are_a_figure() -> None:
    """They break the tier and are told by their reason; what the others measured stays."""
    lost = client(reason=Reason.CONNECT_FAILED, round_trips_s=(), media=None)
    members = (*tier(8).members, lost, replace(lost, reason=Reason.ROOM_CLOSED))
    found = judged(RampTier(10, members, (IDLE,), 2.0))
    assert found.broken == (
        "2 of 10 clients not connected at the end (1 connect_failed, 1 room_closed)",
    )
    assert (found.summary.connected, found.summary.pings) == (8, 160)


@pytest.mark.parametrize(("lost", "held"), [(1, True), (2, False)])
def test_one_of_a_hundred_may_fail(lost: int, held: bool) -> None:
    """The target is a share of all clients: one percent of them."""
    gone = client(reason=Reason.ROOM_CLOSED)
    members = (*tier(100 - lost).members, *[gone] * lost)
    assert judged(RampTier(100, members, (IDLE,), 2.0)).held is held


def test_largest_where_there_are_too_few_for_a_percentile() -> None:
    """Below 20 data messages the largest is judged, and is called so."""
    found = judged(tier(2, round_trips_s=(0.01, 0.01, 0.2)))
    assert found.summary.rtt_p95_s is None
    assert found.broken == ("largest round trip 200.0 ms is above 100 ms",)


def test_one_lost_message_of_many_moves_no_percentile() -> None:
    """A link that loses little is judged by its loss, not by two seconds of nothing."""
    members = (client(), client(lost=1))
    summary = TierSummary.of(RampTier(2, members, (IDLE,), 2.0))
    assert (summary.rtt_p95_s, summary.rtt_max_s) == (0.01, LOST_AFTER_S)


@pytest.mark.parametrize(
    ("load", "words"),
    [
        ({"lag_s": 0.021}, "its event loop was 21 ms late (p99)"),
        ({"lag_s": 1.0}, "its event loop was 1000 ms late (p99)"),
        ({"send_wait_s": 0.051}, "its data messages waited 51 ms to be sent (p95)"),
        ({"cpu_cores": 1.7}, "the prober used 1.8 of 2 CPUs"),
        ({"sent_ratio": 0.9}, "it sent only 90% of its audio in time"),
    ],
)
def test_what_limits_the_prober(load: dict[str, Any], words: str) -> None:
    """Its own processes are looked at, the worst of them counts, the host's load does not."""
    busy = replace(IDLE, **load)
    found = judged(RampTier(2, tier(2).members, (IDLE, busy), 2.0))
    assert (found.limits, found.broken) == ((words,), ())


def test_a_prober_at_its_limits_is_not_above_them() -> None:
    """Each figure at its limit: the tier still counts."""
    full = replace(IDLE, cpu_cores=1.7, lag_s=0.020, send_wait_s=0.050, sent_ratio=0.95)
    assert judged(RampTier(2, (client(voids=20),) * 2, (full,), 2.0)).limits == ()


def test_without_a_round_trip_no_wait_is_excused() -> None:
    """Nothing is known of the way, so 51 ms are the prober's."""
    waiting = replace(IDLE, send_wait_s=0.051)
    found = judged(tier(2, load=waiting, round_trips_s=()))
    assert found.limits == ("its data messages waited 51 ms to be sent (p95)",)


def test_messages_that_wait_for_a_slow_way_are_no_limit() -> None:
    """Where the round trip is longer than the wait, the way holds the messages up and not we."""
    waiting = replace(IDLE, send_wait_s=0.145)
    assert judged(tier(2, rtt_ms=300, load=waiting)).limits == ()
    assert judged(tier(2, rtt_ms=30, load=waiting)).limited


def test_cpu_adds_up_over_processes() -> None:
    """No single process is at its limit, but together they have all CPUs there are."""
    loads = (replace(IDLE, cpu_cores=0.6),) * 3
    assert judged(RampTier(2, tier(2).members, loads, 2.0)).limited
    assert not judged(RampTier(2, tier(2).members, loads, 8.0)).limited


def test_spoiled_messages_and_dead_processes_limit() -> None:
    """What the prober itself spoiled says nothing about the SFU."""
    spoiled = judged(tier(2, round_trips_s=(0.01,) * 20, voids=21))
    assert spoiled.limits == ("51% of its data messages were void",)
    crashed = client(reason=Reason.PROBE_CRASHED, round_trips_s=(), media=None)
    nobody = judged(RampTier(2, (crashed, crashed), (), 2.0))
    assert nobody.limits == ("a process of the prober with 2 clients died",)
    refused = client(reason=Reason.QUOTA_EXCEEDED, round_trips_s=(), media=None)
    quota = judged(RampTier(10, (*tier(8).members, refused, refused), (IDLE,), 2.0))
    assert quota.limits == ("2 clients: quota_exceeded",)


def test_quality_is_what_nearly_all_reach() -> None:
    """One bad connection in forty is an accident, one in ten is the quality of the tier."""
    assert quality_reached(["excellent"] * 39 + ["lost"]) == "excellent"
    assert quality_reached(["excellent"] * 9 + ["poor"]) == "poor"
    assert quality_reached(["", ""]) == ""


def test_a_host_without_memory_is_a_limit_of_the_prober() -> None:
    """It swaps, or ends processes: the tier says nothing about the SFU."""
    full = judged(replace(tier(2), memory_free_ratio=0.03))
    assert full.limits == ("its host had only 3% of its memory left",)
    assert not judged(replace(tier(2), memory_free_ratio=0.05)).limited
