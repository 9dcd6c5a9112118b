"""Exporters that share their targets by a real Redis."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.fleet.leases import SHORTEST_S, STEP_S
from tests.fleet_daemon import Call, Plan, calls
from tests.integration.exporters import Exporter, exporters
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


def held(exporter: Exporter) -> frozenset[str]:
    """Return the agents that it calls."""
    found = (series for series, value in samples(exporter, "voice_lease_held") if value)
    return frozenset(series.partition('agent_name="')[2].partition('"')[0] for series in found)


def twice(made: list[Call]) -> list[tuple[Call, Call]]:
    """Return calls to one target that were made at once.

    How long a call comes after the one before is for the tests of leases: on a busy machine the
    process of a call takes seconds to start.
    """
    found = []
    last: dict[str, Call] = {}
    for call in made:
        before = last.get(call.agent_name)
        if before is not None and before.ended is not None and call.began < before.ended:
            found.append((before, call))
        last[call.agent_name] = call
    return found


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
