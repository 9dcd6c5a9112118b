"""The store in Redis: exporters that share it, die and come back, and Redis that goes away."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from exporter.demo.livekit_server import free_ports
from exporter.errors import StoreError
from exporter.outcome import Calibration, Reason
from exporter.roster.types import Worker, WorkerStatus
from exporter.store import taken_over
from exporter.store.buffered import BufferedStore
from exporter.store.records import (
    BudgetLimits,
    CalibrationRecord,
    EvidencePlace,
    OpenRun,
    Retention,
    RunQuery,
    Spending,
)
from exporter.store.redis import owners as owners_module
from exporter.store.redis.address import parse
from exporter.store.redis.store import RedisOpener, RedisStore
from tests.certificates import Certificates
from tests.patience import comes_true
from tests.redis_server import RedisServer, require_redis
from tests.unit.store.buffering import Watch
from tests.unit.store.records import DAY, NOON, PLAN, ended, open_run
from tests.unit.store.redis_writer import TURNS

pytestmark = pytest.mark.integration


@pytest.fixture(name="prefix")
def _prefix(tmp_path: Path) -> str:
    """A prefix that no other test has."""
    return tmp_path.name


@pytest.fixture(name="own_server")
def _own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that may be killed."""
    require_redis()
    with RedisServer(tmp_path / "redis") as server:
        yield server


def opened(server: RedisServer, prefix: str) -> RedisStore:
    """Return the store of a further exporter."""
    return server.opener(prefix)()


def buffer(opener: RedisOpener, watch: Watch, left: list[OpenRun] | None = None) -> BufferedStore:
    """Return what the daemon of one of several exporters uses."""
    return BufferedStore(
        opener,
        watch,
        shared=True,
        on_left_open=(left if left is not None else []).extend,
        first_retry_s=0.02,
        clock=lambda: NOON,
    )


