"""Whether a step of a dialogue came out as expected: pure functions of the call's events.

What was said is compared here, and leaves this module only as a kind and an outcome.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from exporter.outcome import Expectation, ExpectationOutcome, Timeline
from exporter.outcome.timeline import (
    AgentSounded,
    AgentState,
    Attribute,
    CallerSpoke,
    HandOver,
    Joined,
    Left,
    Message,
    Subtitle,
    ToolEnded,
    ToolStarted,
)
from exporter.probes.latency.deadline import REPLY_LIMIT_S
from exporter.probes.latency.patterns import EndlessError, occurs
from exporter.probes.latency.script import ANY, TOLD_S, Expect
from exporter.probes.latency.understood import normalized

SILENT = "the agent reports nothing on lk.agent.session (livekit-agents before 1.5?)"
UNNAMED = "the agent does not name the tools that it calls (livekit-agents before 1.6?)"
RUNNING = "the tool had not ended"
UNTOLD = "the agent did not report what it said"
ENDLESS = "the regular expression takes too long; write it without repeats inside of repeats"

Found = bool | str
"""It happened, or did not; a text says why that cannot be told."""

NOTHING_SAID = CallerSpoke(at=math.inf, until=math.inf)
"""In place of what the caller said in a step, where it said nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of one step, of every agent that was ours in it."""

    call: Timeline
    spoke: CallerSpoke
    """The caller, for the first time in this step; what happened before does not count."""
    until: float
    """What happened later does not count; of what was said later, what began to sound later."""
    spoiled: str = ""
    """Why what did not happen proves nothing about the agent; "" where it does."""

    @property
    def since(self) -> float:
        """When the caller began to speak."""
        return self.spoke.at

    def said(self) -> str | None:
        """Return what the agent said in time, as far as it is told; None where it does not tell."""
        if told := self._answers():
            return " ".join(each.text for each in told if self._began(each) < self.until)
        tells = self.call.reports or self.call.has(Subtitle)
        return None if self.untold_since() is not None or not tells else ""

    def untold_since(self) -> float | None:
        """Return when the agent began to say in time what it has not told; None if it told all.

        It tells what it said when it has said it.
        """
        begun = [at for at in self._speeches() if at < self.until]
        if not begun or any(each.at >= begun[-1] for each in self._told()):
            return None
        return begun[-1]

    def told_by(self, now: float) -> float:
        """Return until when that is worth waiting for, on the monotonic clock; 0 where it is not.

        Args:
            now: On the same clock.
        """
        if (begun := self.untold_since()) is None:
            return 0.0
        states = self.call.of_every_agent(AgentState, begun)
        ends = [each.at for each in states if each.state != "speaking"]
        ends += [each.until for each in self.call.of(AgentSounded, begun) if not states]
        return min(ends[0] if ends else now, begun + REPLY_LIMIT_S) + TOLD_S

    def _told(self) -> list[Message] | list[Subtitle]:
        """Return all that the agent told of its words in this step, by the one way that it uses."""
        messages = [each for each in self.call.of_every_agent(Message) if each.by_agent]
        if messages:
            return [each for each in messages if each.at >= self.since]
        return self.call.of_every_agent(Subtitle, self.since)

    def _answers(self) -> list[Message | Subtitle]:
        return [each for each in self._told() if self._is_answer(each)]

    def _is_answer(self, told: Message | Subtitle) -> bool:
        """Tell whether it was said in this step; what an answer before it was is told late as well.

        Of a step is what follows the message of its user. Before that one comes what was said
        without a language model (`session.say`), and of a user that the agent does not tell of
        nothing is known but when our speech ended.
        """
        later = told.at >= self.spoke.until
        if isinstance(told, Subtitle):
            return later
        heard = self.call.of_every_agent(Message, self.since)
        asked = [each for each in heard if not each.by_agent and each.sender == told.sender]
        if asked and asked[0].at <= told.at:
            return later or not told.interrupted
        only_said = (told.figures.llm_ttft_s, told.figures.e2e_s) == (None, None)
        return later and (only_said or not asked)

    def _began(self, told: Message | Subtitle) -> float:
        """Return when that began to sound; when it was told where nothing tells of its begin."""
        return max((at for at in self._speeches() if at <= told.at), default=told.at)

    def _speeches(self) -> list[float]:
        """Return when the agent began to speak in this step: as it says, else as it was heard."""
        states = self.call.of_every_agent(AgentState, self.since)
        spoke = [each.at for each in states if each.state == "speaking"]
        return spoke or [each.at for each in self.call.of(AgentSounded, self.since)]


def expectations(step: int, expect: Expect, seen: Seen) -> tuple[Expectation, ...]:
    """Return what became of each thing that is expected in a step.

    Args:
        step: Its place in the script, from 1.
        expect: Of the step.
        seen: What happened so far.
    """
    found = ((kind, _CHECKS[kind](seen, getattr(expect, kind))) for kind in expect.kinds)
    return tuple(_judged(step, kind, seen, each) for kind, each in found)


def may_come(expected: tuple[Expectation, ...]) -> bool:
    """Tell whether waiting may still change something for the better."""
    return any(
        each.outcome is not ExpectationOutcome.MET and each.kind != "not_words" for each in expected
    )


def unknown_if_missed(expected: tuple[Expectation, ...], why: str) -> tuple[Expectation, ...]:
    """Return them with void in place of what did not come: what did, good or bad, is known.

    Args:
        expected: As judged by what came.
        why: What did not come proves nothing.
    """
    return tuple(
        replace(each, outcome=ExpectationOutcome.VOID, detail=why)
        if each.outcome is ExpectationOutcome.MISSED and each.kind != "not_words"
        else each
        for each in expected
    )


def _judged(step: int, kind: str, seen: Seen, found: Found) -> Expectation:
    if found is True and not (seen.spoiled and kind == "not_words"):
        return Expectation(step, kind, ExpectationOutcome.MET)
    if why := seen.spoiled or found:
        return Expectation(step, kind, ExpectationOutcome.VOID, str(why))
    return Expectation(step, kind, ExpectationOutcome.MISSED)


def _words(seen: Seen, wanted: tuple[str, ...]) -> Found:
    return _in_words(seen, lambda said: all(_has_words(each, said) for each in wanted))


def _not_words(seen: Seen, unwanted: tuple[str, ...]) -> Found:
    said = seen.said()
    if said is not None and any(_has_words(each, said) for each in unwanted):
        return False
    # What is still to be told may have one of them.
    return True if said is not None and seen.untold_since() is None else _why_untold(seen)


def _regex(seen: Seen, pattern: str) -> Found:
    try:
        return _in_words(seen, lambda said: occurs(pattern, said))
    except EndlessError:
        return ENDLESS


def _in_words(seen: Seen, has: Callable[[str], bool]) -> Found:
    said = seen.said()
    if said is not None and has(said):
        return True
    return False if said is not None and seen.untold_since() is None else _why_untold(seen)


def _why_untold(seen: Seen) -> str:
    return UNTOLD if seen.call.reports or seen.call.has(Subtitle) else SILENT


def _has_words(words: str, said: str) -> bool:
    return f" {normalized(words)} " in f" {normalized(said)} "


def _tool(seen: Seen, name: str) -> Found:
    call, span = seen.call, (seen.since, seen.until)
    ended = {each.call_id: each for each in call.of_every_agent(ToolEnded, *span)}
    called = [each for each in call.of_every_agent(ToolStarted, *span) if each.name == name]
    if any(each.call_id in ended and not ended[each.call_id].failed for each in called):
        return True
    if any(each.call_id not in ended for each in called):
        return RUNNING
    if not call.reports:
        return SILENT
    named = {each.call_id for each in call.of_every_agent(ToolStarted)}
    return UNNAMED if ended.keys() - named else False


def _handoff(seen: Seen, to: str) -> Found:
    told = seen.call.of_every_agent(HandOver, seen.since, seen.until)
    if any(to in (ANY, each.to) for each in told):
        return True
    return False if seen.call.reports else SILENT


def _joins(seen: Seen, kind: str) -> Found:
    return any(each.kind == kind for each in seen.call.of(Joined, seen.since, seen.until))


def _leaves(seen: Seen, _wanted: bool) -> Found:
    gone = seen.call.of(Left, seen.since, seen.until)
    return any(each.in_order and seen.call.was_ours(each.identity) for each in gone)


def _attribute(seen: Seen, wanted: dict[str, str]) -> Found:
    # An agent that has handed over had to tell it in this step; ours may have it from before.
    told = (
        *seen.call.of_every_agent(Attribute, seen.since, seen.until),
        *seen.call.of(Attribute, until=seen.until),
    )
    return wanted.items() <= {each.name: each.value for each in told}.items()


_CHECKS: dict[str, Callable[[Seen, Any], Found]] = {
    "words": _words,
    "not_words": _not_words,
    "regex": _regex,
    "tool": _tool,
    "handoff": _handoff,
    "joins": _joins,
    "leaves": _leaves,
    "attribute": _attribute,
}
