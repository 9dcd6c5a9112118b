"""Every limit of time has a reason and a rule: whose fault it is when it runs out."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import Reason, Verdict
from tests.imports import ROOT
from tests.unit.call.limit_stories import MORE, STORIES, Story

NOT_BY_TIME = {
    Reason.AUTH_FAILED: "the server says so",
    Reason.QUOTA_EXCEEDED: "the server says so, or our own budget of requests; no verdict either",
    Reason.API_FAILED: "the server answers",
    Reason.DISPATCH_FAILED: "the server answers",
    Reason.ENCRYPTED: "the tracks say so",
    Reason.PROBE_CRASHED: "the prober's own fault",
    Reason.VOID: "the prober's own fault",
}
"""Reasons in which no limit of time ends, and what tells them."""

PLACES = ("rtc", "probes", "server_api", "probe.py", "run/process.py")
"""Where probes wait, below `exporter/`."""

ELSEWHERE = {
    "probes/agents/measure.py:_may_ask": "the allowance of requests: quota_exceeded",
    "probes/latency/clips.py:_speak": "a text that is spoken here: void",
    "probes/latency/listening.py:settle": "the next turn tells",
    "probes/latency/listening.py:wait": "who waits",
    "probes/latency/reply.py:onset": "who asks for the reply: REPLY",
    "probes/latency/reply.py:over": "who asks for the answer: ANSWER",
    "probes/latency/scenarios/insertion.py:_hear_until": "void by the lag at the sound itself",
    "probes/preflight/measure.py:_once": "UNKNOWN, whoever it was",
    "probes/preflight/webhook.py:_started": "who asks: WEBHOOK",
    "probes/preflight/webhook.py:seen": "_none: WEBHOOK",
    "probes/preflight/ways.py:_stay": "figures, of which there may be none",
    "probes/ramp/processes.py:ask": "a process of the prober: probe_crashed",
    "probes/ramp/processes.py:stop": "the end of a process",
    "probes/ramp/tier.py:hold": "the length of a tier",
    "probes/ramp/worker.py:leave": "leaving",
    "probes/reach/measure.py:_wait_for_path": "who waits for the way: WAY",
    "probes/reconnect/measure.py:_break": "charged: BACK, MEDIA_BACK",
    "rtc/caller.py:meet": "who waits for the agent: DISPATCH, ARRIVAL, TAKE_OVER",
    "rtc/caller.py:sleep_until_change": "who waits",
    "rtc/hearing.py:hear_more": "who waits",
    "rtc/hearing.py:time_of": "a figure",
    "rtc/media.py:_own": "figures, of which there may be none",
    "rtc/session_events.py:_read": "figures, of which there may be none",
    "rtc/session_events.py:_text": "figures, of which there may be none",
    "rtc/session_events.py:ask_statistics": "figures, of which there may be none",
    "rtc/session_events.py:report_since": "figures, of which there may be none",
    "rtc/tasks.py:alive": "a task that died: probe_crashed",
}
"""Functions that wait for a limited time without a limit of the table, and who judges it."""

SPOILED = Limit.spoiled

ALL: dict[str, tuple[Limit, Story]] = {
    **{limit: (limit, story) for limit, story in STORIES.items()},
    **MORE,
}


def test_every_reason_is_of_a_limit_or_of_none() -> None:
    """One that is new belongs to one of the two; `room_closed` and `agent_left` to both."""
    by_time = {limit.reason for limit in Limit if limit.reason is not None}
    assert by_time | NOT_BY_TIME.keys() == set(Reason)
    assert not by_time & NOT_BY_TIME.keys()


def test_every_limit_has_a_story() -> None:
    """Without one its rule could be taken away, and nobody would see it."""
    assert STORIES.keys() == set(Limit)


def test_every_wait_has_a_limit_of_the_table_or_says_why_not() -> None:
    """A wait that is new is either of a limit, or ends in nothing that is charged to anyone."""
    waits = {place for place, uses in _waits() if not uses}
    assert waits == ELSEWHERE.keys()


def test_every_limit_is_used() -> None:
    """The table has none that nothing ends in."""
    code = "".join(file.read_text("utf-8") for file in _files())
    assert [limit for limit in Limit if f"Limit.{limit.name}" not in code] == []


def test_each_story_needs_its_rule(wav: Path) -> None:
    """Without it the prober would charge another with what it has not seen itself."""

    def rule(limit: Limit, story: Story) -> None:
        def but_one(self: Limit, detail: str, since: float, limit_s: float) -> ProbeError | None:
            return None if self is limit else SPOILED(self, detail, since, limit_s)

        with patch.object(Limit, "spoiled", but_one):
            told = story.tell(story.bounds_s(limit)[1], wav)
        assert told.verdict is Verdict.FAIL, told

    hold(rule)


def test_what_does_not_come_is_charged_to_whoever_it_was_waited_for(wav: Path) -> None:
    """The prober was there all the time: FAIL, for the reason of the limit."""

    def rule(limit: Limit, story: Story) -> None:
        told = story.tell(0.0, wav)
        assert (told.verdict, told.reason) == (Verdict.FAIL, limit.reason), told

    hold(rule)


def test_a_short_standstill_excuses_nobody(wav: Path) -> None:
    """Else a busy prober would hide what is broken."""

    def rule(limit: Limit, story: Story) -> None:
        told = story.tell(story.bounds_s(limit)[0], wav)
        assert (told.verdict, told.reason) == (Verdict.FAIL, limit.reason), told

    hold(rule)


def test_a_prober_that_stood_still_blames_itself(wav: Path) -> None:
    """UNKNOWN and void: that nothing came meanwhile says nothing of the agent or the server.

    The call in which an answer does not come has another turn, which is good.
    """

    def rule(limit: Limit, story: Story) -> None:
        told = story.tell(story.bounds_s(limit)[1], wav)
        good = Verdict.PASS if limit is Limit.ANSWER else Verdict.UNKNOWN
        assert told.verdict is good, told
        assert told.reason in (Reason.VOID, None), told

    hold(rule)


def hold(rule: Callable[[Limit, Story], None]) -> None:
    """Try a rule with every story; name all that break it, and how."""
    broken = [f"{name}: {why}" for name, row in ALL.items() if (why := _broken(rule, *row))]
    assert not broken, "\n".join(broken)


def _broken(rule: Callable[[Limit, Story], None], limit: Limit, story: Story) -> str:
    try:
        rule(limit, story)
    except Exception as error:  # noqa: BLE001 - a story that does not come to its end breaks it too
        return f"{type(error).__name__}: {error}"
    return ""


def _files() -> list[Path]:
    found = (ROOT / "exporter" / place for place in PLACES)
    return [file for each in found for file in (each.rglob("*.py") if each.is_dir() else [each])]


def _waits() -> Iterator[tuple[str, bool]]:
    """Yield each function that waits for a limited time, and whether it names a limit."""
    for file in _files():
        for function in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                own = [*_own_parts(function)]
                if any(map(_is_limited, own)):
                    place = f"{file.relative_to(ROOT / 'exporter').as_posix()}:{function.name}"
                    yield place, "Limit." in ast.unparse(function)


def _own_parts(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a function, without those of functions in it."""
    for part in ast.iter_child_nodes(function):
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            yield part
            yield from _own_parts(part)


def _is_limited(part: ast.AST) -> bool:
    """Tell whether a part of the code ends when a time is over."""
    match part:
        case ast.ExceptHandler(type=ast.expr() as error):
            return "TimeoutError" in ast.unparse(error)
        case ast.Call(func=called, args=args):
            raised = " ".join(map(ast.unparse, args))
            return ast.unparse(called).endswith("suppress") and "TimeoutError" in raised
        case ast.While(test=test):
            return any(each in ast.unparse(test) for each in ("monotonic()", "clock()"))
    return False
