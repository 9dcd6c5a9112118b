"""What one direction of the link does to packets; pure arithmetic, with a clock of our own."""

import math
import struct
from random import Random

import pytest

from tests.netlab.jitter import Gate, gap_ms, interarrival_ms, rfc3550_ms
from tests.netlab.messages import Messages
from tests.netlab.way import (
    Line,
    Way,
    carries_media,
    count_late,
    late_counts,
    late_within_ms,
    share_later,
)

UDP, TCP = 17, 6


def packet(payload: bytes = b"", protocol: int = UDP) -> bytes:
    """Return an IPv4 packet, as far as the link looks at it."""
    header = struct.pack("!BBHHHBBHII", 0x45, 0, 0, 0, 0, 64, protocol, 0, 0, 0)
    return header + bytes(8) + payload


def pass_all(line: Line) -> list[bytes]:
    """Return the packets under way in the order in which they leave."""
    return list(line.leave(now=1e9))


def test_a_packet_leaves_after_the_delay_and_not_before() -> None:
    """A delay of 40 ms holds a packet for 40 ms, less what the forwarder itself takes."""
    line = Line(Random(1), Way(delay_ms=40))
    line.enter(packet(b"x"), now=10.0)
    assert line.due == pytest.approx(10.0398)
    assert list(line.leave(now=10.0397)) == []
    assert list(line.leave(now=10.0399)) == [packet(b"x")]
    assert line.due is None
    assert line.counts.late_ms_max == pytest.approx(0.1, abs=0.01)
    line.written(10.05)
    (passage,) = line.passages
    assert (passage.entered_s, passage.left_s, passage.written_s) == (10.0, 10.0399, 10.05)
    assert passage.due_s == pytest.approx(10.0398)


def test_lateness_is_counted_by_its_size() -> None:
    """Of ten packets one is late by 7 ms: a tenth is later than 1 ms, none than 10 ms."""
    counts = late_counts()
    assert share_later(counts, 1.0) == 0
    for late_ms in (0.05,) * 9 + (7.0,):
        count_late(counts, late_ms)
    assert share_later(counts, 1.0) == share_later(counts, 5.0) == 0.1
    assert share_later(counts, 10.0) == 0
    assert late_within_ms(counts, 0.9) == 0.1
    assert late_within_ms(counts, 1.0) == 10.0
    count_late(counts, 501.0)
    assert late_within_ms(counts, 1.0) == math.inf


def test_a_shorter_delay_does_not_overtake() -> None:
    """Packets sent after the delay was cut keep behind those under way."""
    line = Line(Random(1), Way(delay_ms=100))
    line.enter(packet(b"first"), now=0.0)
    line.become(Way())
    line.enter(packet(b"second"), now=0.01)
    assert pass_all(line) == [packet(b"first"), packet(b"second")]


def test_loss_takes_its_share_and_counts_media_apart() -> None:
    """Of 20,000 packets at 5 % some 1,000 are lost, media as well as others."""
    line = Line(Random(1), Way(loss=0.05))
    media = packet(bytes([0x80, 111]) + bytes(20))
    for _ in range(10_000):
        line.enter(media, now=0.0)
        line.enter(packet(protocol=TCP), now=0.0)
    assert line.counts.packets == 20_000
    assert line.counts.rtp == 10_000
    assert 860 <= line.counts.lost <= 1140  # 4.5 standard deviations
    assert line.counts.rtp_loss == pytest.approx(0.05, abs=0.01)
    assert len(pass_all(line)) == 20_000 - line.counts.lost


def test_blocked_udp_lets_tcp_pass() -> None:
    """Only UDP is thrown away."""
    line = Line(Random(1), Way(blocks_udp=True))
    line.enter(packet(b"u"), now=0.0)
    line.enter(packet(b"t", TCP), now=0.0)
    assert pass_all(line) == [packet(b"t", TCP)]
    assert line.counts.blocked == 1


def test_a_narrow_link_lets_its_rate_pass() -> None:
    """1. Twice as much comes for a second as passes. Result: half is late, the rest is lost."""
    line = Line(Random(1), Way(rate_kbps=80))
    for number in range(200):  # of 100 bytes each, 160 kbit/s
        line.enter(packet(bytes(72)), now=number / 200)
    passed = len(list(line.leave(now=1.0)))
    assert passed == pytest.approx(100, abs=1)
    assert line.due is not None
    late = len(pass_all(line))
    assert late == pytest.approx(30, abs=1)
    assert line.counts.crowded_out == 200 - passed - late
    assert line.counts.octets == 20_000


