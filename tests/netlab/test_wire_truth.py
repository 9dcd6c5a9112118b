"""Whether both ends of a turn are where the packets on the wire put them.

The agent shares no code with the caller, the packets are read by the link, and the clip is the
agent's own: what the caller's microphone, ear and sample clock have in common hides nothing here.
`make bench-wire` has more turns, and strict bounds.
"""

import statistics
from pathlib import Path

import pytest

from exporter.demo.livekit_binary import ServerProgram
from tests.lateness import watching
from tests.netlab.lab import NetLab
from tests.netlab.livekit import livekit_behind
from tests.netlab.wire import place_calls

# Beside other tests a jitter buffer grows for a while: a packet is then not heard when it comes.
pytestmark = [pytest.mark.integration, pytest.mark.whole_machine, pytest.mark.long]

BOUND_S = 0.015


def test_both_ends_of_a_turn_are_those_of_the_packets(
    lab: NetLab, livekit_program: ServerProgram, tmp_path: Path
) -> None:
    """1. A call of four turns. Result: neither end is off by more than 15 ms, in the median."""
    with watching(tmp_path) as watch, livekit_behind(lab, livekit_program, tmp_path) as running:
        ((biases, placed),) = place_calls(lab, running.server, tmp_path, calls=1, trials=3)
    if len(biases) < 2:
        assert placed.detail.startswith("void: the prober: "), placed
        assert watch.late(placed.began_s, placed.ended_s), placed
        return
    assert abs(statistics.median(each.end_s for each in biases)) < BOUND_S, biases
    assert abs(statistics.median(each.reply_s for each in biases)) < BOUND_S, biases
