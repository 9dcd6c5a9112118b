"""A real call that is kept: sound and timeline are one, and what the agent played is in it.

The agent is the test's own: it clicks at a time by its own microphone's clock, which is the clock
of this host and not the caller's.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from livekit import rtc

from exporter.evidence.config import EvidenceConfig
from exporter.evidence.keeper import Keeper
from exporter.evidence.kept import KeptCall
from exporter.outcome import CallResult, LossReason, Outcome, Reason
from exporter.outcome.timeline import AgentSounded, CallerSpoke
from exporter.probes.calibrate.echo import Answer, buzz
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc.levels import RATE
from exporter.rtc.sample_clock import LOOK_AHEAD_S, LOOK_BACK_S
from exporter.rtc.tracks import Microphone
from exporter.run.process import ProbeTable
from exporter.run.runner import Runner
from exporter.server_api import Server
from exporter.web.picture import picture
from tests.integration import recording_probe
from tests.integration.own_agent import DELAY_S, Agents, room_exists, target
from tests.integration.test_truth import write_clip
from tests.integration.voids import measured
from tests.lateness import Watch, watching
from tests.unit.evidence.calls import Shown

pytestmark = pytest.mark.integration

NEAR_S = 0.010
CLICK_BEFORE_S = 0.4
TURNS = 3
"""The first is the warm-up, in which the jitter buffer may still shrink."""
BUFFERED_S = 0.3
"""A packet that was late so long before may still change what is heard."""
LOUD = 0.01
"""Amplitude: a tenth of what the agent plays, and ten times the noise of the codec."""


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
    config = target(room, trials=TURNS - 1, utterance={"wav": write_clip(folder / "clip.wav")})

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


@dataclass(frozen=True)
class Kept:
    """A call that was kept, and how late the machine was meanwhile."""

    outcome: Outcome
    call: KeptCall
    ours: npt.NDArray[np.float64]
    """The sound of the caller, left in the file."""
    theirs: npt.NDArray[np.float64]
    watch: Watch

    def onsets(self, number: int) -> tuple[float, float]:
        """Return when the click and the reply of a turn are heard in the file."""
        click = onset(self.theirs, self.call.marks[number].ended_at)
        return click, onset(self.theirs, click + CLICK_BEFORE_S / 2)

    def was_late(self, begin: float, end: float) -> bool:
        """Return whether the machine was late then, by the clock of the call."""
        epoch = self.outcome.started_at.timestamp()
        return self.watch.worst_s(epoch + begin - BUFFERED_S, epoch + end) > NEAR_S


def onset(side: npt.NDArray[np.float64], since: float) -> float:
    """Return when a side is loud for the first time since then."""
    begin = max(0, round(since * RATE))
    return since + int(np.flatnonzero(np.abs(side[begin:]) > LOUD)[0]) / RATE


@pytest.fixture(scope="module")
def kept(livekit: Server, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """One call for the tests that only look at it."""
    folder = tmp_path_factory.mktemp("click")
    with watching(folder) as watch:
        outcome, call, file = keep_call(livekit, folder, "evidence-click")
    assert outcome.reason in (None, Reason.VOID), outcome
    assert call is not None
    found = outcome.result
    assert isinstance(found, CallResult)
    measured(found.turns)
    ours, theirs = soundfile.read(file)[0].T
    return Kept(outcome, call, ours, theirs, watch)


@pytest.mark.whole_machine
def test_sound_and_timeline_are_one(kept: Kept) -> None:
    """Our utterances and the replies are where the timeline has them, within 10 ms."""
    spoke = [each for each in kept.call.events if isinstance(each, CallerSpoke)]
    sounded = [each for each in kept.call.events if isinstance(each, AgentSounded)]
    assert len(kept.call.marks) == len(spoke) == len(sounded) == TURNS
    for number, (said, heard) in enumerate(zip(spoke, sounded, strict=True)):
        assert onset(kept.ours, said.at - 0.2) == pytest.approx(said.at, abs=NEAR_S)
        assert kept.call.marks[number].ended_at == said.until
        if not kept.was_late(heard.at - LOOK_BACK_S, heard.at + LOOK_AHEAD_S):
            assert kept.onsets(number)[1] == pytest.approx(heard.at, abs=NEAR_S)


@pytest.mark.whole_machine
def test_a_click_is_where_the_agent_made_it(kept: Kept) -> None:
    """So long before the reply as by the agent's clock, within 10 ms.

    Between the two the jitter buffer may grow or shrink, as it does when packets are late and in
    the first turn of a call. The file is to have that too, for the caller hears it: so a turn in
    which the machine was late proves nothing.
    """
    for number in range(1, TURNS):
        click, reply = kept.onsets(number)
        if not kept.was_late(click, reply):
            assert reply - click == pytest.approx(CLICK_BEFORE_S, abs=NEAR_S)


@pytest.mark.whole_machine
def test_marks_on_the_picture_are_where_it_sounds(kept: Kept) -> None:
    """Read from the SVG by the ticks of its axis: t_end and t_reply by timeline and sound."""
    drawn = ET.fromstring(picture(kept.call))  # noqa: S314 - our own

    def places(name: str) -> list[float]:
        marked = (each for each in drawn.iter() if name in each.get("class", "").split())
        return [float(each.get("x1", "")) for each in marked]

    ticks = places("tick")
    px_per_s = (ticks[-1] - ticks[0]) / (len(ticks) - 1)
    assert len(ticks) == int(kept.call.length_s) + 1
    ends, replies = (
        [(x - ticks[0]) / px_per_s for x in places(name)] for name in ("t_end", "t_reply")
    )
    spoke = [each.until for each in kept.call.events if isinstance(each, CallerSpoke)]
    assert ends == pytest.approx(spoke, abs=NEAR_S)
    timed = [n for n, mark in enumerate(kept.call.marks) if mark.replied_at is not None]
    sounds = [kept.onsets(number)[1] for number in timed]
    assert replies == pytest.approx(sounds, abs=NEAR_S)


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
