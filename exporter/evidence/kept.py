"""One kept call, as it is read back: all that its page, its picture and its JSON are made of.

All times are seconds since the first sample of the call's sound, so that a mark on the picture, a
place in the sound and an event are the same number.
"""

from dataclasses import dataclass

from exporter.outcome import Outcome
from exporter.outcome.timeline import Event


@dataclass(frozen=True, slots=True)
class Envelope:
    """How loud both sides were, for a picture of them."""

    step_s: float
    """Length of sound that one value stands for."""
    caller: tuple[float, ...]
    """The largest amplitude of each step, 0 to 1."""
    agent: tuple[float, ...]
    """The same of what was heard of the agent."""


@dataclass(frozen=True, slots=True)
class TurnMark:
    """Where one turn of the result lies in the sound."""

    spoke_at: float
    """The first sample of speech of our utterance."""
    ended_at: float
    """The end of its last sample of speech: t_end."""
    replied_at: float | None = None
    """The first sample of the reply, t_reply; None where there was none."""
    answered_at: float | None = None
    """The first sample of the answer, where a filler came first."""

    def moved(self, by_s: float) -> "TurnMark":
        """Return it so much later, on another axis."""
        replied, answered = (
            None if at is None else at + by_s for at in (self.replied_at, self.answered_at)
        )
        return TurnMark(self.spoke_at + by_s, self.ended_at + by_s, replied, answered)


@dataclass(frozen=True, slots=True)
class KeptCall:
    """One call to an agent, with what a person needs to see why it failed."""

    outcome: Outcome
    """Of the run, with its `CallResult` and its log lines."""
    length_s: float
    """Of the sound."""
    envelope: Envelope
    events: tuple[Event, ...] = ()
    """The timeline, in the order in which the caller learned of it. Words are "" in it, unless the
    configuration keeps them."""
    marks: tuple[TurnMark, ...] = ()
    """One for each turn of the result, in its order."""
    target_s: float | None = None
    """The target for the latency of the call, where it has one."""
    sound: str = ""
    """Name of the file with the sound beside it; "" where none is kept."""
