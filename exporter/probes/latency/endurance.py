"""Long calls: answers must keep coming, and keep their speed."""

from collections.abc import Iterator, Sequence
from math import ceil
from statistics import median

from pydantic import Field

from exporter.config.rules import Faults, rule
from exporter.config.values import Duration, Section, above
from exporter.outcome import Cause, Finding, Turn, Verdict

_SHORTEST_TURN_S = 2.0
"""No utterance and its reply take less: so many turns a call may have at most."""
_FEWEST = 6
"""Turns below which a beginning and an end are not compared."""


class EnduranceConfig(Section):
    """A long call: agents go deaf or slow late in calls."""

    length: Duration = Field(
        600.0, ge=5, le=7200, description="The caller asks for so long; `trials` has no effect."
    )
    ask_every: Duration = Field(
        60.0,
        ge=0,
        le=3600,
        description="Time from one utterance to the next; 0: as soon as the reply is over.",
    )
    max_slowdown: float = Field(
        1.5,
        gt=1,
        description="The call is SLOW if its last third takes more than so many times what its "
        "first third takes (medians of the latency); from six measured turns on.",
    )

    @rule
    def _asks_twice(self) -> Faults:
        # The first turn is the warm-up: a call with one utterance would measure nothing.
        return above(self, "length", "ask_every")

    @property
    def most_turns(self) -> int:
        """Turns that a call has at most, without a warm-up turn."""
        return ceil(self.length / max(self.ask_every, _SHORTEST_TURN_S)) + 1


def judge_endurance(config: EnduranceConfig, turns: Sequence[Turn]) -> Iterator[Finding]:
    """Yield SLOW where the end of a call is slower than its beginning.

    A turn without an answer is FAIL for every call, with its own reason.
    """
    took = [turn.answered_s for turn in turns if not turn.warmup and turn.answered_s is not None]
    if len(took) < _FEWEST:
        return
    third = len(took) // 3
    first, last = median(took[:third]), median(took[-third:])
    if last > config.max_slowdown * first:
        text = f"answers became slower during the call: {first:.2f} s at first, {last:.2f} s"
        yield Finding(
            Verdict.SLOW,
            f"{text} at its end, above {config.max_slowdown:g} times as much",
            Cause.LATENCY,
        )
