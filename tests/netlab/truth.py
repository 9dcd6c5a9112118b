"""What the ends of the link have seen of a flow, held against what the link says that it did.

A busy machine makes packets late: the sender is, the link is, and both have noted by how much. So
what must agree is compared packet by packet, and agrees to the precision of the clocks however
late it all was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.netlab.flow import Flow
from tests.netlab.way import Passage
from tests.netlab.witness import Testimony

_CLOCK_S = 0.0001
"""What reading a clock, and the kernel between two readings, may take."""
_EARLY_S = 0.00025
"""What the link takes off the delay, because it needs some time itself."""
_ON_TIME_S = 0.001
_ALLOWED = 0.05
"""Share of packets that may be late on a machine that is not."""


@dataclass(frozen=True, slots=True)
class Travelled:
    """One packet, as the ends and as the link have seen it; seconds on the monotonic clock."""

    sent_s: float
    passage: Passage
    received_s: float

    @property
    def noticed_late_s(self) -> float:
        """How late the link read it, which is the sender's doing or the machine's."""
        return self.passage.entered_s - self.sent_s

    @property
    def transit_s(self) -> float:
        """How long it was under way, by the ends' own clocks."""
        return self.received_s - self.sent_s


def agree(flow: Flow, passages: Sequence[Passage], delay_s: float) -> list[Travelled]:
    """Hold each packet that arrived to what the link says of it, and return them in order.

    Args:
        flow: What the ends have seen.
        passages: What the link says of all packets that it let pass.
        delay_s: Set on this direction.

    Raises:
        AssertionError: They do not agree.
    """
    assert list(flow.received_s) == sorted(flow.received_s)
    assert len(passages) == len(flow.received_s), f"{len(passages)}, {len(flow.received_s)}"
    found = []
    for (number, received_s), passage in zip(flow.received_s.items(), passages, strict=True):
        unsure_s = _CLOCK_S + flow.clock_s
        said = f"packet {number}, received {received_s:.6f} s, {passage}, clocks {unsure_s:.6f} s"
        assert flow.sent_s[number] <= passage.entered_s, said
        assert passage.left_s - passage.entered_s >= delay_s - _EARLY_S, said
        assert passage.left_s - unsure_s <= received_s <= passage.written_s + unsure_s, said
        found.append(Travelled(flow.sent_s[number], passage, received_s))
    return found


def on_time(travelled: Sequence[Travelled], delay_s: float, machine: Testimony) -> float:
    """Hold the share of late packets to how late the machine itself was; return it.

    Packets that the link read late say nothing of it, and are left out. The others took what was
    set, unless the machine held up the link.

    Raises:
        AssertionError: More were late than the machine explains.
    """
    told = [each for each in travelled if each.noticed_late_s <= _ON_TIME_S / 2]
    late = [each for each in told if not -_EARLY_S <= each.transit_s - delay_s <= _ON_TIME_S]
    voids = len(travelled) - len(told)
    share = len(late) / max(1, len(told))
    allowed = _ALLOWED + 3 * machine.share
    assert share <= allowed, f"{share:.0%} of the packets were late; {machine.text}"
    assert told or machine.share > _ALLOWED, f"void: {voids} of {voids} packets were read late"
    return share
