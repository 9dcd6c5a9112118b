"""A dialogue as it is configured: what the caller says in each step, and what is expected then."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from exporter.config.values import Duration, Section, invalid
from exporter.probes.latency.understood import has_words
from exporter.probes.latency.utterances import Utterance

TOLD_S = 3.0
"""How long after the reply is over what was expected may still happen, where no `within` is set:
the agent reports a hand-over, and what it has said, at the end of its reply."""

ANY = "any"
"""In `handoff`: whichever agent."""


def _check_words(text: str) -> str:
    if not has_words(text):
        raise invalid("has no words; expected a word or several")
    return text


def _check_regex(pattern: str) -> str:
    """Refuse what is no regular expression, without repeating it."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise invalid(f"is no regular expression: {error.msg}") from None
    return pattern


_Words = Annotated[str, AfterValidator(_check_words)]
_Regex = Annotated[str, AfterValidator(_check_regex)]


class Expect(Section):
    """What is expected of the agent in a step; all that is set must happen."""

    words: tuple[_Words, ...] = Field(
        (),
        repr=False,
        description="Words that all occur in the answer, without regard to case and punctuation.",
    )
    not_words: tuple[_Words, ...] = Field(
        (), repr=False, description="Words of which none occurs in the answer."
    )
    regex: _Regex | None = Field(
        None,
        repr=False,
        description="Python regular expression that is found in the answer as the agent writes it.",
    )
    tool: str | None = Field(
        None, min_length=1, description="Tool that is called and does not fail."
    )
    handoff: str | None = Field(
        None,
        min_length=1,
        description="Id of the agent to which the session is handed over; `any` for whichever.",
    )
    joins: Literal["sip", "standard"] | None = Field(
        None,
        description="Kind of participant that joins the room: sip for a telephone, standard for a "
        "person in an app.",
    )
    leaves: bool = Field(
        False, description="The agent leaves or ends the call; that is no failure in this step."
    )
    attribute: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="Participant attributes of the agent, and the values that they come to have.",
    )
    within: Duration | None = Field(
        None,
        gt=0,
        description="Time limit from the end of the caller's speech; for what is said, to its "
        "first sound. Not set: 3 s after the end of the reply.",
    )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The keys that are set, but for `within`."""
        names = (name for name in Expect.model_fields if name != "within")
        return tuple(name for name in names if getattr(self, name))

    @property
    def longest_s(self) -> float:
        """How long a call may wait for it beyond the reply, in seconds."""
        return (self.within or 0.0) + TOLD_S if self.kinds else 0.0


class Step(Utterance):
    """One step of a dialogue: what the caller says, and what is expected of the agent."""

    expect: Expect = Field(default=Expect(), description="What is expected of the agent.")
