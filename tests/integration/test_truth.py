"""Calls to agents whose latency is known: the right number, or the right reason.

All calls of this file are placed by the runner, three at a time, before the first test looks.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exporter.outcome import CallResult, Outcome, Reason, TurnOutcome
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests.integration.placing import until_measured
from tests.integration.scripts import Script
from tests.integration.workers import truth_worker

pytestmark = [pytest.mark.integration, pytest.mark.whole_machine]

FLOOR_S = (0.03, 0.40)
"""What the way there and back may add on a busy machine; bench/accuracy.py has the real bounds."""


@dataclass(frozen=True, slots=True)
class Case:
    """One call: what the agent does, and what of the target's settings differs."""

    script: Script = field(default_factory=Script)
    settings: dict[str, Any] = field(default_factory=dict)
    agent_name: str = "truth"

    def config(self) -> LatencyConfig:
        """Return the target."""
        common = {"trials": 1, "greeting": "none", "reply_timeout": 6, "join_timeout": 15}
        return LatencyConfig(
            agent_name=self.agent_name,
            metadata=self.script.metadata(),
            **(common | self.settings),
        )


MEASURED = {
    "replies after 0.3 s": Case(Script(delay_s=0.3)),
    "replies after 1 s": Case(Script(), {"greeting": "auto", "trials": 2}),
    "replies after 4 s": Case(Script(delay_s=4.0)),
    "greets for 2.5 s": Case(Script(greet_s=2.5), {"greeting": "auto"}),
    "joins 6 s late": Case(Script(join_after_s=6.0)),
    "plays background audio": Case(Script(background=True)),
    "has a noise floor of -50 dBFS": Case(Script(noise_db=-50.0), {"greeting": "auto"}),
    "clicks 5 ms before replying": Case(Script(click_s=0.005)),
    "clicks 0.3 s before replying": Case(Script(click_s=0.3)),
    "pauses 0.6 s in its reply": Case(Script(pause_s=0.6)),
    "replaces its track": Case(Script(republish=True), {"trials": 2}),
    "talks over the end of the caller's speech": Case(Script(interrupt_s=1.4, delay_s=3.0)),
    "brings another agent": Case(Script(companion="bystander")),
}
FAILING = {
    "never replies": (Case(Script(mute=True), {"reply_timeout": 3}), Reason.NO_REPLY),
    "hangs in thinking": (Case(Script(hang=True), {"reply_timeout": 3}), Reason.NO_REPLY),
    "dies in the call": (Case(Script(die=True)), Reason.AGENT_LEFT),
    "leaves in the call": (Case(Script(leave=True)), Reason.AGENT_LEFT),
    "leaves after its first reply": (Case(Script(goodbye=True), {"trials": 2}), Reason.AGENT_LEFT),
    "publishes no track": (
        Case(Script(no_track=True), {"track_timeout": 3}),
        Reason.NO_AUDIO_TRACK,
    ),
    "greets without end": (
        Case(Script(talkative=True), {"greeting_timeout": 5}),
        Reason.GREETING_TIMEOUT,
    ),
    "does not greet as expected": (
        Case(Script(), {"greeting": "expected", "greeting_timeout": 5}),
        Reason.GREETING_TIMEOUT,
    ),
    "takes the job and joins too late": (
        Case(Script(join_after_s=14.0), {"join_timeout": 9}),
        Reason.JOIN_TIMEOUT,
    ),
    "does not exist": (Case(Script(), {"join_timeout": 3}, "nobody"), Reason.NO_WORKER),
    "is given too little time": (
        Case(Script(delay_s=4.0), {"deadline": 24, "trials": 10}),
        Reason.DEADLINE,
    ),
}