def dies(server: RedisServer, store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an exporter be silent for as long as makes it dead."""
    monkeypatch.setattr(owners_module, "GRACE_S", 0.0)
    server.ask("DEL", store._connection.key(f"alive:{store._owners.owner}"))


def ask_for(writer: Any, runs: int) -> None:
    """Let a writer make so many more runs."""
    writer.stdin.write("\n" * runs)
    writer.stdin.flush()


def test_budget_is_exact_over_exporters_that_are_killed(
    redis_server: RedisServer, prefix: str
) -> None:
    """Three processes spend one budget, two are killed: each turn is counted once."""
    argv = [sys.executable, "-m", "tests.unit.store.redis_writer", redis_server.url, prefix]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    told = []
    with ExitStack() as stack:
        writers: list[Any] = [
            stack.enter_context(subprocess.Popen([*argv, word], **pipes)) for word in "abc"
        ]
        for writer in writers:  # together less than the budget: each comes to its turn
            ask_for(writer, 40)
        for writer in writers[:2]:
            told += [writer.stdout.readline() for _ in range(20)]
            writer.kill()
        ask_for(writers[2], TURNS)
        for writer in writers:
            told += writer.stdout.readlines()  # until the budget has nothing left
    lines = [line.split() for line in told]
    acknowledged = {name for word, name in lines if word == "ended"}
    begun = {name for word, name in lines if word == "begun"}

    with closing(opened(redis_server, prefix)) as store:
        kept = {run.run_id for run in store.runs(RunQuery(limit=10_000))}
        left_open = {run.run_id for run in store.open_runs()}
        total = store.spent("")["t", DAY]
    assert acknowledged <= kept
    assert begun <= kept | left_open
    assert len(left_open) <= 2
    assert total.turns == len(kept) + len(left_open) * PLAN.turns
    assert TURNS - PLAN.turns < total.turns <= TURNS


def test_runs_of_an_exporter_that_died_go_to_one_other(
    redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1. One of three dies during a call. Result: its run is given to one, others' to nobody."""
    dead, first, second = (opened(redis_server, prefix) for _ in range(3))
    dead.begin(open_run("left"))
    first.begin(open_run("under way"))
    assert (first.left_open(), second.left_open()) == ((), ())

    dies(redis_server, dead, monkeypatch)

    assert second.left_open() == (open_run("left"),)
    assert (first.left_open(), second.left_open()) == ((), ())
    second.end(ended("left", reason=Reason.PROBE_CRASHED))
    assert first.spent(DAY) == {("t", DAY): PLAN + PLAN}
    for store in (dead, first, second):
        store.close()


def test_a_run_that_another_exporter_has_ended_is_not_paid_twice(
    redis_server: RedisServer, prefix: str
) -> None:
    """1. The answer to its begin is lost. 2. Another one ends it. 3. It begins again, and ends."""
    one, other = opened(redis_server, prefix), opened(redis_server, prefix)
    assert one.begin(open_run())
    other.end(ended(reason=Reason.PROBE_CRASHED))
    assert one.begin(open_run())
    assert one.open_runs() == ()
    one.end(ended(), PLAN)
    assert one.spent(DAY) == {("t", DAY): PLAN}
    one.close()
    other.close()


def test_exporters_that_are_silent_after_an_outage_are_given_time(
    redis_server: RedisServer, prefix: str
) -> None:
    """1. Redis forgets who lives, as in an outage. Result: the first one back takes nothing."""
    one, other = opened(redis_server, prefix), opened(redis_server, prefix)
    one.begin(open_run())
    redis_server.ask("DEL", one._connection.key(f"alive:{one._owners.owner}"))
    assert other.left_open() == ()
    assert other.left_open() == ()
    one.close()
    other.close()


def test_silence_is_counted_anew_after_a_time_without_runs(
    redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exporter was silent for a moment, long ago. Result: the next moment makes it not dead."""
    now = [1000.0]
    monkeypatch.setattr(owners_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    one, other = opened(redis_server, prefix), opened(redis_server, prefix)
    alive = one._connection.key(f"alive:{one._owners.owner}")
    one.begin(open_run())
    redis_server.ask("DEL", alive)
    assert other.left_open() == ()
    one.end(ended())
    now[0] += 3600
    assert other.left_open() == ()
    one.begin(open_run("next"))
    redis_server.ask("DEL", alive)
    assert other.left_open() == ()
    now[0] += owners_module.GRACE_S
    assert other.left_open() == (open_run("next"),)
    one.close()
    other.close()


def test_real_calls_of_an_exporter_that_died_go_to_another(
    redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lives keeps its calls: nothing is counted twice."""
    dead, other = opened(redis_server, prefix), opened(redis_server, prefix)
    dead.save_calls({"RM_1": "{}"})
    other.left_open()
    other.save_calls({"RM_2": "{}"})
    assert (set(other.calls()), set(dead.calls())) == ({"RM_2"}, {"RM_1"})
    dies(redis_server, dead, monkeypatch)
    assert set(other.calls()) == {"RM_1", "RM_2"}
    assert set(dead.calls()) == set()
    dead.close()
    other.close()


def test_roster_has_the_workers_of_all_exporters(redis_server: RedisServer, prefix: str) -> None:
    """The latest sign of life of a worker stays, and who is forgotten by one is not of another."""
    one, other = opened(redis_server, prefix), opened(redis_server, prefix)
    early = Worker("AW_1", "demo", WorkerStatus.IDLE, last_heartbeat=100.0)
    late = Worker("AW_1", "demo", WorkerStatus.BUSY, last_heartbeat=200.0)
    further = Worker("AW_2", "demo", WorkerStatus.IDLE, last_heartbeat=150.0)
    one.save_workers([late])
    other.save_workers([early, further])
    assert one.workers() == (late, further)
    other.save_workers([early])
    assert one.workers() == (late,)
    one.close()
    other.close()


def test_exporters_know_who_keeps_a_call(redis_server: RedisServer, prefix: str) -> None:
    """1. Two exporters keep calls. 2. One deletes one; another one's run is pruned."""
    one, other = EvidencePlace("one", "http://one:9479"), EvidencePlace("two", "http://two:9479")
    with closing(opened(redis_server, prefix)) as store:
        for name in "abc":
            store.end(ended(name))
        store.save_evidence(one, ["a", "b"])
        store.save_evidence(other, ["c"])
        assert [store.evidence(name) for name in "abcd"] == [one, one, other, None]
        store.save_evidence(one, [], gone=["a"])
        assert [store.evidence(name) for name in "abc"] == [None, one, other]
        store.prune(NOON.replace(year=2027), Retention())
        assert [store.evidence(name) for name in "abc"] == [None, None, None]


def test_nothing_grows_without_bound(redis_server: RedisServer, prefix: str) -> None:
    """1. All that there is was kept. 2. It is old. Result: a handful of keys is left."""
    with closing(opened(redis_server, prefix)) as store:
        for number in range(20):
            store.begin(open_run(f"{number}"))
            store.end(ended(f"{number}", agent_name=f"agent {number}"), Spending(1, 1))
        store.save_workers([Worker("AW_1", "demo", WorkerStatus.IDLE, last_heartbeat=100.0)])
        store.prune(NOON.replace(year=2027), Retention())
        left = redis_server.ask("KEYS", store._connection.key("*").replace("[", "\\["))
        assert isinstance(left, list)
        names = {key.decode().partition("}:")[2].partition(":")[0] for key in left}
        assert names == {"format", "identity", "alive"}


def test_newer_format_is_refused(redis_server: RedisServer, prefix: str) -> None:
    """One line, and nothing is written."""
    with closing(opened(redis_server, prefix)) as store:
        redis_server.ask("SET", store._connection.key("format"), "2")
    with pytest.raises(StoreError) as caught:
        opened(redis_server, prefix)
    assert str(caught.value) == (
        f"Redis has keys {{{prefix}}}:format of format 2, which this voice-exporter does not "
        "know; expected 1, or another store.redis.prefix"
    )


def test_run_of_a_newer_version_is_left_out(
    redis_server: RedisServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """While exporters are upgraded one by one, the others can still read their own runs."""
    with closing(opened(redis_server, prefix)) as store:
        store.end(ended("a"))
        store.end(ended("b", seconds=1))
        document = redis_server.ask("HGET", store._connection.key("runs"), "b")
        assert isinstance(document, bytes)
        newer = document.decode().replace('"PASS"', '"WONDER"').replace('"pass"', '"wonder"')
        redis_server.ask("HSET", store._connection.key("runs"), "b", newer)
        assert [run.run_id for run in store.runs(RunQuery())] == ["a"]
    assert [each.message for each in caplog.records if each.name.startswith("exporter")] == [
        "runs of another version cannot be read"
    ]


@pytest.mark.parametrize("kind", ["redis", "redis+cluster"])
def test_exporter_starts_without_redis(kind: str, prefix: str) -> None:
    """In memory, and says so; redis-py has an error of its own kind for a cluster."""

    async def scenario() -> None:
        watch = Watch()
        store = buffer(RedisOpener(lambda: parse(f"{kind}://127.0.0.1:1"), prefix), watch)
        await store.start()
        assert store.problem.startswith("store: cannot use Redis at 127.0.0.1:1: ")
        assert await store.begin(open_run())
        await store.aclose(grace=0.1)

    asyncio.run(scenario())


def test_wrong_password_is_one_line_without_it(own_server: RedisServer) -> None:
    """It says where and why."""
    own_server.ask("CONFIG", "SET", "requirepass", "right")
    url = own_server.url.replace("//", "//:not-this-one@")
    with pytest.raises(StoreError) as caught:
        RedisOpener(lambda: parse(url), "x")()
    assert str(caught.value).startswith(f"cannot use Redis at 127.0.0.1:{own_server.port}: ")
    assert "not-this-one" not in str(caught.value)


def test_redis_that_keeps_nothing_is_told_once(
    own_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A budget that Redis forgets is spent twice."""
    own_server.ask("CONFIG", "SET", "appendonly", "no")
    own_server.ask("CONFIG", "SET", "maxmemory", "100mb")
    own_server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    opener = own_server.opener("x")
    for _ in range(2):
        opener().close()
    found = [each.message for each in caplog.records if each.name.startswith("exporter")]
    assert found == [
        "redis loses the latest writes when it ends; expected: appendonly yes",
        "redis may drop budgets when its memory is full; expected: maxmemory-policy noeviction",
    ]


def test_redis_is_killed_and_nothing_is_lost(
    own_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """1. Redis dies. 2. Calls go on within the budget. 3. It is back. Result: all of it is there.

    Two log lines tell of it, and the other exporter's spending counts again.
    """

    async def scenario() -> None:
        watch, limits = Watch(), BudgetLimits(turns=100)
        here = buffer(own_server.opener("x"), watch)
        await here.start()
        assert await here.begin(open_run("a"), limits)
        here.end(ended("a"), Spending(2, 10))
        await comes_true(lambda: not here._waiting)

        own_server.kill()
        for number in range(20):
            assert await here.begin(open_run(f"{number}"), limits)
            here.end(ended(f"{number}", seconds=number), Spending(2, 10))
        assert not await here.begin(open_run("too much"), BudgetLimits(turns=45))
        assert watch.works is False
        assert here.problem.startswith("store: cannot use Redis at 127.0.0.1:")

        own_server.start()
        await comes_true(lambda: here.problem == "" and not here._waiting)
        with closing(own_server.opener("x")()) as other:
            assert len(other.runs(RunQuery())) == 21
            assert other.spent(DAY) == {("t", DAY): Spending(42, 210)}
            assert other.begin(open_run("other"), BudgetLimits(turns=46))
        assert not await here.begin(open_run("b"), BudgetLimits(turns=49))
        assert here.spent_on("t", DAY) == Spending(42, 210)
        await here.aclose()

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    told = [each.message for each in caplog.records if each.name.startswith("exporter")]
    assert told[0] == "store failed; continuing in memory"
    assert told[-1] == "store works again"


def test_what_others_spend_is_seen_here(
    redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of another exporter counts at once where it is asked, and soon where it is shown."""
    monkeypatch.setattr(taken_over, "REFRESH_S", 0.05)

    async def scenario() -> None:
        here = buffer(redis_server.opener(prefix), Watch())
        await here.start()
        with closing(opened(redis_server, prefix)) as other:
            other.begin(open_run("other"))
            assert not await here.begin(open_run("a"), BudgetLimits(turns=PLAN.turns))
            await comes_true(lambda: here.spent_on("t", DAY) == PLAN)
            other.end(ended("other"), Spending(1, 1))
            await comes_true(lambda: here.spent_on("t", DAY) == Spending(1, 1))
        assert await here.begin(open_run("a"), BudgetLimits(turns=PLAN.turns + 1))
        await here.aclose()

    asyncio.run(scenario())


def test_a_run_that_was_left_is_told_of_while_the_exporter_runs(
    redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to start again for the rooms of a dead exporter to be deleted."""
    monkeypatch.setattr(taken_over, "REFRESH_S", 0.05)

    async def scenario() -> None:
        left: list[OpenRun] = []
        here = buffer(redis_server.opener(prefix), Watch(), left)
        await here.start()
        dead = opened(redis_server, prefix)
        dead.begin(open_run("left"))
        await comes_true(lambda: here.open_runs() == (open_run("left"),))
        assert left == []
        dies(redis_server, dead, monkeypatch)
        await comes_true(lambda: left == [open_run("left")])
        dead.close()
        await here.aclose()

    asyncio.run(scenario())


def use(url: str) -> None:
    """Write and read once."""
    with closing(RedisOpener(lambda: parse(url), "x")()) as store:
        store.begin(open_run())
        store.end(ended(), Spending(1, 1))
        assert store.run("a") == ended()
        assert store.runs(RunQuery()) == (ended(),)
        store.restore([], {("t", DAY): Spending(2, 1)})
        assert store.spent("") == {("t", DAY): Spending(2, 1)}
        assert store.left_open() == ()
        store.prune(NOON, Retention())


def test_tls(tmp_path: Path, certificates: Certificates) -> None:
    """A certificate that is not trusted is refused; with its authority it is used."""
    require_redis()
    cert, key = certificates.issue("redis")
    files = ("--tls-cert-file", str(cert), "--tls-key-file", str(key))
    options = (*files, "--tls-ca-cert-file", str(certificates.ca), "--tls-auth-clients", "no")
    with RedisServer(tmp_path / "redis", *options) as server:
        port = server.other_port
        server.ask("CONFIG", "SET", "tls-port", f"{port}")
        use(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificates.ca}")
        with pytest.raises(StoreError, match=r"(?i)certificate"):
            use(f"rediss://127.0.0.1:{port}")


def test_cluster(tmp_path: Path) -> None:
    """All keys are on one node, so that one step is one step."""
    require_redis()
    # Or nodes would talk on a port 10,000 above that of the server, which may be none.
    options = ("--cluster-enabled", "yes", "--cluster-port", f"{free_ports().signal}")
    with RedisServer(tmp_path / "redis", *options) as server:
        server.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        server.wait_for("CLUSTER", "INFO", answer="ok")
        use(f"redis+cluster://127.0.0.1:{server.port}")


def test_sentinel(tmp_path: Path) -> None:
    """A Sentinel says where the server is."""
    require_redis()
    with RedisServer(tmp_path / "redis") as server:
        configuration = tmp_path / "sentinel.conf"
        configuration.write_text(f"sentinel monitor main 127.0.0.1 {server.port} 1\n")
        with RedisServer(tmp_path / "sentinel", sentinel=configuration) as sentinel:
            use(f"redis+sentinel://127.0.0.1:{sentinel.port}/main")
            with pytest.raises(StoreError, match="other"):
                use(f"redis+sentinel://127.0.0.1:{sentinel.port}/other")


@pytest.mark.parametrize("loss", ["FLUSHALL", "restarted empty"])
def test_what_an_exporter_holds_is_written_back(
    own_server: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    loss: str,
) -> None:
    """1. Redis loses all of it. Result: budgets, runs, calibrations, roster are there again.

    A run under way is charged once, and one line says what happened.
    """
    monkeypatch.setattr(taken_over, "REFRESH_S", 0.05)
    worker = Worker("AW_1", "demo", WorkerStatus.IDLE, last_heartbeat=NOON.timestamp())
    place = EvidencePlace("here", "http://here:9479")
    calibration = CalibrationRecord(NOON, Calibration(0.02, 0.001, 10, 0))

    async def scenario() -> None:
        watch = Watch()
        here = buffer(own_server.opener("x"), watch)
        await here.start()
        assert await here.begin(open_run("a"))
        here.end(ended("a"), Spending(2, 10))
        assert await here.begin(open_run("under way"))
        here.save_workers([worker])
        here.save_ramp("here", "{}")
        here.save_evidence(place, ["a"], ())
        here.add_calibration(calibration)
        await comes_true(lambda: not here._waiting)

        if loss == "FLUSHALL":
            own_server.ask("FLUSHALL")
        else:
            own_server.kill()
            for file in (tmp_path / "redis" / "appendonlydir").iterdir():
                file.unlink()
            own_server.start()
        await comes_true(lambda: "lost" in watch.failures and here.problem == "")

        with closing(own_server.opener("x")()) as other:
            assert other.spent(DAY) == {("t", DAY): Spending(2, 10) + PLAN}
            assert other.open_runs() == (open_run("under way"),)
            assert other.runs(RunQuery()) == (ended("a"),)
            assert other.calibrations(10) == (calibration,)
            assert other.workers() == (worker,)
            assert other.ramps() == ("{}",)
            assert other.evidence("a") == place
        here.end(ended("under way"), Spending(1, 5))
        await comes_true(lambda: not here._waiting)
        assert here.spent_on("t", DAY) == Spending(3, 15)
        await here.aclose()

    asyncio.run(scenario())
    told = [each.message for each in caplog.records if each.message.startswith("store lost")]
    assert len(told) == 1
    assert told[0].endswith("the rest of the history is lost")


def test_no_run_begins_on_sums_that_were_lost(own_server: RedisServer) -> None:
    """1. A budget is spent. 2. Redis loses it. Result: nobody who knew of it calls again."""

    async def scenario() -> None:
        limits = BudgetLimits(turns=PLAN.turns)
        here = buffer(own_server.opener("x"), Watch())
        await here.start()
        assert await here.begin(open_run("a"), limits)
        own_server.ask("FLUSHALL")
        assert not await here.begin(open_run("b"), limits)
        await comes_true(lambda: here.problem == "")
        with closing(own_server.opener("x")()) as other:
            assert not other.begin(open_run("c"), limits)
        await here.aclose()

    asyncio.run(scenario())
