"""Which calls stay, for how long, and what is lost with a disk that fails."""

import asyncio
import logging
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from exporter.evidence.journal import FILE_NAME
from exporter.evidence.keeper import MOST_WAITING, SETTLE_S
from exporter.evidence.reading import SEAL_NAME, read_call
from exporter.evidence.sound import SOUND_NAME
from exporter.outcome import (
    CallResult,
    LossReason,
    Outcome,
    Reason,
    ReplySound,
    Turn,
    TurnOutcome,
    Verdict,
)
from exporter.probes.latency.spec import PROBE, LatencyConfig
from exporter.rtc.levels import RATE
from tests.unit.evidence.calls import House, outcome, run, write
from tests.unit.store.mounts import fill, remount, tiny_filesystem

DAY_S = 86400.0


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("failures", ["fail", "void"]),
        ("slow", ["fail", "slow", "void"]),
        ("all", ["fail", "pass", "slow", "void"]),
        ("none", []),
    ],
)
def test_what_is_kept_follows_from_the_verdict(keep: str, kept: list[str], tmp_path: Path) -> None:
    """A void call has a reason too: whoever looks for the prober's own fault needs it most."""
    house = House(tmp_path / "evidence", keep=keep)
    house.folder.mkdir()
    run(
        house.call("pass", Verdict.PASS),
        house.call("slow", Verdict.SLOW),
        house.call("fail"),
        house.call("void", Verdict.UNKNOWN, reason=Reason.VOID),
    )
    assert house.kept == kept
    assert house.shown.calls == len(kept)


@pytest.mark.parametrize(("keep", "kept"), [("slow", ["sound"]), ("failures", [])])
def test_a_finding_that_no_turn_shows_keeps_a_call(
    keep: str, kept: list[str], tmp_path: Path
) -> None:
    """The verdict decides: every turn was quick, but the voice was clipped."""
    turn = Turn(TurnOutcome.REPLIED, e2e_s=0.5, reply=ReplySound(-10.0, 0.3, 8000.0, 0.1))
    house = House(tmp_path / "evidence", keep=keep)
    house.folder.mkdir()
    config = LatencyConfig.model_validate(
        {"agent_name": "demo", "sound": {"max_clipped_ratio": 0.02}}
    )
    made = CallResult("demo", "default", "default", (turn,))
    judged = PROBE.judged(config, replace(outcome("sound"), result=made))
    assert judged.verdict is Verdict.SLOW

    async def story() -> None:
        order = house.keeper.order("sound")
        assert order is not None
        write(order.folder)
        await house.keeper.settle(judged, 1.5)

    asyncio.run(story())
    assert house.kept == kept


def test_only_the_exporter_s_user_can_read_it(tmp_path: Path) -> None:
    """Folders are 0700, files 0600, whatever the umask."""
    house = House(tmp_path / "evidence")
    before = os.umask(0)
    try:
        run(house.call("a"))
    finally:
        os.umask(before)
    modes = {each.name: each.stat().st_mode & 0o777 for each in house.folder.rglob("*")}
    assert modes == {"a": 0o700, FILE_NAME: 0o600, SOUND_NAME: 0o600, SEAL_NAME: 0o600}
    assert house.folder.stat().st_mode & 0o777 == 0o700


def test_the_oldest_go_first(tmp_path: Path) -> None:
    """1. Five calls, each of some 170 kB. 2. A limit of 0.6 MB. Result: the newest stay."""
    house = House(tmp_path / "evidence", max_mb=0.6)
    run(*(house.call(name) for name in "edcba"))
    assert house.kept == ["a", "b", "c"]
    assert house.shown.size <= 600_000
    assert house.shown.calls == 3


def test_what_is_kept_is_told_when_it_changes(tmp_path: Path) -> None:
    """1. A call that is not kept. 2. One that is. 3. Another, and the first makes room."""
    house = House(tmp_path / "evidence", max_mb=0.25)
    told: list[list[str]] = []
    house.keeper.on_change = lambda run_ids: told.append(sorted(run_ids))
    run(house.call("pass", Verdict.PASS), house.call("a"), house.call("b"))
    assert told == [["a"], ["b"]]


def test_old_calls_go(tmp_path: Path) -> None:
    """1. A call. 2. Eight days later another. Result: the second is left."""
    house = House(tmp_path / "evidence", days=7)

    async def later() -> None:
        house.now += 8 * DAY_S

    run(house.call("a"), later(), house.call("b"))
    assert house.kept == ["b"]


def test_a_restart_counts_what_is_there_and_clears_what_was_not_finished(tmp_path: Path) -> None:
    """1. Two calls. 2. The exporter is killed in a third. 3. It starts. Result: two are left."""
    house = House(tmp_path / "evidence")
    run(house.call("b"), house.call("a"))
    write(house.folder / "c")
    os.utime(house.folder / "b" / SEAL_NAME, (house.now - 1, house.now - 1))
    os.utime(house.folder / "a" / SEAL_NAME, (house.now, house.now))

    again = House(house.folder, max_mb=0.25)
    run(again.keeper.start())
    assert again.kept == ["a"]
    assert again.shown.calls == 1


def test_a_clock_that_was_set_back_keeps_nothing_for_ever(tmp_path: Path) -> None:
    """What seems to come from the future is as old as the start that found it."""
    house = House(tmp_path / "evidence", days=7)
    run(house.call("a"))
    os.utime(house.folder / "a" / SEAL_NAME, (house.now, house.now))
    house.now -= 100 * DAY_S
    again = House(house.folder, days=7)
    again.now = house.now
    run(again.keeper.start())
    assert again.kept == ["a"]
    again.now += 8 * DAY_S
    run(again.keeper.start())
    assert again.kept == []


