"""How a reply sounds, through Opus: each figure against what is known by how the reply was made."""

import asyncio
import io

import numpy as np
import pytest
import soundfile

from exporter.outcome import ReplySound
from exporter.rtc.levels import RATE, Pcm
from exporter.rtc.sound import blocks, overlap_s, reply_sound, runs, seconds
from tests import faulty_speech
from tests.faulty_speech import Fault
from tests.plain_agent import voiced

FAULTS = (
    Fault(3400, 0.3, level_dbfs=-30.0),
    Fault(8000, 0.8, level_dbfs=-40.0),
    Fault(12_000, 2.0, level_dbfs=-24.0),
    Fault(16_000, 0.3, clipped_ratio=0.002),
    Fault(20_000, 0.3, clipped_ratio=0.005),
)


def sound_of(pcm: Pcm) -> ReplySound | None:
    """Return how a reply sounds."""
    return asyncio.run(reply_sound(pcm))


def through_opus(pcm: Pcm) -> Pcm:
    """Encode and decode; half a second of silence surrounds it."""
    quiet = np.zeros(RATE // 2, np.int16)
    file = io.BytesIO()
    soundfile.write(file, np.concatenate([quiet, pcm, quiet]), RATE, format="OGG", subtype="OPUS")
    file.seek(0)
    heard: Pcm = soundfile.read(file, dtype="int16")[0]
    return heard


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_faults_are_found_through_opus(fault: Fault) -> None:
    """The level within 0.5 dB, clipping within 0.2 points, bandwidth within 10 %, gaps in 20 ms."""
    samples, level_dbfs = faulty_speech.reply(fault)
    found = sound_of(through_opus(samples))
    assert found is not None
    assert found.level_dbfs == pytest.approx(level_dbfs, abs=0.5)
    assert found.clipped_ratio == pytest.approx(fault.clipped_ratio, abs=0.002)
    assert found.longest_gap_s == pytest.approx(fault.gap_s, abs=0.02)
    if not fault.clipped_ratio:  # which adds energy above the band that it was limited to
        assert found.bandwidth_hz == pytest.approx(fault.bandwidth_hz, rel=0.1)


def test_silence_has_no_sound() -> None:
    """Nothing is known of a reply that is not there."""
    assert sound_of(np.zeros(RATE, np.int16)) is None
    assert sound_of(np.zeros(0, np.int16)) is None


def test_a_click_is_not_the_level() -> None:
    """One loud window among many of speech moves the level by as much as its power, and no more."""
    speech = np.array(voiced(2.0))
    clicked = np.concatenate([speech, np.zeros(RATE, np.int16)])
    clicked[-RATE // 2 : -RATE // 2 + 100] = 32_767
    plain, found = sound_of(speech), sound_of(clicked)
    assert plain is not None
    assert found is not None
    assert found.level_dbfs == pytest.approx(plain.level_dbfs, abs=0.5)
    assert found.longest_gap_s == 0.0


def test_a_short_pause_is_speech_and_a_long_one_is_not() -> None:
    """As in P.56: the level has pauses below 0.2 s in it, and none that are longer."""
    sound = np.array(voiced(0.5))
    levels = {}
    for pause_s in (0.0, 0.15, 0.5):
        pause = np.zeros(round(pause_s * RATE), np.int16)
        found = sound_of(np.concatenate([sound, pause, sound]))
        assert found is not None
        levels[pause_s] = found.level_dbfs
    assert levels[0.15] == pytest.approx(levels[0.0] + 10 * np.log10(1 / 1.15), abs=0.1)
    assert levels[0.5] == pytest.approx(levels[0.0], abs=0.1)


def test_blocks_are_all_of_a_sound() -> None:
    """Nothing is left out between them."""
    pcm = np.arange(RATE * 2 + 7, dtype=np.int64).astype(np.int16)
    assert np.array_equal(np.concatenate(list(blocks(pcm))), pcm)


def test_runs_are_sounds_that_are_no_clicks() -> None:
    """Pauses below 0.2 s are bridged; what is shorter than 30 ms is left out."""
    loud, quiet = [-20.0], [-90.0]
    levels = quiet * 10 + loud * 40 + quiet * 20 + loud * 40 + quiet * 100 + loud * 2 + quiet * 90
    assert list(runs(levels, -50.0)) == [(10, 110)]
    assert list(runs([], -50.0)) == []


def test_what_overlaps_is_counted_once() -> None:
    """Two ears on one voice are one speaker."""
    caller, agent = [(0.0, 2.0), (5.0, 6.0)], [(1.0, 4.0), (1.5, 4.5), (6.0, 7.0)]
    assert seconds(caller) == 3.0
    assert seconds(agent) == 4.5
    assert overlap_s(caller, agent) == 1.0
    assert overlap_s(caller, []) == 0.0