def test_a_cut_line_loses_everything() -> None:
    """Nothing passes while the line is cut, and the counts say why."""
    line = Line(Random(1))
    line.is_cut = True
    line.enter(packet(protocol=TCP), now=0.0)
    assert pass_all(line) == []
    assert line.counts.cut == 1


def test_the_longest_silence_is_told() -> None:
    """The gap is that between media packets which passed; others in between do not fill it."""
    line = Line(Random(1))
    media = packet(bytes([0x80, 111]) + bytes(20))
    for now, each in ((1.0, media), (1.02, media), (2.0, packet()), (3.52, media), (3.54, media)):
        line.enter(each, now)
        list(line.leave(now))
    assert line.counts.rtp_gap_s == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("payload", "protocol", "media"),
    [
        (bytes([0x80, 111]) + bytes(20), UDP, True),
        (bytes([0x80, 0x80 | 111]) + bytes(20), UDP, True),  # with the marker bit
        (bytes([0x81, 201]) + bytes(20), UDP, False),  # RTCP, receiver report
        (bytes([0x80, 205]) + bytes(20), UDP, False),  # RTCP, feedback
        (bytes([0, 1]) + bytes(20), UDP, False),  # STUN
        (bytes([22, 254]) + bytes(20), UDP, False),  # DTLS, which carries the data channels
        (bytes([0x80, 111]), UDP, False),  # too short
        (bytes([0x80, 111]) + bytes(20), TCP, False),
    ],
)
def test_media_is_told_from_the_rest(payload: bytes, protocol: int, media: bool) -> None:
    """RTP is counted as media, and nothing else that WebRTC sends."""
    assert carries_media(packet(payload, protocol)) is media


def test_data_messages_are_timed_by_the_link() -> None:
    """Up, then down is a round trip; one that is lost does not lengthen the next one."""
    message, answer = packet(bytes([23]) + bytes(160)), packet(bytes([23]) + bytes(60))
    seen = Messages()
    for now, each in ((1.0, message), (2.0, message), (2.1, answer)):
        seen.up(each, now)
    for now, each in ((2.5, packet(bytes([0x80, 111]) + bytes(160))), (2.75, message)):
        seen.down(each, now)
    seen.down(message, 3.0)  # nobody has sent it
    assert seen.round_trips_s == [0.75]


@pytest.mark.parametrize("jitter_ms", [1, 5, 10, 20, 30])
def test_jitter_is_what_rfc_3550_makes_of_it(jitter_ms: float) -> None:
    """Audio over such a link has this interarrival jitter, in order, whatever else it carries."""
    line = Line(Random(7), Way(jitter_ms=jitter_ms))
    sent = [i * 0.02 for i in range(20_000)]
    received = []
    for i, now in enumerate(sent):
        line.enter(packet(b"audio"), now)
        received.append(line._waiting[-1][0])
        list(line.leave(now))
        line.enter(packet(b"other"), now + 0.003 * (i % 3))
    assert received == sorted(received)
    assert interarrival_ms(sent, received) == pytest.approx(jitter_ms, rel=0.05)
    assert rfc3550_ms(gap_ms(jitter_ms)) == pytest.approx(jitter_ms)


def test_without_jitter_the_gate_is_always_open() -> None:
    """No jitter says no wait at all."""
    assert gap_ms(0) == 0
    assert rfc3550_ms(0) == 0
    assert Gate(0, Random(1)).opens(3.25) == 3.25


@pytest.mark.parametrize(
    ("delay_ms", "jitter_ms", "loss"), [(0, 31, 0), (0, -1, 0), (-1, 0, 0), (0, 0, 1.5)]
)
def test_what_cannot_be_is_refused(delay_ms: float, jitter_ms: float, loss: float) -> None:
    """A setting out of range is an error, not a link that does something else."""
    with pytest.raises(ValueError, match="expected"):
        Way(delay_ms, jitter_ms, loss)
