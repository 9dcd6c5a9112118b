"""Every limit of time has a reason and a rule: whose fault it is when it runs out."""

from collections.abc import Callable
from pathlib import Path

from exporter.limits import Limit
from exporter.outcome import Reason, Verdict
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

ALL = {**{limit: (limit, story) for limit, story in STORIES.items()}, **MORE}


def test_every_reason_is_of_a_limit_or_of_none() -> None:
    """One that is new belongs to one of the two; `room_closed` and `agent_left` to both."""
    by_time = {limit.reason for limit in Limit if limit.reason is not None}
    assert by_time | NOT_BY_TIME.keys() == set(Reason)
    assert not by_time & NOT_BY_TIME.keys()


def test_every_limit_has_a_story() -> None:
    """Without one its rule could be taken away, and nobody would see it."""
    assert STORIES.keys() == set(Limit)


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