@pytest.fixture(scope="module")
def truth(livekit: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the worker `truth`, and another agent that one script brings along."""
    folder: Path = tmp_path_factory.mktemp("truth")
    with truth_worker(livekit, folder, "truth"), truth_worker(livekit, folder, "bystander"):
        yield livekit


@pytest.fixture(scope="module")
def outcomes(truth: Server) -> dict[str, Outcome]:
    """The outcome of every case by its name."""
    # The longest calls are among those that fail: they come first, so that none is waited for.
    cases = {name: case for name, (case, _) in FAILING.items()} | MEASURED

    async def place() -> dict[str, Outcome]:
        runner = Runner(truth, processes=3)
        try:
            runs = [
                until_measured(partial(runner.run, "latency", case.config()))
                for case in cases.values()
            ]
            return dict(zip(cases, await asyncio.gather(*runs), strict=True))
        finally:
            await runner.aclose()

    return asyncio.run(place())


def call_of(outcome: Outcome) -> CallResult:
    """Return the call that a latency outcome carries."""
    assert isinstance(outcome.result, CallResult), outcome
    return outcome.result


@pytest.mark.parametrize("name", MEASURED)
def test_an_agent_that_replies_is_measured(name: str, outcomes: dict[str, Outcome]) -> None:
    """Every turn that is not void reads the true delay plus the way there and back."""
    outcome = outcomes[name]
    delay = MEASURED[name].script.delay_s
    turns = [turn for turn in call_of(outcome).turns if not turn.warmup]
    assert {turn.outcome for turn in turns} <= {TurnOutcome.REPLIED, TurnOutcome.VOID}, outcome
    excess = [turn.e2e_s - delay for turn in turns if turn.e2e_s is not None]
    assert excess, outcome
    assert all(FLOOR_S[0] < each < FLOOR_S[1] for each in excess), outcome


@pytest.mark.parametrize("name", FAILING)
def test_an_agent_that_fails_has_its_reason(name: str, outcomes: dict[str, Outcome]) -> None:
    """A call without a measurement carries the right reason and one line for people."""
    outcome = outcomes[name]
    assert outcome.reason is FAILING[name][1], outcome
    assert outcome.detail
    assert "\n" not in outcome.detail


def test_a_late_agent_took_that_long_to_come(outcomes: dict[str, Outcome]) -> None:
    """Time to agent runs from the dispatch to the agent in the room."""
    late = call_of(outcomes["joins 6 s late"]).time_to_agent_s
    assert late is not None
    assert 6.0 < late < 9.0


def test_only_an_agent_that_greets_has_a_time_to_greeting(outcomes: dict[str, Outcome]) -> None:
    """Noise on the line is not a greeting, and silence is none either."""
    greeted = call_of(outcomes["greets for 2.5 s"]).time_to_greeting_s
    arrived = call_of(outcomes["greets for 2.5 s"]).time_to_agent_s
    assert greeted is not None
    assert arrived is not None
    # It greets as soon as it is there; the greeting's end would be 2.5 s later.
    assert -0.2 < greeted - arrived < 2.0
    assert call_of(outcomes["replies after 1 s"]).time_to_greeting_s is None
    assert call_of(outcomes["has a noise floor of -50 dBFS"]).time_to_greeting_s is None


def test_an_agent_that_hangs_is_told_by_its_state(outcomes: dict[str, Outcome]) -> None:
    """The detail of a missing reply names the agent's last state."""
    assert "thinking" in outcomes["hangs in thinking"].detail


def test_an_agent_without_reports_has_no_split_and_the_result_says_why(
    outcomes: dict[str, Outcome],
) -> None:
    """Components are absent, never 0, and the reason for it is told."""
    call = call_of(outcomes["replies after 1 s"])
    assert all(turn.components.llm_s is None for turn in call.turns)
    assert "lk.agent.session" in call.split_absent


def test_turns_before_the_deadline_are_kept(outcomes: dict[str, Outcome]) -> None:
    """A call that ran out of time still tells the turns it had."""
    assert call_of(outcomes["is given too little time"]).turns


def test_a_first_turn_that_fails_is_not_hidden_as_warm_up(outcomes: dict[str, Outcome]) -> None:
    """The warm-up turn is left out only when it was measured or void."""
    turns = call_of(outcomes["never replies"]).turns
    failed = [turn for turn in turns if turn.outcome is TurnOutcome.FAILED]
    assert failed
    assert not any(turn.warmup for turn in failed)


def test_a_reply_is_kept_when_the_agent_leaves_after_it(outcomes: dict[str, Outcome]) -> None:
    """What was heard was heard; only the turns that the agent did not stay for have failed."""
    first, *others = call_of(outcomes["leaves after its first reply"]).turns
    assert first.outcome is not TurnOutcome.FAILED
    assert {turn.reason for turn in others} == {Reason.AGENT_LEFT}


def test_a_turn_in_which_the_track_was_replaced_is_void(outcomes: dict[str, Outcome]) -> None:
    """The old track says nothing about the agent, and the new one is heard from then on."""
    first = call_of(outcomes["replaces its track"]).turns[0]
    assert first.outcome is TurnOutcome.VOID
    assert "replaced" in first.detail


def test_every_call_leaves_its_room_deleted(truth: Server, outcomes: dict[str, Outcome]) -> None:
    """Whatever happened in the calls, no room of a probe is left."""
    from exporter.server_api import ServerApi  # noqa: PLC0415

    async def rooms() -> list[str]:
        async with ServerApi(truth) as api:
            return [room for room in await api.list_rooms() if room.startswith("voice-exporter-")]

    assert outcomes
    assert asyncio.run(rooms()) == []
