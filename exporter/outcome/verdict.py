"""How good what was measured is: a judgement, and the findings that it rests on."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """A judgement; the worst of several wins, in the order FAIL, SLOW, UNKNOWN, PASS."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    SLOW = "SLOW"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


class Cause(StrEnum):
    """What of a call a finding is about, where another page than that of its verdict says more."""

    LATENCY = "latency"
    TURN_TAKING = "turn_taking"
    """Who speaks when: interruptions, short sounds, pauses."""
    WORDS = "words"
    """The agent understood too few of them."""
    GAP = "gap"
    """A reply has a long silence in it."""
    SOUND = "sound"
    """Level, clipping or bandwidth of the replies."""
    LOSS = "loss"
    """Packets were lost, or audio concealed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that keeps a run from PASS, and the line that says it to a person."""

    verdict: Verdict
    text: str
    cause: Cause | None = None

    def __str__(self) -> str:
        return f"{self.verdict}: {self.text}"


_BEST_TO_WORST = (Verdict.PASS, Verdict.UNKNOWN, Verdict.SLOW, Verdict.FAIL)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of several verdicts; UNKNOWN when there are none, for nothing was judged."""
    return max(verdicts, key=_BEST_TO_WORST.index, default=Verdict.UNKNOWN)


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Return the verdict that findings make together: the worst of them, PASS without any."""
    return worst((Verdict.PASS, *(each.verdict for each in findings)))
