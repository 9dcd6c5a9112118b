"""The runner against probes that crash, hang and lie, through its real processes."""

import asyncio
import contextlib
import errno
import gc
import multiprocessing.spawn
import multiprocessing.util
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from exporter.fleet.leases import now_s
from exporter.outcome import CallResult, Outcome, Reason, Turn, Verdict
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.leash import Leash
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests import fake_probes
from tests.fake_probes import FakeConfig
from tests.offenders import every
from tests.patience import END_S, WAIT_S, comes_true

SERVER = Server("ws://127.0.0.1:1", "key", "a-very-secret-secret", "test")
CALL = LatencyConfig(agent_name="demo", call_type="support", scenario="short")


def note_rooms(server: Server, names: tuple[str, ...], prefix: str) -> None:
    """Write down which rooms would be deleted, in the file that the server's name holds."""
    with Path(server.name).open("a") as file:
        file.write(f"{','.join(names)}|{prefix}\n")


@contextlib.asynccontextmanager
async def a_runner(
    server: Server = SERVER, processes: int = 1, grace: float = 0.5
) -> AsyncIterator[Runner]:
    """A runner over the fake probes that is always closed."""
    runner = Runner(
        server,
        processes=processes,
        recycle_after=20,
        grace=grace,
        table=fake_probes.TABLE,
        delete_rooms=note_rooms,
    )
    try:
        yield runner
    finally:
        await runner.aclose()


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A server whose name is the file that `note_rooms` writes to."""
    return Server(SERVER.url, SERVER.api_key, SERVER.api_secret, str(tmp_path / "deleted"))


def once(server: Server, probe: str, config: FakeConfig | LatencyConfig) -> tuple[Outcome, Outcome]:
    """Run a probe, then a good one in the same slot."""

    async def both() -> tuple[Outcome, Outcome]:
        async with a_runner(server) as runner:
            return await runner.run(probe, config), await runner.run("good", FakeConfig())

    return asyncio.run(both())


BAD_RUNS = (
    ("segfaults", Reason.PROBE_CRASHED, "ended by SIGSEGV"),
    ("exits", Reason.PROBE_CRASHED, "exited with status 7"),
    ("raises", Reason.PROBE_CRASHED, "ValueError: cannot sign"),
    ("fails", Reason.NO_WORKER, "nobody took the dispatch"),
    ("times_out_by_itself", Reason.PROBE_CRASHED, "TimeoutError: a read"),
    ("returns_nothing", Reason.PROBE_CRASHED, "returned NoneType"),
    ("ignores_cancellation", Reason.PROBE_CRASHED, "killed 0.5 s after its deadline"),
    ("blocks", Reason.PROBE_CRASHED, "killed 0.5 s after its deadline"),
)


def test_bad_runs_cost_their_own_outcomes_only(server: Server) -> None:
    """However a probe fails, its Outcome says why, and the next run in its slot is good."""

    async def all_of_them() -> list[tuple[Outcome, Outcome]]:
        async with a_runner(server) as runner:
            ended = []
            for probe, _, detail in BAD_RUNS:
                config = FakeConfig(deadline=0.3 if detail.startswith("killed") else 30.0)
                bad = await runner.run(probe, config)
                ended.append((bad, await runner.run("good", FakeConfig())))
            return ended

    pairs = asyncio.run(all_of_them())

    @every(zip(BAD_RUNS, pairs, strict=True), lambda row: row[0][0])
    def rule(row: tuple[tuple[str, Reason, str], tuple[Outcome, Outcome]]) -> None:
        (probe, reason, detail), (bad, good) = row
        assert bad.reason is reason
        assert detail in bad.detail
        assert (bad.probe, bad.agent_name) == (probe, "fake")
        assert good.ok

    rule()


def test_a_run_that_hangs_is_cancelled_at_its_deadline(server: Server) -> None:
    """It may end in order: it is not killed while the grace lasts."""

    async def hang() -> Outcome:
        async with a_runner(server, grace=30.0) as runner:
            return await runner.run("hangs", FakeConfig(deadline=0.3))

    outcome = asyncio.run(hang())
    assert outcome.reason is Reason.DEADLINE
    assert "passed its deadline of 0.3 s" in outcome.detail


def test_a_run_that_cannot_be_judged_is_not_lost(server: Server) -> None:
    """Its judge fails: the Outcome comes all the same, and its verdict is UNKNOWN."""
    unjudged, _ = once(server, "misjudged", FakeConfig())

    assert unjudged.ok
    assert (unjudged.findings, unjudged.verdict) == (None, Verdict.UNKNOWN)


def test_secret_in_an_exception_is_masked(server: Server) -> None:
    """The words of an unexpected error come back on one line and without the API secret."""
    bad, _ = once(server, "raises", FakeConfig())

    assert bad.detail.startswith("ValueError: cannot sign with ***")
    assert SERVER.api_secret not in repr(bad)


def test_turns_arrive_live_and_survive_the_death_of_the_call(server: Server) -> None:
    """Turns are told as they end; a call that dies later still returns those it had."""
    seen: list[Turn] = []

    async def both() -> tuple[Outcome, Outcome]:
        async with a_runner(server) as runner:
            died = await runner.run("dies_in_call", CALL, on_turn=seen.append)
            lived = await runner.run("call", CALL, on_turn=seen.append)
            return died, lived

    died, lived = asyncio.run(both())

    assert isinstance(died.result, CallResult)
    assert isinstance(lived.result, CallResult)
    assert [turn.e2e_s for turn in died.result.turns] == [0.7]
    assert (died.result.agent_name, died.result.call_type, died.result.scenario) == (
        "demo",
        "support",
        "short",
    )
    assert seen == [*died.result.turns, *lived.result.turns]


def test_rooms_of_a_crashed_call_are_deleted(server: Server) -> None:
    """After a crash the rooms of that run are deleted, also one that has the target's name."""
    named = CALL.model_copy(update={"room_name": "kitchen"})

    async def crash() -> None:
        async with a_runner(server) as runner:
            await runner.run("dies_in_call", named)
            await comes_true(Path(server.name).exists)

    asyncio.run(crash())

    names, prefix = Path(server.name).read_text().strip().split("|")
    assert names == "kitchen"
    assert prefix.removeprefix("voice-exporter-").isalnum()