def test_a_killed_run_keeps_what_it_had(tmp_path: Path) -> None:
    """Half a line and a sound without its length are no obstacle."""
    house = House(tmp_path / "evidence")
    write(house.folder / "a")
    sound, journal = house.folder / "a" / SOUND_NAME, house.folder / "a" / FILE_NAME
    head = bytearray(sound.read_bytes())
    head[21:26] = bytes([head[21] & 0xF0, 0, 0, 0, 0])  # as the library writes it at first
    sound.write_bytes(head[: len(head) * 2 // 3])
    with journal.open("a") as lines:
        lines.write('{"event": {"kind": "agent_st')

    run(house.keeper.settle(_killed("a")))
    call = read_call(house.folder, "a")
    assert call is not None
    assert call.length_s == pytest.approx(1.0)
    assert soundfile.info(sound).frames == RATE // 4096 * 4096


def _killed(run_id: str) -> Outcome:
    return outcome(run_id, Verdict.UNKNOWN, Reason.PROBE_CRASHED)


def test_a_full_disk_loses_evidence_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is counted each time and logged once; with room again calls are kept again."""
    with tiny_filesystem(tmp_path / "disk", "1m") as disk:
        house = House(disk / "evidence")
        run(house.call("a"))
        filler = fill(disk)
        with caplog.at_level(logging.ERROR):
            for name in ("b", "c"):
                with pytest.raises((OSError, RuntimeError)):
                    run(house.call(name))
                run(house.lose(name, LossReason.DISK_FULL))
        assert house.kept == ["a"]
        assert house.shown.losses == [LossReason.DISK_FULL] * 2
        assert len(caplog.records) == 1
        filler.unlink()
        run(house.call("d"))
        assert house.kept == ["a", "d"]


def test_a_read_only_disk_loses_evidence_only(tmp_path: Path) -> None:
    """Sealing fails as writing does; nothing is raised, and it is counted."""
    with tiny_filesystem(tmp_path / "disk", "1m") as disk:
        house = House(disk / "evidence")
        write(house.folder / "a")
        remount(disk, "ro")
        run(house.keeper.settle(_killed("a")))
        assert house.shown.losses == [LossReason.NOT_WRITABLE]
        remount(disk, "rw")


def test_a_folder_that_somebody_deletes_is_no_error(tmp_path: Path) -> None:
    """Nothing is read then, and the next call is kept."""
    house = House(tmp_path / "evidence")
    run(house.call("a"))
    shutil.rmtree(house.folder)
    assert read_call(house.folder, "a") is None
    run(house.call("b"))
    assert house.kept == ["b"]


def test_a_disk_that_hangs_holds_no_measurement_up(tmp_path: Path) -> None:
    """1. Nothing that is written ends. 2. Calls end. Result: each goes on in a moment.

    They are counted as lost as soon as too many wait, and no further call is written down.
    """
    house = House(tmp_path / "evidence")
    write(house.folder / "a")
    hung = house.folder / "a" / f"{SEAL_NAME}.new"
    os.mkfifo(hung)

    async def story() -> None:
        await house.keeper.settle(outcome("a"))
        orders = [house.keeper.order("b") is not None]
        for number in range(MOST_WAITING):
            await house.keeper.settle(outcome(f"c{number}"))
        assert house.shown.losses == [LossReason.TOO_SLOW]
        orders.append(house.keeper.order("d") is not None)
        with hung.open("rb") as released:  # now the disk takes it
            released.read()
        await house.keeper.aclose()
        orders.append(house.keeper.order("e") is not None)
        assert orders == [True, False, True]

    began = time.monotonic()
    asyncio.run(story())
    assert time.monotonic() - began < 2 * SETTLE_S
    assert (house.folder / "a" / SEAL_NAME).exists()


def test_foreign_folders_are_left_alone(tmp_path: Path) -> None:
    """A file system of its own has `lost+found`, which only root may read: calls count as ever."""
    house = House(tmp_path / "evidence")
    run(house.call("a"))
    (house.folder / "lost+found").mkdir()
    (house.folder / "notes of somebody.txt").touch()
    again = House(house.folder)
    again.now = (house.folder / "a" / SEAL_NAME).stat().st_mtime
    run(again.keeper.start())
    assert again.kept == ["a", "lost+found", "notes of somebody.txt"]
    assert again.shown.calls == 1


def test_one_call_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    """A call whose files are odd is deleted at the start; the others count."""
    house = House(tmp_path / "evidence")
    run(house.call("a"), house.call("b"))
    (house.folder / "b" / "gone").symlink_to("nowhere")
    again = House(house.folder)
    again.now = (house.folder / "a" / SEAL_NAME).stat().st_mtime
    run(again.keeper.start())
    assert again.kept == ["a"]
    assert (again.shown.calls, again.shown.losses) == (1, [])


def test_a_text_that_cannot_be_written_is_counted(tmp_path: Path) -> None:
    """An agent may report half a character: nothing stays on the disk, and that is said."""
    house = House(tmp_path / "evidence")
    write(house.folder / "a")
    run(house.keeper.settle(replace(outcome("a", reason=Reason.AGENT_ERROR), detail="\ud83d")))
    assert house.kept == []
    assert house.shown.losses == [LossReason.OTHER]
