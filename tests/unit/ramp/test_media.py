"""Audio that did not come: gaps within a stream, and streams that stand still."""

from dataclasses import replace

import pytest

from exporter.outcome import Loss
from exporter.probes.ramp.clients import UNDER_WAY, Span, media_loss, sent_ratio
from tests.unit.sfu.streams import received, sent, snapshot


def sender(before: int, after: int) -> Span:
    """A client that has sent so many packets at the beginning and at the end."""
    return Span(snapshot(sent(0.0, before)), snapshot(sent(10.0, after)))


def receiver(packets: tuple[int, int], lost: tuple[int, int]) -> Span:
    """A client to which so many packets came, and missed so many, at beginning and end."""
    first, last = (
        snapshot(received(came, missed)) for came, missed in zip(packets, lost, strict=True)
    )
    return Span(first, last)


@pytest.mark.parametrize(
    ("packets", "lost", "expected"),
    [
        ((100, 1100), (5, 5), Loss(1000, 0)),
        ((100, 1090), (5, 15), Loss(1000, 10)),
        ((100, 1080), (0, 0), Loss(980, 0)),  # some are still under way
        ((100, 1090), (5, 3), Loss(990, 0)),  # late ones took gaps back
        ((100, 100), (0, 0), Loss(1000 - UNDER_WAY, 1000 - UNDER_WAY)),  # it stands still
    ],
)
def test_media_loss(packets: tuple[int, int], lost: tuple[int, int], expected: Loss) -> None:
    """Of 1000 packets that were sent, so many came."""
    assert media_loss(receiver(packets, lost), [sender(500, 1500)]) == expected


def test_kilobits_a_second() -> None:
    """1000 packets of 100 bytes in 20 s are 40 kbit/s; a stream that is new does not count."""
    first = snapshot(replace(sent(5.0, 0), size=0), replace(received(0, at_s=5.0), size=50_000))
    new = replace(sent(25.0, 9, ssrc=9), size=9999)
    last = snapshot(
        replace(sent(25.0, 1000), size=100_000), new, replace(received(9, at_s=25.0), size=150_000)
    )
    assert Span(first, last).sent_kbps == pytest.approx(40)
    assert Span(first, last).received_kbps == pytest.approx(40)


def test_nothing_sent_is_no_loss_of_zero() -> None:
    """What was not sent cannot be judged."""
    assert media_loss(receiver((0, 0), (0, 0)), [sender(7, 7)]) is None
    assert media_loss(receiver((0, 0), (0, 0)), []) is None


def test_sent_ratio() -> None:
    """Two clients of which one sent half of what was due."""
    assert sent_ratio([sender(0, 500), sender(0, 250)], 10.0) == 0.75
    assert sent_ratio([], 10.0) == 1.0