def test_good_call_deletes_nothing(server: Server) -> None:
    """A call that ended by itself has cleaned up by itself."""
    once(server, "call", CALL)

    assert not Path(server.name).exists()


def test_listing_does_not_wait_for_calls(server: Server) -> None:
    """1. Every call process is busy. 2. A listing is asked for. Result: it runs at once."""

    async def listing_beside_call() -> Outcome:
        async with a_runner(server) as runner:
            call = asyncio.create_task(runner.run("hangs", FakeConfig(deadline=60)))
            listing = await runner.run("listing", FakeConfig())
            assert not call.done()
            return listing

    assert asyncio.run(listing_beside_call()).ok


def test_run_that_must_be_alone_waits_for_calls(server: Server, tmp_path: Path) -> None:
    """1. A call hangs to its deadline. 2. A run that must be alone. Result: it begins after it."""
    note, found = tmp_path / "note", []

    async def look() -> None:
        found.append(note.read_text())

    async def both() -> Outcome:
        async with a_runner(server, processes=2) as runner:
            call = asyncio.create_task(runner.run("reports_pid", FakeConfig(note=note, deadline=1)))
            await comes_true(lambda: note.exists() and note.read_text().endswith(" "))
            outcome = await runner.run("solo", FakeConfig(), on_start=look)
            await call
            return outcome

    assert asyncio.run(both()).ok
    assert [each.endswith("left") for each in found] == [True]


def test_close_lets_a_running_call_leave_its_room(server: Server, tmp_path: Path) -> None:
    """1. A call is running. 2. The runner closes. Result: its `finally` ran; no process is left."""
    note = tmp_path / "note"

    async def close_while_running() -> int:
        async with a_runner(server) as runner:
            call = asyncio.create_task(
                runner.run("reports_pid", FakeConfig(note=note, deadline=3600))
            )
            await comes_true(lambda: note.exists() and note.read_text().endswith(" "))
            async with asyncio.timeout(END_S):  # the run would go on for an hour
                # A busy machine may need long to start the process that deletes the room.
                await runner.aclose(grace=END_S)
        with pytest.raises(asyncio.CancelledError):
            await call
        return int(note.read_text().split()[0])

    pid = asyncio.run(close_while_running())

    assert note.read_text().endswith("left")
    assert not psutil.pid_exists(pid)
    assert Path(server.name).exists()


