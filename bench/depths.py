"""What the agents' own jitter buffers held: the part of the way that a caller cannot measure."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from exporter.outcome import Turn
from exporter.probe import ROOM_PREFIX


@dataclass(frozen=True, slots=True)
class Depths:
    """Reads what agents note of each utterance, where their script says so.

    Args:
        file: Given to the scripts of all calls.
    """

    file: Path

    def of(self, run_id: str, turns: Iterable[Turn]) -> tuple[float, ...]:
        """Return the mean depth in seconds during each turn but the warm-up.

        Empty where that is not known for all: an utterance that had a gap is heard twice, or never.
        """
        text = self.file.read_text() if self.file.exists() else ""
        lines = [line.split() for line in text.splitlines()]
        told = [depth for room, depth in lines if room == ROOM_PREFIX + run_id]
        warm_up = [turn.warmup for turn in turns]
        if len(told) != len(warm_up) or "unknown" in told:
            return ()
        return tuple(float(depth) for depth, skip in zip(told, warm_up, strict=True) if not skip)
