"""Five real calls to agents whose latency is known: through the SDK, the codec and a real server.

What needs none of the three is in tests/unit/call, on a virtual clock. All calls of this file are
placed by the runner, three at a time, before the first test looks. A machine may be busy meanwhile:
see `voids`.
"""

import asyncio
import wave
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from exporter.outcome import CallResult, Outcome, Reason, Turn, TurnOutcome
from exporter.probes.calibrate.measure import echo_clip
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc.levels import RATE
from exporter.run.runner import Runner
from exporter.server_api import Server, ServerApi
from tests import patience
from tests.integration.scripts import Script
from tests.integration.voids import assert_late, measured, span
from tests.lateness import Watch, watching

pytestmark = pytest.mark.integration

AT_ONCE = 3
"""Calls placed at one time."""

LEAST_S = 0.02
"""Two Opus packets are on the way between a sound and what is heard of it, at least."""

MOST_S = 0.2
"""What the way there and back may add: two codecs and the other side's jitter buffer. Our own one
comes on top, and how late the machine was at worst. bench/accuracy.py has the real bounds."""


BARE_S = (0.045, 0.090)
"""What is left of it without both jitter buffers: two packets of 20 ms, Opus twice, and the pieces
of 10 ms in which audio goes in and out. 50 to 81 ms, 66 in the median, were seen where the machine
was late by 11 to 77 ms (n 17). A constant error of 30 ms at either end shows where it is not."""


SETTLED_S = 0.06
"""A jitter buffer that is deeper has not settled: it holds 20 to 40 ms where nothing is late."""


@dataclass(frozen=True, slots=True)
class Case:
    """One call: what the agent does, and what of the target's settings differs."""

    script: Script = field(default_factory=Script)
    settings: dict[str, Any] = field(default_factory=dict)
    own_clip: bool = False
    """Say the clip that ships with the package; it is longer than what the others say."""

    def config(self, notes: "Notes", clip: Path) -> LatencyConfig:
        """Return the target, whose agent notes how late it truly replied."""
        common: dict[str, Any] = {
            "trials": 2,
            "greeting": "none",
            "reply_timeout": 6,
            "join_timeout": patience.WAIT_S,
        }
        if not self.own_clip:
            common["utterance"] = {"wav": clip}
        script = replace(self.script, delays=str(notes.delays), depths=str(notes.depths))
        return LatencyConfig(
            agent_name="truth", metadata=script.metadata(), **(common | self.settings)
        )


@dataclass(frozen=True, slots=True)
class Notes:
    """What the agent of one call knows of each of its turns; read once the call is over."""

    delays: Path
    depths: Path

    @property
    def delays_s(self) -> list[float]:
        """How long after the end of each utterance, as the agent heard it, its reply left."""
        return [float(line) for line in _lines(self.delays)]

    @property
    def depths_s(self) -> list[float]:
        """The mean depth of the agent's own jitter buffer; empty where one is not known."""
        told = [line.split()[1] for line in _lines(self.depths)]
        return [] if "unknown" in told else [float(depth) for depth in told]


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


# The longest comes first, so that none is waited for: a server takes its time over the dead.
CASES = {
    "dies in the call": Case(Script(die=True)),
    "greets, and replies after 1 s": Case(Script(greet_s=1.0), {"greeting": "auto"}, own_clip=True),
    "clicks 0.3 s before replying": Case(Script(click_s=0.3)),
    "replaces its track": Case(Script(republish=True)),
    "plays background audio": Case(Script(background=True)),
}
REPLYING = [name for name in CASES if name != "dies in the call"]


@dataclass(frozen=True, slots=True)
class Placed:
    """All calls as they were placed."""

    outcomes: dict[str, Outcome]
    notes: dict[str, Notes]
    watch: Watch
    rooms_left: list[str]

    def turns(self, name: str) -> tuple[Turn, ...]:
        """Return the turns of one call."""
        result = self.outcomes[name].result
        assert isinstance(result, CallResult), self.outcomes[name]
        return result.turns


@pytest.fixture(scope="module")
def placed(truth: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Placed]:
    """The outcome of every case, once all have been placed."""
    folder: Path = tmp_path_factory.mktemp("truth")
    clip = write_clip(folder / "clip.wav")
    notes = {
        name: Notes(folder / f"delays-{number}", folder / f"depths-{number}")
        for number, name in enumerate(CASES)
    }
    configs = [case.config(notes[name], clip) for name, case in CASES.items()]
    with watching(folder) as watch:
        outcomes, rooms = asyncio.run(place_all(truth, configs))
        yield Placed(dict(zip(CASES, outcomes, strict=True)), notes, watch, rooms)


