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
from exporter.outcome import Outcome, Reason
from exporter.outcome.timeline import AgentSounded, CallerSpoke
from exporter.probes.calibrate.echo import Answer, buzz
from exporter.rtc.levels import RATE
from exporter.rtc.tracks import Microphone
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests.integration.own_agent import DELAY_S, Agents, room_exists, target
from tests.integration.test_truth import write_clip

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
                return outcome, await runner.kept(outcome.run_id)
            finally:
                await runner.aclose()

    outcome, kept = asyncio.run(place())
    return outcome, kept, folder / "evidence" / outcome.run_id / "sound.flac"


def onset(side: npt.NDArray[np.float64], since: float) -> float:
    """Return when a side is loud for the first time since then."""
    begin = max(0, round(since * RATE))
    return since + int(np.flatnonzero(np.abs(side[begin:]) > LOUD)[0]) / RATE


def test_sound_and_timeline_are_one(livekit: Server, tmp_path: Path) -> None:
    """Our utterance, the click and the reply are where the timeline has them, within 10 ms."""
    outcome, kept, file = keep_call(livekit, tmp_path, "evidence-click")
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
        assert click == pytest.approx(heard.at - CLICK_BEFORE_S, abs=NEAR_S)
        assert mark.ended_at == said.until
