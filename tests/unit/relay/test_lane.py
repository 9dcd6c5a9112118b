"""One direction of the relay: what it holds, drops and counts, on a virtual clock."""

import asyncio

import pytest

from exporter.outcome import LineDirection
from exporter.rtc.relay.impairment import Impairment
from exporter.rtc.relay.lane import Lane, is_media, is_rtp
from tests import virtual_time
from tests.virtual_time import Clock

RTP = bytes([128, 111]) + bytes(50)
RTCP = bytes([128, 200]) + bytes(50)
STUN = bytes([0, 1]) + bytes(50)
DTLS = bytes([22, 254]) + bytes(50)


def test_media_is_known_by_its_first_bytes() -> None:
    """RTP and RTCP are media, and only RTP is counted."""
    assert [is_media(each) for each in (RTP, RTCP, STUN, DTLS, b"")] == [True] * 2 + [False] * 3
    marked = bytes([144, 128 + 111]) + bytes(9)  # the first of a talkspurt, with an extension
    assert [is_rtp(each) for each in (RTP, marked, RTCP, STUN, DTLS)] == [True] * 2 + [False] * 3


def passed(
    line: Impairment, datagrams: list[bytes], silence_s: float = 0.0
) -> tuple[list[tuple[float, bytes]], LineDirection]:
    """Send a datagram each 20 ms; return what came out, when, and what was counted."""

    async def story(clock: Clock) -> tuple[list[tuple[float, bytes]], LineDirection]:
        loop, out, began = asyncio.get_running_loop(), list[tuple[float, bytes]](), clock()
        lane = Lane(line, "1", loop)
        if silence_s:
            lane.silence(silence_s)
        for datagram in datagrams:
            lane.take(datagram, lambda it=datagram: out.append((clock() - began, it)))  # type: ignore[misc] # bound now
            await asyncio.sleep(0.02)
        await asyncio.sleep(2.0)
        return out, lane.counts()

    return virtual_time.run(story)


def test_a_good_line_sends_at_once() -> None:
    """And counts RTP alone."""
    out, counts = passed(Impairment(), [RTP, RTCP, STUN])
    assert [each for _, each in out] == [RTP, RTCP, STUN]
    assert [at for at, _ in out] == pytest.approx([0.0, 0.02, 0.04], abs=1e-6)
    assert (counts.packets, counts.sent, counts.dropped) == (1, 1, 0)
    assert counts.late_max_s is None


def test_everything_is_delayed() -> None:
    """Also what sets a connection up: a round trip is one of the whole line."""
    out, counts = passed(Impairment(delay_s=0.1), [RTP, RTCP, STUN, DTLS])
    assert [each for _, each in out] == [RTP, RTCP, STUN, DTLS]
    assert [at for at, _ in out] == pytest.approx([0.1, 0.12, 0.14, 0.16], abs=1e-6)
    assert counts.delay_p50_s == pytest.approx(0.1, abs=1e-6)
    assert counts.late_max_s == pytest.approx(0.0, abs=1e-6)


def test_only_media_is_lost() -> None:
    """What sets a connection up gets through the worst line."""
    out, counts = passed(Impairment(loss=0.99), [RTP] * 100 + [RTCP] * 100 + [STUN, DTLS] * 50)
    kept = [each for _, each in out]
    assert kept.count(STUN) == kept.count(DTLS) == 50
    assert kept.count(RTCP) < 20
    assert (counts.packets, counts.sent) == (100, kept.count(RTP))
    assert counts.lost == 100 - counts.sent > 80
    assert counts.loss_ratio == counts.lost / 100


def test_a_silence_drops_everything_for_so_long() -> None:
    """And nothing after it."""
    out, counts = passed(Impairment(), [STUN, RTP] * 20, silence_s=0.41)
    assert [at for at, _ in out] == pytest.approx([0.42 + 0.02 * n for n in range(19)], abs=1e-6)
    assert (counts.packets, counts.silenced, counts.sent) == (20, 10, 10)


def test_what_is_due_earlier_goes_first() -> None:
    """Jitter without order: a packet that is held does not hold up another."""
    out, counts = passed(Impairment(jitter_s=0.2, reorder=True), [RTP] * 50)
    assert len(out) == counts.sent == 50
    assert [at for at, _ in out] == sorted(at for at, _ in out)
    assert counts.delay_max_s == pytest.approx(0.2, abs=0.02)


def test_what_is_still_held_is_neither_sent_nor_dropped() -> None:
    """At the end of a call."""

    async def story(_clock: Clock) -> LineDirection:
        lane = Lane(Impairment(delay_s=1.0), "1", asyncio.get_running_loop())
        lane.take(RTP, lambda: None)
        return lane.counts()

    counts = virtual_time.run(story)
    assert (counts.packets, counts.sent, counts.dropped) == (1, 0, 0)
    assert counts.delay_p50_s is counts.late_p95_s is None
