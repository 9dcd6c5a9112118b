"""Long calls: answers that keep coming, that become slow, that stop; and a call that ends early."""

from dataclasses import replace
from pathlib import Path

import pytest

from exporter.outcome import Cause, Finding, Reason, TurnOutcome, Verdict
from exporter.probes.latency.endurance import EnduranceConfig, judge_endurance
from exporter.probes.latency.judge import judge
from tests.fake_call.agent import FakeAgent
from tests.fake_call.calls import Placed, World, place, target
from tests.fake_call.script import Script
from tests.unit.calls import failed, replied

EVERY_S = 8.0
LENGTH_S = 72.0
TURNS = 9
"""Utterances in that time; the first is the warm-up."""
LATE_TURN = 6
"""The first of the last third."""


class SlowsDown(FakeAgent):
    """Takes 2 s for an answer late in the call."""

    async def _answer(self, end: float) -> None:
        if len(self.exchanges) >= LATE_TURN:
            self._script = replace(self._script, delay_s=2.0)
        await super()._answer(end)


class GoesDeaf(FakeAgent):
    """Answers no more late in the call."""

    async def _answer(self, end: float) -> None:
        if len(self.exchanges) >= LATE_TURN:
            self._script = replace(self._script, mute=True)
        await super()._answer(end)


def held(
    wav: Path,
    agent_of: type[FakeAgent] = FakeAgent,
    script: Script = Script(),  # noqa: B008 - frozen
    ask_every: float = EVERY_S,
    **settings: object,
) -> tuple[Placed, tuple[Finding, ...]]:
    """Place a long call, and judge it."""
    config = target(
        utterance={"wav": wav},
        endurance={"length": LENGTH_S, "ask_every": ask_every},
        **({"target_ms": 5000} | settings),
    )
    placed = place(script, World(), config, agent_of)
    return placed, judge(config, placed.outcome)


def test_a_call_that_keeps_its_speed_passes(wav: Path) -> None:
    """The caller asks at its times, for the length of the call and not for `trials`."""
    placed, findings = held(wav)
    assert findings == ()
    assert placed.outcome.reason is None
    assert [turn.warmup for turn in placed.call.turns] == [True, *[False] * (TURNS - 1)]
    assert LENGTH_S - EVERY_S < placed.outcome.duration_s < LENGTH_S + EVERY_S
    assert placed.rooms_left == frozenset()


def test_a_call_that_slows_down_is_slow(wav: Path) -> None:
    """The finding has both ends of the call and the limit."""
    _, (found,) = held(wav, SlowsDown)
    assert found.verdict is Verdict.SLOW
    assert found.text == (
        "answers became slower during the call: 1.00 s at first, 2.00 s at its end, "
        "above 1.5 times as much"
    )


def test_a_call_may_slow_down_as_much_as_its_target_allows(wav: Path) -> None:
    """The limit is a setting."""
    placed, _ = held(wav, SlowsDown)
    generous = target(endurance={"length": LENGTH_S, "max_slowdown": 3}, target_ms=5000)
    assert judge(generous, placed.outcome) == ()


def test_answers_that_stop_fail(wav: Path) -> None:
    """With the reason that any turn without a reply has; the caller asks on to the end."""
    placed, (found,) = held(wav, GoesDeaf)
    assert found.verdict is Verdict.FAIL
    assert found.text.startswith("no_reply: ")
    assert [turn.outcome for turn in placed.call.turns] == [
        *[TurnOutcome.REPLIED] * LATE_TURN,
        *[TurnOutcome.FAILED] * (TURNS - LATE_TURN),
    ]


def test_an_agent_that_leaves_early_fails(wav: Path) -> None:
    """The turns before it are kept."""
    placed, (found,) = held(wav, script=Script(dies_after=3))
    assert placed.outcome.reason is Reason.AGENT_LEFT
    assert found.verdict is Verdict.FAIL
    assert placed.outcome.duration_s < LENGTH_S / 2
    assert len(placed.call.turns) >= 3


def test_without_a_time_it_asks_as_soon_as_the_reply_is_over(wav: Path) -> None:
    """More turns than at 8 s, and no more than are planned for."""
    placed, findings = held(wav, ask_every=0)
    assert findings == ()
    most = EnduranceConfig(length=LENGTH_S, ask_every=0).most_turns
    assert TURNS < len(placed.call.turns) <= most + 1


@pytest.mark.parametrize("length", [9, 30])
def test_a_short_call_is_not_compared(wav: Path, length: float) -> None:
    """Below six turns a beginning and an end say nothing."""
    config = target(
        utterance={"wav": wav}, endurance={"length": length, "ask_every": 8}, target_ms=5000
    )
    placed = place(Script(), World(), config, SlowsDown)
    assert judge(config, placed.outcome) == ()


@pytest.mark.parametrize(
    ("first_s", "middle_s", "last_s", "slow"),
    [
        pytest.param(0.5, (0.5, 0.5), 0.75, False, id="exactly as much as it may"),
        pytest.param(0.5, (0.5, 0.5), 0.76, True, id="more"),
        pytest.param(2.0, (2.0, 2.0), 2.9, False, id="of a slow beginning"),
        pytest.param(0.5, (9.0, 9.0), 0.6, False, id="in the middle"),
        pytest.param(9.0, (0.5, 0.5), 0.5, False, id="faster"),
    ],
)
def test_the_last_third_is_held_against_the_first(
    first_s: float, middle_s: tuple[float, float], last_s: float, slow: bool
) -> None:
    """Six turns are enough; neither the warm-up nor a turn without an answer is one."""
    turns = (
        replied(90.0, warmup=True),
        replied(first_s),
        failed(),
        *map(replied, (first_s, *middle_s, last_s, last_s)),
    )
    found = list(judge_endurance(EnduranceConfig(max_slowdown=1.5), turns))
    assert [each.cause for each in found] == [Cause.LATENCY] * slow
    assert not list(judge_endurance(EnduranceConfig(max_slowdown=1.5), turns[:-1]))


def test_thirds_are_compared_by_their_medians() -> None:
    """Three turns of eleven: it is rounded down."""
    took = (0.4, 0.6, 0.9, 9.0, 9.0, 9.0, 9.0, 9.0, 0.7, 1.0, 1.4)
    turns = [replied(seconds) for seconds in took]
    (found,) = judge_endurance(EnduranceConfig(max_slowdown=1.5), turns)
    said = "answers became slower during the call: 0.60 s at first, 1.00 s at its end, "
    assert found == Finding(Verdict.SLOW, f"{said}above 1.5 times as much", Cause.LATENCY)