def test_a_process_that_was_stopped_blames_nobody(server: Server, tmp_path: Path) -> None:
    """1. A probe waits. 2. Its process is stopped, for the whole time. 3. It goes on. Result: void.

    It has seen nothing of that time, so the run says nothing of any worker.
    """
    note = tmp_path / "note"

    async def stop_while_it_waits() -> Outcome:
        async with a_runner(server) as runner:
            run = asyncio.create_task(runner.run("waits_in_vain", FakeConfig(note=note)))
            await comes_true(lambda: note.exists() and note.read_text().endswith(" "))
            pid = int(note.read_text())
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(fake_probes.VAIN_S)
            os.kill(pid, signal.SIGCONT)
            return await run

    outcome = asyncio.run(stop_while_it_waits())
    assert (outcome.reason, outcome.verdict) == (Reason.VOID, Verdict.UNKNOWN), outcome
    assert "nobody took the dispatch" in outcome.detail


def test_idle_process_that_is_killed_is_replaced(server: Server) -> None:
    """1. A process waits for work. 2. Something kills it. Result: the next run is good."""

    async def kill_between_runs() -> tuple[Outcome, Outcome]:
        async with a_runner(server) as runner:
            first = await runner.run("good", FakeConfig())
            os.kill(int(first.detail), signal.SIGKILL)
            await comes_true(lambda: not psutil.pid_exists(int(first.detail)))
            return first, await runner.run("good", FakeConfig())

    first, second = asyncio.run(kill_between_runs())

    assert second.ok
    assert second.detail != first.detail