def write_clip(file: Path) -> Path:
    """Write an utterance whose end cannot be mistaken."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(echo_clip().pcm.tobytes())
    return file


async def place_all(
    server: Server, configs: list[LatencyConfig]
) -> tuple[list[Outcome], list[str]]:
    """Place all calls at once; return what came of them, and the rooms of probes that are left."""
    runner = Runner(server, processes=AT_ONCE)
    try:
        outcomes = await asyncio.gather(*(runner.run("latency", each) for each in configs))
    finally:
        await runner.aclose()
    async with ServerApi(server) as api:
        rooms = await api.list_rooms([f"voice-exporter-{each.run_id}" for each in outcomes])
    return outcomes, list(rooms)


def after_the_replacement(name: str, turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Return the turns to which the agent replies: all but the one in which its track went."""
    return turns[1:] if CASES[name].script.republish else turns


@pytest.mark.parametrize("name", REPLYING)
def test_an_agent_that_replies_is_measured(name: str, placed: Placed) -> None:
    """Every turn reads the true delay plus the way there and back, or is void by the prober."""
    turns = after_the_replacement(name, placed.turns(name))
    outcome = placed.outcomes[name]
    assert len(turns) >= 2, (outcome.reason, outcome.detail, outcome.log)
    replied = measured(turns)
    if not replied:
        assert_late([outcome], placed.watch, turns)
    elif len(placed.notes[name].delays_s) > len(turns):  # it took a gap for the end of an utterance
        assert_late([outcome], placed.watch, turns[:1])
    else:
        check_delays(replied, turns, placed.notes[name], placed.watch.worst_s(*span(outcome)))


def check_delays(replied: list[Turn], turns: tuple[Turn, ...], notes: Notes, late_s: float) -> None:
    """Assert that each measured turn reads its true delay and a way there and back.

    Less what both jitter buffers held, that way is the same for all, unless the machine was late:
    the watch saw it, or the agent, which replied later in one turn than in another of the call.
    """
    delays, depths, seen_s = notes.delays_s, notes.depths_s, late_s
    for turn in replied:
        assert turn.e2e_s is not None
        number = turns.index(turn)
        late_s = max(seen_s, delays[number] - min(delays))
        way_s, ours_s = turn.e2e_s - delays[number], turn.jitter_buffer_s or 0.0
        said = (turn, delays, depths, late_s)
        if len(depths) == len(delays) and ours_s:
            bare_s = way_s - ours_s - depths[number]
            # A deep buffer shrinks during the turn: its mean is not what it was at the reply.
            deep_s = max(0.0, ours_s - SETTLED_S) + max(0.0, depths[number] - SETTLED_S)
            assert BARE_S[0] - late_s - deep_s < bare_s < BARE_S[1] + late_s + deep_s, said
        else:
            assert LEAST_S < way_s < MOST_S + ours_s + late_s, said


def test_most_turns_are_measured_unless_the_machine_was_late(placed: Placed) -> None:
    """At most half of all turns are void; or the machine was late as often as one was spoiled."""
    turns = [turn for name in REPLYING for turn in after_the_replacement(name, placed.turns(name))]
    voids = [turn for turn in turns if turn.outcome is TurnOutcome.VOID]
    if len(voids) > len(turns) / 2:
        assert_late(placed.outcomes.values(), placed.watch, voids)


def test_a_greeting_has_its_time(placed: Placed) -> None:
    """It is heard soon after the agent came, and none is heard where the agent does not greet."""
    greets = placed.outcomes["greets, and replies after 1 s"].result
    clicks = placed.outcomes["clicks 0.3 s before replying"].result
    assert isinstance(greets, CallResult)
    assert isinstance(clicks, CallResult)
    assert greets.time_to_agent_s is not None
    assert greets.time_to_greeting_s is not None
    assert clicks.time_to_greeting_s is None


def test_a_turn_in_which_the_track_was_replaced_is_void(placed: Placed) -> None:
    """The old track says nothing about the agent, and the new one is heard from then on."""
    first = placed.turns("replaces its track")[0]
    assert first.outcome is TurnOutcome.VOID
    assert "replaced" in first.detail


def test_an_agent_that_dies_in_the_call_has_left(placed: Placed) -> None:
    """A job that is killed says nothing: the server drops it, and the call ends by that.

    Not where the prober tore its own utterance: it blames nobody then, and says nothing more.
    """
    outcome, turns = placed.outcomes["dies in the call"], placed.turns("dies in the call")
    if outcome.reason is Reason.VOID:
        assert measured(turns) == []
        assert_late([outcome], placed.watch, turns)
        return
    assert outcome.reason is Reason.AGENT_LEFT, outcome
    assert outcome.detail == "the agent left the room during the call"
    assert turns[-1].outcome is TurnOutcome.FAILED


def test_every_call_leaves_its_room_deleted(placed: Placed) -> None:
    """Whatever happened in the calls, no room of theirs is left."""
    assert placed.rooms_left == []
