"""Calls in a scenario to a turn agent in a process of its own: see `turn_agent`.

What an agent is to do and what is to come of it is in `CASES`, for a test and for a bench.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from exporter.outcome import CallResult, Interruption, Outcome, Reason
from exporter.probes.latency.scenarios.config import Kind, ScenarioConfig
from exporter.probes.latency.scenarios.variants import variant_of
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests import patience
from tests.turn_agent import Manner

VOID = "void"
MOST_LATE_S = 0.25
"""An agent that heard later than this at worst may not have done what it was told to."""
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Case:
    """A manner, and what comes of it in truth."""

    kind: Kind
    manner: Manner
    outcome: str
    answer: str | None = None
    """Of an interruption: answered, unanswered, or None where it was too late for one."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the scenario."""

    @property
    def expected(self) -> tuple[str, str | None]:
        """The outcome and the answer of each of its turns."""
        return self.outcome, self.answer

    def is_true(self, found: tuple[str, str | None]) -> bool:
        """Tell whether an outcome and an answer are the true ones; None is a void answer."""
        return found[0] == self.outcome and found[1] in (self.answer, None)


@dataclass(frozen=True, slots=True)
class Truth:
    """What the agent did in a call, by its own clock."""

    yields_s: tuple[float, ...]
    """First loud sample heard into its speech to its own last one, of each time that it stopped."""
    replies_s: tuple[float, ...]
    """Last loud sample of an utterance to the first one of its reply; without answers to what
    interrupted it."""
    late_s: float
    """How late what it heard came to it at worst."""


@dataclass(frozen=True, slots=True)
class TurnCall:
    """What came of a call."""

    outcome: Outcome
    yields_s: tuple[float, ...]
    """The true times to yield, one after another."""
    late_s: float = 0.0
    """How late what it heard came to the agent at worst: then its turn-taking is not the known one,
    and the caller is not to blame."""
    replies_s: tuple[float, ...] = ()
    """The true times to reply, one after another."""

    @property
    def result(self) -> CallResult | None:
        """What the caller has found, if anything; None where the agent itself was late."""
        if self.late_s > MOST_LATE_S:
            return None
        return self.outcome.result if isinstance(self.outcome.result, CallResult) else None

    @property
    def found(self) -> list[tuple[str, str | None]]:
        """The outcome and the answer of each turn of the scenario; void ones are left out."""
        call = self.result
        if call is None:
            return []
        found = [
            (str(each.outcome), each.answer if isinstance(each, Interruption) else None)
            for each in call.turn_taking
        ]
        return [each for each in found if each[0] != VOID]

    @property
    def voids(self) -> list[str]:
        """Why each void turn of the scenario is void."""
        call = self.result
        if call is None:
            return []
        return [each.detail for each in call.turn_taking if str(each.outcome) == VOID]

    @property
    def is_void(self) -> bool:
        """The prober spoiled the whole call, by its own word, or the agent was late."""
        return self.outcome.reason is Reason.VOID or self.late_s > MOST_LATE_S


class TurnAgents:
    """Places calls to the agent, one after another."""

    def __init__(self, server: Server, wav: Path, orders: IO[str], truths: IO[str]) -> None:
        self._server = server
        self._wav = wav
        self._orders = orders
        self._truths = truths

    async def call(self, runner: Runner, case: Case, trials: int) -> TurnCall:
        """Call the agent in a scenario.

        Raises:
            AssertionError: The agent has ended.
            TimeoutError: The agent is still in the call long after its end.
        """
        room = self.join(case.manner)
        target = LatencyConfig.model_validate(
            {
                "agent_name": "",
                "dispatch": "automatic",
                "room_name": room,
                "trials": trials,
                "greeting": "none",
                "join_timeout": patience.WAIT_S,
            }
        )
        said = {"interruption": {"wav": self._wav}} if case.kind == "barge_in" else {}
        settings = said | case.settings
        scenario = ScenarioConfig.model_validate({"name": case.kind, **settings})
        outcome = await runner.run("latency", variant_of(target, scenario))
        truth = await self.truth(outcome)
        return TurnCall(outcome, truth.yields_s, truth.late_s, truth.replies_s)

    def join(self, manner: Manner) -> str:
        """Send the agent into a room of its own as soon as that is there; returns its name."""
        room = f"turn-taking-{os.getpid()}-{next(_numbers)}"
        self._orders.write(json.dumps({"room": room, "manner": asdict(manner)}) + "\n")
        self._orders.flush()
        return room

    async def truth(self, call: object = "") -> Truth:
        """Wait until the agent has left the room, and return what it did there.

        Args:
            call: What the caller says of it, for the message.

        Raises:
            AssertionError: The agent has ended.
            TimeoutError: The agent is still in the call long after its end.
        """
        # A thread that still reads ends with the agent's process.
        line = await asyncio.wait_for(asyncio.to_thread(self._truths.readline), patience.WAIT_S)
        assert line, f"the agent has ended; the call: {call}"
        told = json.loads(line)
        return Truth(tuple(told["yields_s"]), tuple(told["replies_s"]), told["late_s"])


