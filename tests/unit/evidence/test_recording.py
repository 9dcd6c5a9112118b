"""What a recorded call leaves on the disk, by calls on the virtual clock."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import soundfile
from livekit.protocol.agent_pb import agent_session as pb

from exporter.evidence import recording
from exporter.evidence.journal import Entry, placed, to_line
from exporter.evidence.kept import KeptCall
from exporter.evidence.reading import SEAL_NAME, Seal, read_call, to_seal
from exporter.evidence.sound import SOUND_NAME
from exporter.outcome import EvidenceLost, LossReason
from exporter.outcome.timeline import AgentSounded, CallerSpoke, Transcript
from exporter.probe import Keep
from exporter.probes.calibrate.measure import echo_clip
from exporter.rtc.levels import RATE, Pcm
from exporter.rtc.tape import Tape
from tests.fake_call.calls import Placed, World, place, target
from tests.fake_call.script import Script
from tests.unit.store.mounts import tiny_filesystem

PASSWORD = "swordfish"  # noqa: S105 - made up, and said aloud
NEAR_S = 0.010


def recorded(folder: Path, script: Script, *, text: bool = False) -> tuple[Placed, KeptCall]:
    """Place a call that is recorded, and read it back."""
    losses: list[EvidenceLost] = []
    folder.mkdir(exist_ok=True)
    soundfile.write(clip := folder / "clip.wav", echo_clip().pcm, RATE)
    config = target(utterance={"wav": clip})
    keep = Keep(folder / "r1", text=text)
    call = place(script, World(), config, keep=keep, on_lost=losses.append)
    assert losses == []
    (folder / "r1" / SEAL_NAME).write_bytes(to_seal(Seal(call.outcome, 1.5)))
    kept = read_call(folder, "r1")
    assert kept is not None
    return call, kept


def says() -> tuple[pb.AgentSessionEvent, ...]:
    """Return what an agent tells that heard a password."""
    heard = pb.AgentSessionEvent()
    heard.user_input_transcribed.transcript = PASSWORD
    heard.user_input_transcribed.is_final = True
    return (heard,)


def first_loud(folder: Path, side: int, since: float) -> float:
    """Return when a side sounds for the first time since then."""
    sound, rate = soundfile.read(folder / "r1" / SOUND_NAME)
    assert rate == RATE
    begin = round(since * RATE)
    return since + int(np.flatnonzero(np.abs(sound[begin:, side]) > 0.05)[0]) / RATE


def test_a_call_is_read_back_as_it_was(tmp_path: Path) -> None:
    """Outcome, marks, timeline and sound are of one axis, which begins with the run."""
    call, kept = recorded(tmp_path, Script(delay_s=0.8))
    assert kept.outcome == call.outcome
    assert kept.target_s == pytest.approx(1.5)
    assert len(kept.marks) == len(call.call.turns) == 2
    for mark, turn in zip(kept.marks, call.call.turns, strict=True):
        assert mark.replied_at is not None
        assert mark.replied_at - mark.ended_at == pytest.approx(turn.e2e_s)
        assert first_loud(tmp_path, 1, mark.ended_at) == pytest.approx(mark.replied_at, abs=NEAR_S)
        assert first_loud(tmp_path, 0, mark.spoke_at - 0.2) == pytest.approx(
            mark.spoke_at, abs=NEAR_S
        )
    spoke = [each for each in kept.events if isinstance(each, CallerSpoke)]
    sounded = [each for each in kept.events if isinstance(each, AgentSounded)]
    assert [each.at for each in spoke] == [mark.spoke_at for mark in kept.marks]
    assert [each.at for each in sounded] == [mark.replied_at for mark in kept.marks]
    assert kept.length_s == pytest.approx(soundfile.info(tmp_path / "r1" / SOUND_NAME).duration)


def test_the_levels_are_those_of_the_sound(tmp_path: Path) -> None:
    """Each is the largest amplitude of its 20 ms."""
    _, kept = recorded(tmp_path, Script(delay_s=0.8))
    sound, _ = soundfile.read(tmp_path / "r1" / SOUND_NAME)
    step = round(kept.envelope.step_s * RATE)
    for side, levels in ((0, kept.envelope.caller), (1, kept.envelope.agent)):
        true = np.abs(sound[:, side]).reshape(-1, step).max(axis=1)
        assert np.abs(true - np.array(levels)).max() < 0.001


def test_words_are_kept_only_if_asked_for(tmp_path: Path) -> None:
    """Without `text` the password is in no file; with it in the transcript."""
    _, silent = recorded(tmp_path, Script(tells=says()))
    assert [each.text for each in silent.events if isinstance(each, Transcript)] == ["", ""]
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert not [each for each in files if PASSWORD.encode() in each.read_bytes()]

    _, telling = recorded(tmp_path / "text", Script(tells=says()), text=True)
    words = [each.text for each in telling.events if isinstance(each, Transcript)]
    assert words == [PASSWORD, PASSWORD]


def test_a_place_that_cannot_be_written_costs_the_evidence_only(tmp_path: Path) -> None:
    """1. A file is where the folder should be. Result: the turns are measured, and it is told."""
    (tmp_path / "file").touch()
    losses: list[EvidenceLost] = []
    call = place(
        Script(), World(), target(), keep=Keep(tmp_path / "file" / "r1"), on_lost=losses.append
    )
    assert call.outcome.ok
    assert [each.reason for each in losses] == [LossReason.OTHER]


def test_a_full_disk_costs_the_evidence_only(tmp_path: Path) -> None:
    """It ends the recording, and is told once, by its name."""
    losses: list[EvidenceLost] = []
    with tiny_filesystem(tmp_path / "disk", "64k") as disk:
        keep = Keep(disk / "evidence" / "r1")
        call = place(Script(), World(), target(), keep=keep, on_lost=losses.append)
    assert call.outcome.ok
    assert [each.reason for each in losses] == [LossReason.DISK_FULL]


def test_a_loss_lets_go_of_the_sound(tmp_path: Path) -> None:
    """The call goes on for long, and nobody takes its sound any more: it must not pile up."""
    (tmp_path / "file").touch()
    sizes: list[int] = []

    class Weighed(Tape):
        def said(self, at: float, pcm: Pcm) -> None:
            super().said(at, pcm)
            sizes.append(len(self._pieces) + len(self._frames))

    with patch.object(recording, "Tape", Weighed):
        keep = Keep(tmp_path / "file" / "r1")
        place(Script(), World(), target(trials=3), keep=keep, on_lost=lambda _loss: None)
    assert max(sizes) > 0
    assert set(sizes[-100:]) == {0}


def test_recording_changes_no_figure(tmp_path: Path) -> None:
    """On a clock that stands while code runs, a recorded call is equal to one that is not."""
    bare = place(Script(), World(), target())
    call = place(Script(), World(), target(), keep=Keep(tmp_path / "r1"))
    assert replace(call.outcome, started_at=bare.outcome.started_at) == bare.outcome


def test_a_secret_in_the_log_is_hidden(tmp_path: Path) -> None:
    """As in every log; see also what has words."""
    _, kept = recorded(tmp_path, Script())
    assert kept.outcome.log
    event = placed(Transcript(at=3.0, text=PASSWORD, final=True), 1.0, text=False)
    assert PASSWORD not in to_line(Entry(event=event))
