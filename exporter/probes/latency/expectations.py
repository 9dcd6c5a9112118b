"""Whether a step of a dialogue came out as expected: pure functions of the call's events.

What was said is compared here, and leaves this module only as a kind and an outcome.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.outcome import Expectation, ExpectationOutcome, Timeline
from exporter.outcome.timeline import (
    Attribute,
    HandOver,
    Joined,
    Left,
    Message,
    Subtitle,
    ToolEnded,
    ToolStarted,
    Usage,
    UserState,
)
from exporter.probes.latency.script import ANY, Expect
from exporter.probes.latency.understood import normalized

_REPORTS = (Message, UserState, Usage, ToolStarted, ToolEnded, HandOver)
"""Only an agent that reports on `lk.agent.session` tells of these."""

SILENT = "the agent reports nothing on lk.agent.session (livekit-agents before 1.5?)"
UNNAMED = "the agent does not name the tools that it calls (livekit-agents before 1.6?)"
RUNNING = "the tool had not ended"
UNTOLD = "the agent did not report what it said"

Found = bool | str
"""It happened, or did not; a text says why that cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of one step."""

    call: Timeline
    since: float
    """When the caller began to speak."""
    until: float
    """What happened later does not count."""
    replied: bool = False
    """The caller heard a reply."""
    spoiled: str = ""
    """Why what did not happen proves nothing about the agent; "" where it does."""

    @property
    def reports(self) -> bool:
        """Whether the agent reports on `lk.agent.session`."""
        return any(self.call.has(kind) for kind in _REPORTS)

    def said(self) -> str | None:
        """Return what the agent said in time; None where it does not tell."""
        messages = [each for each in self.call.of(Message) if each.by_agent]
        told: Sequence[Message | Subtitle] = messages or self.call.of(Subtitle)
        told = [each for each in told if each.at >= self.since]
        if told:
            return " ".join(each.text for each in told if each.at < self.until)
        tells = self.reports or self.call.has(Subtitle)
        return None if self.replied or not tells else ""


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


def _judged(step: int, kind: str, seen: Seen, found: Found) -> Expectation:
    if found is True and not (seen.spoiled and kind == "not_words"):
        return Expectation(step, kind, ExpectationOutcome.MET)
    if why := seen.spoiled or found:
        return Expectation(step, kind, ExpectationOutcome.VOID, str(why))
    return Expectation(step, kind, ExpectationOutcome.MISSED)


def _why_silent(seen: Seen) -> str:
    return UNTOLD if seen.reports else SILENT


def _words(seen: Seen, wanted: tuple[str, ...]) -> Found:
    said = seen.said()
    return _why_silent(seen) if said is None else all(_occurs(each, said) for each in wanted)


def _not_words(seen: Seen, unwanted: tuple[str, ...]) -> Found:
    said = seen.said()
    return _why_silent(seen) if said is None else not any(_occurs(each, said) for each in unwanted)


def _occurs(words: str, said: str) -> bool:
    return f" {normalized(words)} " in f" {normalized(said)} "


def _regex(seen: Seen, pattern: str) -> Found:
    said = seen.said()
    return _why_silent(seen) if said is None else re.search(pattern, said) is not None


def _tool(seen: Seen, name: str) -> Found:
    if not seen.reports:
        return SILENT
    ended = {each.call_id: each for each in seen.call.of(ToolEnded, seen.since, seen.until)}
    called = [
        each for each in seen.call.of(ToolStarted, seen.since, seen.until) if each.name == name
    ]
    if any(each.call_id in ended and not ended[each.call_id].failed for each in called):
        return True
    if any(each.call_id not in ended for each in called):
        return RUNNING
    named = {each.call_id for each in seen.call.of(ToolStarted)}
    return UNNAMED if ended.keys() - named else False


def _handoff(seen: Seen, to: str) -> Found:
    if not seen.reports:
        return SILENT
    return any(to in (ANY, each.to) for each in seen.call.of(HandOver, seen.since, seen.until))


def _joins(seen: Seen, kind: str) -> Found:
    return any(each.kind == kind for each in seen.call.of(Joined, seen.since, seen.until))


def _leaves(seen: Seen, _wanted: bool) -> Found:
    gone = seen.call.of(Left, seen.since, seen.until)
    return any(each.identity == seen.call.agent for each in gone)


def _attribute(seen: Seen, wanted: dict[str, str]) -> Found:
    told = {each.name: each.value for each in seen.call.of(Attribute, until=seen.until)}
    return wanted.items() <= told.items()


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