@contextmanager
def turn_agents(server: Server, folder: Path, wav: Path) -> Iterator[TurnAgents]:
    """Run the agent until the block ends.

    Args:
        server: To which it goes.
        folder: Takes its log.
        wav: What the caller interrupts it with, loud from its first sample to its last.
    """
    environ = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    with (folder / "turn-agent.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.turn_agent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environ,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield TurnAgents(server, wav, process.stdin, process.stdout)
        finally:
            process.kill()
            process.communicate()


def yields(after_s: float, **change: Any) -> Case:
    """Return an agent that stops so long after the first loud sample that it hears."""
    # Silent for a second before it answers, and with much of its reply left.
    manner = Manner(**{"yields_s": after_s, "answer_s": 2.2, "reply_s": 5.0, **change})
    return Case("barge_in", manner, "yielded", "answered", {"after": 0.8})


_SOON: Mapping[str, Any] = MappingProxyType({"after": 0.8})
_NEVER = Manner(answers=False)

CASES: Mapping[str, Case] = MappingProxyType(
    {
        "yields": yields(0.5),
        "yields, tells no state": yields(0.3, states=False),
        "yields, and answers nothing": Case(
            "barge_in", Manner(yields_s=0.5, answers=False), "yielded", "unanswered", {**_SOON}
        ),
        "never yields": Case("barge_in", _NEVER, "talked_on", "unanswered", {**_SOON}),
        "natural pauses of 0.6 s": Case(
            "barge_in",
            Manner(natural_s=0.6, reply_s=8.0, answers=False, states=False),
            "talked_on",
            "unanswered",
            {**_SOON},
        ),
        "resumes after a second": Case(
            "barge_in",
            Manner(yields_s=0.5, resumes_s=1.0, answers=False),
            "resumed",
            "unanswered",
            {**_SOON},
        ),
        "resumes, tells no state": Case(
            "barge_in",
            Manner(yields_s=0.5, resumes_s=1.3, answers=False, states=False),
            "resumed",
            "unanswered",
            {**_SOON},
        ),
        "stops only when the caller has ended": Case(
            "barge_in",
            Manner(yields_after_end_s=0.6, answer_s=2.0),
            "yielded",
            "answered",
            {**_SOON},
        ),
        "ends by itself just then": Case(
            "barge_in",
            Manner(reply_s=1.5, answer_s=1.6),
            "finished_first",
            "answered",
            {**_SOON},
        ),
        "had ended before": Case("barge_in", Manner(ends_s=0.5), "finished_first", None, {**_SOON}),
        "ignores a backchannel": Case(
            "backchannel", Manner(yields_s=1.0, least_s=0.8), "ignored", None, {**_SOON}
        ),
        "ignores a cough": Case(
            "cough", Manner(yields_s=1.0, least_s=0.8), "ignored", None, {**_SOON}
        ),
        "stops at a backchannel": Case(
            "backchannel", Manner(yields_s=0.3, answers=False), "stopped", None, {**_SOON}
        ),
        "pauses at a cough": Case(
            "cough",
            Manner(yields_s=0.3, resumes_s=1.0, answers=False),
            "paused",
            None,
            {**_SOON},
        ),
        "waits at a pause": Case(
            "pause", Manner(reply_s=0.8, endpoint_s=1.6, delay_s=1.9), "waited", None
        ),
        "cuts in at a pause": Case(
            "pause", Manner(reply_s=1.5, yields_s=0.3, delay_s=0.6), "cut_in", None
        ),
    }
)