def test_stdout_belongs_to_the_parent(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    """What a probe prints goes to stderr: stdout carries the parent's document only."""
    once(server, "says_it_all", FakeConfig())

    out, err = capfd.readouterr()
    assert out == ""
    assert "noise" in err


@pytest.mark.long
def test_hundreds_of_runs_leave_nothing(server: Server) -> None:
    """Runs in recycled processes leave no process, descriptor or thread, and no memory.

    What leaks grows with every batch. An allocator takes more in one batch or the other, so that
    the smaller growth of two is looked at.
    """
    me, runs = psutil.Process(), 80

    async def many() -> set[str]:
        async with a_runner(server, processes=2) as runner:
            batch = (runner.run("good", FakeConfig()) for _ in range(runs))
            return {outcome.detail for outcome in await asyncio.gather(*batch) if outcome.ok}

    def batch() -> int:
        """Run a batch, and return what memory is in use afterwards."""
        pids = asyncio.run(many())
        assert len(pids) >= runs / 20
        assert not [pid for pid in pids if psutil.pid_exists(int(pid))]
        gc.collect()
        return int(me.memory_info().rss)

    memory = [batch()]  # what is made once per process is made now
    before = me.num_fds(), me.num_threads()
    memory += [batch(), batch()]

    assert me.num_fds() <= before[0]
    assert min(memory[1] - memory[0], memory[2] - memory[1]) < 50e3 * runs
    asyncio.run(comes_true(lambda: me.num_threads() <= before[1]))


def test_call_ends_when_the_parent_is_killed(tmp_path: Path) -> None:
    """1. A call is running. 2. The parent is killed. Result: the call leaves, its process ends."""
    note = tmp_path / "note"
    program = f"""
import asyncio
from pathlib import Path
from tests import fake_probes
from exporter.run.runner import Runner
from exporter.server_api import Server

async def main() -> None:
    runner = Runner(Server("ws://127.0.0.1:1", "k", "s"), table=fake_probes.TABLE)
    config = fake_probes.FakeConfig(note=Path({str(note)!r}), deadline=600)
    await runner.run("reports_pid", config)

if __name__ == "__main__":
    asyncio.run(main())
"""
    script = tmp_path / "parent.py"
    script.write_text(program)
    paths = os.pathsep.join(filter(None, sys.path))
    parent = subprocess.Popen([sys.executable, script], env=os.environ | {"PYTHONPATH": paths})
    try:
        asyncio.run(comes_true(lambda: note.exists() and note.read_text().endswith(" ")))
        child = int(note.read_text())
    finally:
        parent.kill()
        parent.wait()

    asyncio.run(comes_true(lambda: not psutil.pid_exists(child)))
    assert note.read_text().endswith("left")


def test_a_run_ends_with_its_lease_by_itself(server: Server, tmp_path: Path) -> None:
    """Nobody kills it: its own process lets it leave when the lease is over."""
    note = tmp_path / "note"

    async def run() -> Outcome:
        async with a_runner(server) as runner:
            await runner.run("good", FakeConfig())  # its process is there from now on
            leash = Leash(now_s() + 5.0)
            config = FakeConfig(note=note, deadline=2 * END_S)  # which a busy machine keeps
            return await runner.run("hangs", config, leash=leash)

    outcome = asyncio.run(run())

    assert (outcome.reason, outcome.detail) == (
        Reason.PROBE_CRASHED,
        f"the probe process exited with status {128 + signal.SIGTERM}",
    )
    assert note.exists(), "it was cancelled"


def test_room_of_someone_else_is_never_deleted(server: Server) -> None:
    """A call that died before it made the room that its target names leaves that room alone."""
    named = FakeConfig(agent_name="demo").model_copy(update={"room_name": "boardroom"})

    async def crash() -> None:
        async with a_runner(server) as runner:
            await runner.run("segfaults", named)
            await comes_true(Path(server.name).exists)

    asyncio.run(crash())

    assert Path(server.name).read_text().startswith("|voice-exporter-")


def test_ctrl_c_while_a_process_starts_does_not_end_it(server: Server) -> None:
    """1. A probe process is starting. 2. Ctrl-C goes to the whole group. Result: it is ignored."""

    async def interrupt() -> Outcome:
        me = psutil.Process()
        async with a_runner(server) as runner:
            before = set(me.children())
            run = asyncio.create_task(runner.run("good", FakeConfig()))
            await comes_true(lambda: bool(set(me.children()) - before))
            for child in set(me.children()) - before:
                child.send_signal(signal.SIGINT)
            return await run

    assert asyncio.run(interrupt()).ok


def test_closed_runner_refuses_work(server: Server) -> None:
    """After the close no run starts, and closing again is no error."""

    async def reuse() -> None:
        async with a_runner(server) as runner:
            await runner.aclose()
            with pytest.raises(RuntimeError, match="closed"):
                await runner.run("good", FakeConfig())

    asyncio.run(reuse())


def test_a_pool_that_can_start_no_process_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """1. All is well. 2. No process can be started. 3. It can again. Result: each is said."""

    async def story() -> list[str]:
        async with a_runner() as runner:
            said = [await runner.check()]
            runner._lanes["api"]._slots[0]._pool.stop()  # type: ignore[no-untyped-call]
            with monkeypatch.context() as broken:
                broken.setattr(multiprocessing.spawn, "_python_exe", "/nonexistent")
                said.append(await runner.check())
            async with asyncio.timeout(WAIT_S):
                while said[-1]:
                    said.append(await runner.check())
            return said

    first, second, *_, last = asyncio.run(story())

    assert first == ""
    assert "cannot start a probe process" in second
    assert last == ""


def test_slot_outlives_a_time_in_which_no_process_can_be_started(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1. A process dies while the system starts none. 2. It does again. Result: calls go on."""

    def no_process(*_: object) -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    async def story() -> list[Outcome]:
        async with a_runner(server) as runner:
            ended = [await runner.run("good", FakeConfig())]
            with monkeypatch.context() as full:
                full.setattr(multiprocessing.util, "spawnv_passfds", no_process)
                ended.append(await runner.run("segfaults", FakeConfig()))
                async with asyncio.timeout(WAIT_S):
                    ended.append(await runner.run("good", FakeConfig()))
            async with asyncio.timeout(WAIT_S):
                while not ended[-1].ok:
                    ended.append(await runner.run("good", FakeConfig()))
            return ended

    first, crashed, none, *_, last = asyncio.run(story())

    assert first.ok
    assert (crashed.reason, none.reason) == (Reason.PROBE_CRASHED,) * 2
    assert last.ok
