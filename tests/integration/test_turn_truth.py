"""Scenarios with agents of which the turn-taking is known, through the codec and a real server.

The agents share no code with the caller. All kinds of them, on a virtual clock:
tests/unit/call/test_turn_taking.py; with figures: bench/turn_taking.py.
"""

import asyncio
from pathlib import Path

import pytest

from exporter.run.runner import Runner
from exporter.server_api import Server
from tests.integration.test_truth import write_clip
from tests.integration.voids import BY_THE_PROBER
from tests.lateness import watching
from tests.turn_agents import CASES, TurnCall, turn_agents, yields

pytestmark = pytest.mark.integration

SOON = ("cuts in at a pause",)
YIELDS = yields(0.4, reply_s=3.5)
WAY_S = 0.02, 0.25
"""What the way there and back may add to the time to yield, where the machine is not late."""


def placed(server: Server, folder: Path, names: tuple[str, ...]) -> dict[str, TurnCall]:
    """Return a call to each of these agents, and to one that yields."""
    cases = {"yields": YIELDS} | {name: CASES[name] for name in names}

    async def every() -> dict[str, TurnCall]:
        runner = Runner(server, processes=1)
        try:
            with turn_agents(server, folder, write_clip(folder / "clip.wav")) as agents:
                return {name: await agents.call(runner, cases[name], 1) for name in cases}
        finally:
            await runner.aclose()

    return asyncio.run(every())


def check(server: Server, folder: Path, names: tuple[str, ...]) -> None:
    """Assert that all comes out as it was in truth, or is void and the machine was late."""
    with watching(folder) as watch:
        calls = placed(server, folder, names)
    late = watch.late(0.0, float("inf"))
    voids = 0
    for name, call in calls.items():
        voids += len(call.voids) or call.is_void
        assert all(why.startswith(BY_THE_PROBER) for why in call.voids), (name, call.outcome)
        case = YIELDS if name == "yields" else CASES[name]
        assert all(map(case.is_true, call.found)), (name, call.outcome)
        assert call.found or call.voids or call.is_void, (name, call.outcome)
    assert voids <= len(late), f"{voids} void, but the machine was late only {len(late)} times"
    for each in calls["yields"].result.interruptions if calls["yields"].result else ():
        if each.yield_s is not None:
            (true_s,) = calls["yields"].yields_s
            late_s = watch.worst_s(0.0, float("inf"))
            assert WAY_S[0] < each.yield_s - true_s < WAY_S[1] + late_s


@pytest.mark.long  # unit/call/test_turn_taking.py
def test_agents_of_known_turn_taking_are_told_apart(livekit: Server, tmp_path: Path) -> None:
    """One that yields, with its time, and one that cuts in."""
    check(livekit, tmp_path, SOON)


@pytest.mark.long
def test_every_outcome_is_the_true_one(livekit: Server, tmp_path: Path) -> None:
    """All others as well."""
    check(livekit, tmp_path, tuple(name for name in CASES if name not in ("yields", *SOON)))
