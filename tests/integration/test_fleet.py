"""Exporters that share their targets by a real Redis."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path

import pytest

from exporter.fleet.leases import SHORTEST_S, STEP_S, lease_s
from tests.fleet_daemon import Call, Plan, calls
from tests.integration.exporters import Exporter, exporters, value
from tests.patience import START_S, until
from tests.redis_server import RedisServer, require_redis

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.whole_machine]
TARGETS, INTERVAL_S, CALL_S = 6, 10.0, 1.0
OF_CALLS = 'probe="latency"'


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of this module."""
    require_redis()
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


def samples(exporter: Exporter, name: str) -> list[tuple[str, float]]:
    """Return the series of a metric that are about calls, with their values."""
    lines = exporter.get("/metrics").text.splitlines()
    of_calls = (each for each in lines if each.startswith(name + "{") and OF_CALLS in each)
    return [(line, float(line.rpartition(" ")[2])) for line in of_calls]


def counted_calls(exporter: Exporter) -> float:
    """Return how many calls it has counted."""
    return sum(value for _, value in samples(exporter, "voice_probe_attempts_total"))


def refused(exporter: Exporter) -> float:
    """Return how many results it has not used."""
    return value(exporter.get("/metrics").text, "voice_lease_results_refused_total")


def held(exporter: Exporter) -> frozenset[str]:
    """Return the agents that it calls."""
    found = (series for series, value in samples(exporter, "voice_lease_held") if value)
    return frozenset(series.partition('agent_name="')[2].partition('"')[0] for series in found)


def twice(made: list[Call]) -> list[tuple[Call, Call]]:
    """Return calls to one target that were made at once.

    How long a call comes after the one before is for the tests of leases: on a busy machine the
    process of a call takes seconds to start.
    """
    return [pair for pair in combinations(made, 2) if pair[0].overlaps(pair[1])]


def test_three_exporters_call_each_target_once(redis: RedisServer, tmp_path: Path) -> None:
    """Two each; when one is killed the others have its targets within two intervals."""
    url_file, journal = tmp_path / "url", tmp_path / "journal"
    url_file.write_text(redis.url)
    journal.touch()
    plan = Plan(str(journal), str(url_file), TARGETS, INTERVAL_S, CALL_S, processes=1)
    with ExitStack() as stack:
        folders = [tmp_path / name for name in "abc"]
        for folder in folders:
            plan.write(folder)
        starts = [stack.enter_context(exporters(folder)) for folder in folders]
        with ThreadPoolExecutor() as pool:
            group = list(
                pool.map(lambda start, at: start("tests.fleet_daemon", str(at)), starts, folders)
            )
        until(lambda: [len(held(each)) for each in group] == [2, 2, 2], START_S, "a fair share")
        assert frozenset[str]().union(*map(held, group)) == {f"agent-{n}" for n in range(TARGETS)}
        until(lambda: len({call.agent_name for call in calls(journal)}) == TARGETS, START_S)
        killed, *others = group
        orphans, counted = held(killed), counted_calls(killed)
        killed.process.kill()
        killed.process.wait()
        before = len(calls(journal))
        limit_s = 2 * INTERVAL_S + 10
        until(
            lambda: orphans <= {call.agent_name for call in calls(journal)[before:]},
            limit_s,
            "calls by the heirs",
        )
        assert [len(held(each)) for each in others] == [3, 3]
        leaver, stayer = others
        counted += counted_calls(leaver)
        assert leaver.stop(within=30) == 0
        until(lambda: len(held(stayer)) == TARGETS, 2 * STEP_S + SHORTEST_S)
        counted += counted_calls(stayer)
        made = calls(journal)
        assert twice(made) == []
        assert stayer.stop(within=30) == 0
    ended = sum(call.ended is not None for call in made)
    # None is counted twice; one of each exporter may have ended after its counters were read.
    assert ended - len(group) <= counted <= len(made)


def test_one_that_stands_still_does_not_call_past_its_lease(
    redis: RedisServer, tmp_path: Path
) -> None:
    """1. An exporter is stopped (SIGSTOP) during a call. 2. Another takes over. 3. It goes on.

    Its call has left with the lease, and its result is refused.
    """
    url_file, journal = tmp_path / "url", tmp_path / "journal"
    url_file.write_text(redis.url)
    journal.touch()
    interval_s = 60.0  # its lease is longer than a busy machine lets an event loop stand still
    plan = Plan(str(journal), str(url_file), 1, interval_s, call_s=600.0, processes=1, group="s")
    with ExitStack() as stack:
        folders = [tmp_path / name for name in "ab"]
        for folder in folders:
            plan.write(folder)
        start, start_other = [stack.enter_context(exporters(folder)) for folder in folders]
        stopped = start("tests.fleet_daemon", str(folders[0]))
        until(lambda: calls(journal), START_S, "a call")
        other = start_other("tests.fleet_daemon", str(folders[1]))
        until(lambda: other.get("/-/ready").is_success, START_S, "the other one")
        (call,) = calls(journal)
        assert call.ended is None, "it is under way"
        stopped.process.send_signal(signal.SIGSTOP)
        stopped_at = time.monotonic()
        until(lambda: len(calls(journal)) > 1, START_S, "a call by the heir")
        call, heirs = calls(journal)
        assert call.ended is not None, "its process ended it, and nobody else could"
        assert call.ended < heirs.began
        assert stopped_at < call.ended < stopped_at + lease_s(interval_s)
        stopped.process.send_signal(signal.SIGCONT)
        until(lambda: refused(stopped) == 1, what="a refused result")
        assert counted_calls(stopped) == 0
        assert held(stopped) == frozenset()
