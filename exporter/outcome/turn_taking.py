"""Who yields to whom: what became of what the caller said into the agent's speech, and of pauses.

Names follow LiveKit's own simulation metrics where it has one.
"""

from dataclasses import dataclass
from enum import StrEnum


class InterruptionOutcome(StrEnum):
    """What the agent did when the caller interrupted it: the label `outcome`."""

    YIELDED = "yielded"
    TALKED_ON = "talked_on"
    """It was still speaking 2 s after the caller's last sample."""
    RESUMED = "resumed"
    """It stopped, and went on with the same reply."""
    FINISHED_FIRST = "finished_first"
    """It would have ended anyway."""
    VOID = "void"
    """It cannot be told: the prober or the line is to blame."""


class AnswerOutcome(StrEnum):
    """Whether what the caller interrupted with was answered: the label `outcome`."""

    ANSWERED = "answered"
    UNANSWERED = "unanswered"


class BackchannelOutcome(StrEnum):
    """What the agent did at a sound of the caller that asks for nothing: the label `outcome`."""

    IGNORED = "ignored"
    """It spoke on."""
    PAUSED = "paused"
    """There is a gap that its speech without the sound does not have."""
    STOPPED = "stopped"
    VOID = "void"


class PauseOutcome(StrEnum):
    """What the agent did while the caller paused within an utterance: the label `outcome`."""

    WAITED = "waited"
    CUT_IN = "cut_in"
    """It sounded before the second half of the utterance had ended."""
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Interruption:
    """The caller began to speak into the agent's speech."""

    outcome: InterruptionOutcome
    yield_s: float | None = None
    """First sample of the caller's speech to the agent's last sample before its silence; only
    where it yielded."""
    answer: AnswerOutcome | None = None
    """Whether what the caller said was answered; None where that cannot be told."""
    answer_s: float | None = None
    """Last sample of what the caller said to the first sample of the answer; None where it is not
    answered, or could not be timed."""
    detail: str = ""
    """One line for people on why it is void, or came to nothing."""

    def __str__(self) -> str:
        after = "" if self.yield_s is None else f" after {self.yield_s:.3f} s"
        answer = "" if self.answer is None else f", {self.answer}"
        if self.answer_s is not None:
            answer += f" after {self.answer_s:.3f} s"
        return _with(self.detail, f"interruption {_words(self.outcome)}{after}{answer}")


@dataclass(frozen=True, slots=True)
class Backchannel:
    """The caller made a short sound into the agent's speech, which asks for nothing."""

    outcome: BackchannelOutcome
    gap_s: float | None = None
    """How long the agent was silent; only where it paused."""
    detail: str = ""
    """One line for people on why it is void."""

    def __str__(self) -> str:
        gap = "" if self.gap_s is None else f" for {self.gap_s:.3f} s"
        return _with(self.detail, f"short sound {_words(self.outcome)}{gap}")


@dataclass(frozen=True, slots=True)
class InnerPause:
    """The caller paused within an utterance."""

    outcome: PauseOutcome
    detail: str = ""
    """One line for people on why it is void."""

    def __str__(self) -> str:
        return _with(self.detail, f"pause {_words(self.outcome)}")


def _with(detail: str, text: str) -> str:
    return f"{text}: {detail}" if detail else text


def _words(outcome: StrEnum) -> str:
    """Return an outcome as people read it: the label of metrics is one word."""
    return outcome.replace("_", " ")
