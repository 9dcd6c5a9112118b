"""A real call that is kept: sound and timeline are one, and what the agent played is in it.

The agent is the test's own: it clicks at a time by its own microphone's clock, which is the clock
of this host and not the caller's.
"""

import asyncio
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from livekit import rtc

from exporter.evidence.config import EvidenceConfig
from exporter.evidence.keeper import Keeper
from exporter.evidence.kept import KeptCall
from exporter.outcome import LossReason, Outcome, Reason
from exporter.outcome.timeline import AgentSounded, CallerSpoke
from exporter.probes.calibrate.echo import Answer, buzz
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc.levels import RATE
from exporter.rtc.tracks import Microphone
from exporter.run.process import ProbeTable
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests.integration import recording_probe
from tests.integration.own_agent import DELAY_S, Agents, room_exists, target
from tests.integration.test_truth import write_clip
from tests.integration.voids import span
from tests.lateness import watching
from tests.unit.evidence.calls import Shown

pytestmark = pytest.mark.integration

NEAR_S = 0.010
CLICK_BEFORE_S = 0.4
LOUD = 0.05


def clicks_and_replies(_room: rtc.Room) -> Answer:
    """Click 0.4 s before a reply; both are played by one clock."""

    async def answer(microphone: Microphone, heard: float) -> None:
        at = heard + DELAY_S
        microphone.play(buzz(0.005), at=at - CLICK_BEFORE_S)
        microphone.play(buzz(0.6, pitch_hz=200), at=at)

    return answer


def keep_call(server: Server, folder: Path, room: str) -> tuple[Outcome, KeptCall | None, Path]:
    """Place one call that is kept."""
    keeper = Keeper(folder / "evidence", EvidenceConfig(keep="all"))
    config = target(room, utterance={"wav": write_clip(folder / "clip.wav")})

    async def place() -> tuple[Outcome, KeptCall | None]:
        runner = Runner(server, processes=1, keeper=keeper)
        async with Agents(server, room) as agents:
            try:
                run = asyncio.ensure_future(runner.run("latency", config))
                await room_exists(server, room)
                await agents.enter("first", clicks_and_replies)
                outcome = await run
                return outcome, await keeper.read(outcome.run_id)
            finally:
                await runner.aclose()

    outcome, kept = asyncio.run(place())
    return outcome, kept, folder / "evidence" / outcome.run_id / "sound.flac"


def onset(side: npt.NDArray[np.float64], since: float) -> float:
    """Return when a side is loud for the first time since then."""
    begin = max(0, round(since * RATE))
    return since + int(np.flatnonzero(np.abs(side[begin:]) > LOUD)[0]) / RATE


@pytest.mark.whole_machine
def test_sound_and_timeline_are_one(livekit: Server, tmp_path: Path) -> None:
    """Our utterance, the click and the reply are where the timeline has them, within 10 ms.

    Between click and reply the jitter buffer may grow or shrink, by as much as the machine is late.
    """
    with watching(tmp_path) as watch:
        outcome, kept, file = keep_call(livekit, tmp_path, "evidence-click")
    late_s = watch.worst_s(*span(outcome))
    assert outcome.reason in (None, Reason.VOID), outcome
    assert kept is not None
    ours, theirs = soundfile.read(file)[0].T
    spoke = [each for each in kept.events if isinstance(each, CallerSpoke)]
    sounded = [each for each in kept.events if isinstance(each, AgentSounded)]
    assert len(kept.marks) == len(spoke) == len(sounded) == 2
    for said, heard, mark in zip(spoke, sounded, kept.marks, strict=True):
        assert onset(ours, said.at - 0.2) == pytest.approx(said.at, abs=NEAR_S)
        assert onset(theirs, heard.at - 0.15) == pytest.approx(heard.at, abs=NEAR_S)
        click = onset(theirs, said.until)
        assert click == pytest.approx(heard.at - CLICK_BEFORE_S, abs=NEAR_S + late_s)
        assert mark.ended_at == said.until


def no_rooms(_server: Server, _names: tuple[str, ...], _prefix: str) -> None:
    """Delete nothing: there is no server."""


def run_kept(table: ProbeTable, folder: Path) -> tuple[Outcome, KeptCall | None, Shown]:
    """Run a fake call that is kept; return what came of it."""
    shown = Shown()

    async def story() -> tuple[Outcome, KeptCall | None]:
        keeper = Keeper(folder, EvidenceConfig(keep="all"), shown)
        server = Server("ws://127.0.0.1:1", "key", "a-secret-of-nobody")
        runner = Runner(server, processes=1, table=table, keeper=keeper, delete_rooms=no_rooms)
        try:
            outcome = await runner.run("latency", LatencyConfig(agent_name="demo"))
            return outcome, await keeper.read(outcome.run_id)
        finally:
            await runner.aclose()
            await keeper.aclose()

    return *asyncio.run(story()), shown


def test_a_killed_run_keeps_what_it_had(tmp_path: Path) -> None:
    """Kill -9 of the probe's process while it writes: sound and log until then are there."""
    outcome, kept, shown = run_kept(recording_probe.DIES, tmp_path / "evidence")
    assert outcome.reason is Reason.PROBE_CRASHED
    assert kept is not None
    assert kept.length_s >= 1.0
    assert "it is going to die" in kept.outcome.log[0]
    sound, _ = soundfile.read(tmp_path / "evidence" / outcome.run_id / kept.sound)
    assert len(sound) / RATE == pytest.approx(kept.length_s, abs=0.1)
    assert (shown.calls, shown.losses) == (1, [])


def test_a_loss_costs_no_measurement(tmp_path: Path) -> None:
    """The turns are there, the loss is counted, and nothing is left on the disk."""
    outcome, kept, shown = run_kept(recording_probe.LOSES, tmp_path / "evidence")
    assert outcome.ok
    assert kept is None
    assert (shown.calls, shown.losses) == (0, [LossReason.DISK_FULL])


def test_nothing_is_left_of_a_run_that_was_given_up(tmp_path: Path) -> None:
    """As where the scrape that asked for a call goes away: it has no verdict, so nothing is kept.

    What it had written would lie there until the next start, beyond all limits.
    """
    folder = tmp_path / "evidence"

    async def story() -> None:
        keeper = Keeper(folder, EvidenceConfig(keep="all"))
        server = Server("ws://127.0.0.1:1", "key", "a-secret-of-nobody")
        table = recording_probe.GOES_ON
        runner = Runner(server, processes=1, table=table, keeper=keeper, delete_rooms=no_rooms)
        written = asyncio.Event()
        call = asyncio.create_task(
            runner.run("latency", LatencyConfig(agent_name="demo"), on_turn=lambda _: written.set())
        )
        await written.wait()
        assert len(list(folder.iterdir())) == 1
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await runner.aclose()
        await keeper.aclose()

    asyncio.run(story())
    assert list(folder.iterdir()) == []
