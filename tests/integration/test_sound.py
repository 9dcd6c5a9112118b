"""Replies with known faults, through Opus and a real server, by an agent that shares no code."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from exporter.outcome import CallResult, Outcome, ReplySound
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests import faulty_speech
from tests.faulty_speech import Fault
from tests.integration.test_truth import write_clip
from tests.integration.voids import assert_late, measured, span
from tests.lateness import watching
from tests.plain_agents import plain_agent

pytestmark = pytest.mark.integration

LEVEL_DB = 0.5
CLIPPED = 0.002
BANDWIDTH = 0.1
GAP_S = 0.02

FEW = (
    Fault(3400, 0.3, level_dbfs=-30.0),
    Fault(8000, 0.8, clipped_ratio=0.01),
    Fault(16_000, 2.0, level_dbfs=-20.0),
)
MANY = (
    *FEW,
    Fault(3400, 0.8, clipped_ratio=0.002),
    Fault(5500, 2.0, level_dbfs=-40.0),
    Fault(12_000, 0.3, level_dbfs=-24.0),
    Fault(16_000, 0.8, clipped_ratio=0.005),
    Fault(20_000, 0.3, clipped_ratio=0.01),
)


def _off(
    found: ReplySound, fault: Fault, level_dbfs: float, late_s: float
) -> tuple[float, float, float, float]:
    """Return by how much each figure is off, as a share of what is allowed.

    Where packets come late a jitter buffer grows in a silence, and shrinks in the next one: that
    much longer or shorter the caller hears it.
    """
    return (
        (found.level_dbfs - level_dbfs) / LEVEL_DB,
        (found.clipped_ratio - fault.clipped_ratio) / CLIPPED,
        # What is clipped has energy above the band that it was limited to.
        (found.bandwidth_hz / fault.bandwidth_hz - 1) / BANDWIDTH if fault.level_dbfs else 0.0,
        (found.longest_gap_s - fault.gap_s) / (GAP_S + late_s),
    )


async def _check(livekit: Server, folder: Path, faults: Sequence[Fault]) -> Outcome:
    made = [faulty_speech.reply(fault) for fault in faults]
    files = [
        faulty_speech.write(folder / f"{number}.wav", samples)
        for number, (samples, _) in enumerate(made)
    ]
    config = LatencyConfig(
        agent_name="",
        dispatch="automatic",
        room_name=f"sound-{len(faults)}",
        trials=len(faults),
        greeting="none",
        utterance={"wav": write_clip(folder / "clip.wav")},
        sound={"mos": True},
    )
    runner = Runner(livekit, processes=1)
    with plain_agent(livekit, folder) as join, watching(folder) as watch:
        # The warm-up turn hears the last of them.
        join(f"sound-{len(faults)}", 0.5, files[-1], *files)
        try:
            outcome = await runner.run("latency", config)
        finally:
            await runner.aclose()
    call = outcome.result
    assert isinstance(call, CallResult)
    turns = [turn for turn in call.turns if not turn.warmup]
    if len(replied := measured(turns)) < len(faults):
        assert_late([outcome], watch, turns)
    wrong = []
    for number, (fault, (_, level_dbfs)) in enumerate(zip(faults, made, strict=True)):
        if number < len(turns) and turns[number] in replied:
            found = turns[number].reply
            assert found is not None
            off = _off(found, fault, level_dbfs, watch.worst_s(*span(outcome)))
            print(fault, found, *(f"{each:+.2f}" for each in off))  # noqa: T201 - the table
            if max(map(abs, off)) > 1:
                wrong.append((fault, found, off))
    assert not wrong
    print(call.speech_s, call.overlap_s, call.media)  # noqa: T201 - the table
    assert call.speech_s is not None
    assert call.media is not None
    assert call.media.down.packets > 100
    assert call.media.down.concealed_ratio is not None
    return outcome


@pytest.mark.long  # unit/call/test_sound.py has it by Opus, test_mos.py the score
def test_faults_of_replies_are_found(livekit: Server, tmp_path: Path) -> None:
    """Level, clipping, bandwidth and gaps of each reply of one call; and DNSMOS scores them.

    That is done in the probe's process, with the packages that a user has, once the call is over.
    """
    outcome = asyncio.run(_check(livekit, tmp_path, FEW))
    assert isinstance(outcome.result, CallResult)
    warmup, *turns = outcome.result.turns
    assert warmup.reply is None or warmup.reply.mos is None
    for turn in measured(turns):
        assert turn.reply is not None
        assert turn.reply.mos is not None, outcome.log
        assert 1.0 < turn.reply.mos.overall < 5.0


@pytest.mark.long
def test_more_faults_of_replies_are_found(livekit: Server, tmp_path: Path) -> None:
    """The same for more of each."""
    asyncio.run(_check(livekit, tmp_path, MANY))
