"""Bad lines through Opus and a real server, heard by an echo that shares no code with a caller."""

import asyncio
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from livekit import rtc

from exporter.outcome import CallResult, Outcome, Sending
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc import connection
from exporter.rtc.clip import load_clip
from exporter.rtc.tracks import Microphone
from exporter.run.runner import Runner
from exporter.server_api import Server, make_token
from tests import faulty_speech, patience
from tests.integration.voids import assert_late, measured, span
from tests.lateness import Watch, watching
from tests.speech_level import RATE, Wave, clip_at, snr_db

pytestmark = pytest.mark.integration

DELAY_S = 0.8
TRIALS = 3
UNMOVED_S = 0.02
"""By so much a call over a bad line may read otherwise, less what the machine was late."""
SNR_DB = 1.0
MOST_UNTIMED = 3
"""Of so many lines a busy machine may spoil the turns of one."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One call over one line, at both ends."""

    ways_s: tuple[float, ...]
    """The e2e of each turn that is not void, less the delay and both jitter buffers."""
    voids: int
    """Turns that are void."""
    ear: Wave
    """All samples that the echo heard."""
    clip: Wave
    late_s: float

    @property
    def way_s(self) -> float | None:
        """Their median; None where all turns are void."""
        return median(self.ways_s) if self.ways_s else None

    def snr_db(self) -> list[float]:
        """Return the ratio of speech and noise of each utterance that the echo heard."""
        found, ear, size = [], self.ear, len(self.clip)
        while len(ear) > 3 * size:
            at = clip_at(ear[: 8 * size], self.clip)
            if at + size + RATE > len(ear):
                break
            # The echo may have come when the first utterance was about to begin.
            before = ear[at - RATE : at - RATE // 20] if at >= RATE else ear[:0]
            noise = np.concatenate([before, ear[at + size :][:RATE]])
            found.append(snr_db(ear[at : at + size], self.clip, noise))
            ear = ear[at + size + RATE // 2 :]
        return found


def _ways_s(outcome: Outcome, watch: Watch, depths: Path) -> tuple[tuple[float, ...], int]:
    """Return what each turn has over the delay and the buffers, and how many are void."""
    assert isinstance(outcome.result, CallResult), outcome
    turns = [turn for turn in outcome.result.turns if not turn.warmup]
    assert turns, outcome
    replied = measured(turns)
    if len(replied) < len(turns):
        assert_late([outcome], watch, [each for each in turns if each not in replied])
    theirs_s = map(float, depths.read_text("utf-8").split())
    theirs = dict(zip(map(id, outcome.result.turns), theirs_s, strict=False))
    ways = (
        (each.e2e_s or 0.0) - DELAY_S - (each.jitter_buffer_s or 0.0) - theirs[id(each)]
        for each in replied
    )
    return tuple(ways), len(turns) - len(replied)


async def called(
    server: Server, folder: Path, name: str, line: dict[str, Any], trials: int = TRIALS
) -> Heard:
    """Call the echo over that line."""
    clip, folder = load_clip(None), folder / name
    folder.mkdir()
    wav, raw, out = folder / "clip.wav", folder / "clip.raw", folder / "heard.raw"
    raw.write_bytes(clip.pcm.tobytes())
    config = LatencyConfig(
        agent_name="",
        dispatch="automatic",
        room_name=f"line-{name}",
        trials=trials,
        greeting_wait=2,  # until the echo hears us as well
        join_timeout=patience.WAIT_S,
        utterance={"wav": faulty_speech.write(wav, clip.pcm)},
        line=line,
    )
    keys = {"URL": server.url, "API_KEY": server.api_key, "API_SECRET": server.api_secret}
    room = config.room_name or ""
    arguments = (room, str(DELAY_S), str(raw), str(clip.speech_end), str(out))
    with watching(folder) as watch, (folder / "echo.log").open("w", encoding="utf-8") as log:
        runner = Runner(server, processes=1)
        echo = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.noisy_echo", *arguments),
            env=os.environ | {f"LIVEKIT_{key}": value for key, value in keys.items()},
            stderr=log,
        )
        try:
            outcome = await runner.run("latency", config)
            await asyncio.wait_for(echo.wait(), patience.WAIT_S)
        finally:
            await runner.aclose()
            with suppress(ProcessLookupError):
                echo.kill()
        ear, said = np.frombuffer(out.read_bytes(), np.int16), clip.pcm.astype(np.float64)
        late_s = watch.worst_s(*span(outcome))
        ways_s, voids = _ways_s(outcome, watch, Path(f"{out}.depths"))
        return Heard(ways_s, voids, ear.astype(np.float64), said, late_s)


def check_ratio(name: str, line: dict[str, Any], heard: Heard) -> None:
    """Assert that the noise arrived as far below the speech as was asked for."""
    ratios = heard.snr_db()
    print(name, f"n {len(ratios)}", ratios)  # noqa: T201 - the table
    assert median(ratios) == pytest.approx(line["snr_db"], abs=SNR_DB), name


def check(livekit: Server, folder: Path, lines: dict[str, dict[str, Any]]) -> None:
    """Call over a clean line and over each of these; none may read otherwise than the clean one."""

    async def all_calls() -> dict[str, Heard]:
        every: dict[str, dict[str, Any]] = {"clean": {}} | lines
        return {name: await called(livekit, folder, name, line) for name, line in every.items()}

    calls = asyncio.run(all_calls())
    assert calls["clean"].way_s is not None, "the machine was too busy to compare anything"
    untimed = sum(each.way_s is None for each in calls.values())
    assert untimed <= len(lines) / MOST_UNTIMED, f"{untimed} of {len(calls)} calls are void"
    ways = {name: heard.way_s for name, heard in calls.items()}
    print(ways, {name: heard.late_s for name, heard in calls.items()})  # noqa: T201 - the table
    for name, line in lines.items():
        heard, way_s, clean_s = calls[name], ways[name], ways["clean"]
        if way_s is not None and clean_s is not None:
            late_s = heard.late_s + calls["clean"].late_s
            assert way_s == pytest.approx(clean_s, abs=UNMOVED_S + late_s), name
        if "snr_db" in line and not line.get("low_quality_microphone"):
            check_ratio(name, line, heard)


@pytest.mark.long  # on a busy machine one ratio of many is 1.1 dB off
def test_noise_arrives_as_loud_as_it_was_set(livekit: Server, tmp_path: Path) -> None:
    """Behind Opus, at the ear of an echo."""
    babble: dict[str, Any] = {"noise": "babble", "snr_db": 10}
    check_ratio(
        "babble", babble, asyncio.run(called(livekit, tmp_path, "babble", babble, trials=1))
    )


@pytest.mark.long
def test_no_bad_line_moves_what_is_measured(livekit: Server, tmp_path: Path) -> None:
    """Noises and ratios, a telephone, and a poor encoding."""
    telephone = {"low_quality_microphone": True}
    lines: dict[str, dict[str, Any]] = {
        "babble": {"noise": "babble", "snr_db": 10},
        "white": {"noise": "white", "snr_db": 5},
        "pink": {"noise": "pink", "snr_db": 20},
        "telephone": telephone,
        "telephone-in-a-crowd": {"noise": "babble", "snr_db": 10, **telephone},
        "poor": {"bitrate": 12, "red": False},
    }
    check(livekit, tmp_path, lines)


async def _sent_kbps(server: Server, name: str, sending: Sending) -> float:
    """Return how much a microphone sends, by the SDK's own count of octets in 100 packets."""
    room, microphone = rtc.Room(), Microphone()
    microphone.sending = sending
    microphone.add_noise(load_clip(None).pcm)
    token = make_token(server, identity="caller", room=name)
    try:
        await connection.connect(
            room, server.url, token, patience.WAIT_S, publish=microphone.publish
        )
        began = await _octets(room, 50)
        ended = await _octets(room, began[0] + 100)
        return (ended[1] - began[1]) * 8 / (ended[0] - began[0]) / 20  # packets are of 20 ms
    finally:
        await connection.leave(microphone.aclose, room.disconnect)


async def _octets(room: rtc.Room, least: int) -> tuple[int, int]:
    """Return packets and octets sent, once so many packets were."""
    async with asyncio.timeout(patience.WAIT_S):
        while True:
            stats = (await room.get_rtc_stats()).publisher_stats
            for each in stats:
                sent = each.outbound_rtp.sent
                if sent.packets_sent >= least:
                    return sent.packets_sent, sent.bytes_sent
            await asyncio.sleep(0.1)


def test_bit_rate_and_red_are_those_that_were_set(livekit: Server) -> None:
    """RED sends everything twice, and a lower bit rate sends less."""

    async def rates() -> tuple[float, ...]:
        sendings = (
            Sending(bitrate_kbps=16, red=False),
            Sending(bitrate_kbps=48, red=False),
            Sending(bitrate_kbps=16),
        )
        each_rate = (_sent_kbps(livekit, f"rate-{at}", each) for at, each in enumerate(sendings))
        return tuple(await asyncio.gather(*each_rate))

    low, high, twice = asyncio.run(rates())
    print(low, high, twice)  # noqa: T201 - the table
    assert low == pytest.approx(16, rel=0.25)
    assert high > 1.8 * low
    assert twice > 1.6 * low
