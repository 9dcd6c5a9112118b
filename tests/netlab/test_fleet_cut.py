"""An exporter that the network cuts off from the Redis of its group stops before another begins."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.fleet.leases import lease_s
from tests.fleet_daemon import Plan, calls
from tests.netlab.lab import NetLab
from tests.netlab.side import Side
from tests.netlab.way import Way
from tests.patience import START_S, until
from tests.redis_server import PROGRAM, require_redis

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.whole_machine]
PORT = 6379
INTERVAL_S = 60.0
CUT = Way(loss=1.0)


@dataclass(frozen=True, slots=True)
class Running:
    """A program in a namespace."""

    process: subprocess.Popen[str]
    log: Path

    def says(self, text: str) -> bool:
        """Return whether its log has that text."""
        assert self.process.poll() is None, self.log.read_text()
        return text in self.log.read_text()


@contextmanager
def running(side: Side, argv: list[str | Path], log: Path) -> Iterator[Running]:
    """Run a program on one side of the link until the block ends."""
    with log.open("w", encoding="utf-8") as errors:
        process = side.start(argv, environ=os.environ, errors=errors)
    try:
        yield Running(process, log)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def redis_at(side: Side, folder: Path) -> Iterator[str]:
    """Run Redis on one side of the link until the block ends; yields its URL."""
    argv = [PROGRAM, "--port", f"{PORT}", "--bind", side.address, "--protected-mode", "no"]
    log = folder / "redis.log"
    with running(side, [*argv, "--save", "", "--logfile", str(log)], folder / "redis.err"):
        until(lambda: log.exists() and "Ready to accept" in log.read_text(), START_S, "redis")
        yield f"redis://{side.address}:{PORT}/0"


def test_a_partition_gives_no_target_two_callers(laboratory_possible: None, tmp_path: Path) -> None:
    """1. An exporter calls a target. 2. The link to Redis is cut. 3. It is mended later.

    Result: it leaves within its lease, the exporter next to Redis calls after that, and when the
    link is there again the first one does not come back.
    """
    require_redis()
    journal, url_file = tmp_path / "journal", tmp_path / "url"
    journal.touch()
    plan = Plan(str(journal), str(url_file), 1, INTERVAL_S, call_s=600.0, processes=1)
    daemon: list[str | Path] = [sys.executable, "-m", "tests.fleet_daemon"]
    with ExitStack() as stack:
        lab = stack.enter_context(NetLab(limit_s=900))
        url_file.write_text(stack.enter_context(redis_at(lab.server, tmp_path)))
        folders = [tmp_path / name for name in ("far", "near")]
        for folder in folders:
            plan.write(folder)
        far = stack.enter_context(running(lab.client, [*daemon, folders[0]], tmp_path / "far.log"))
        until(lambda: len(calls(journal)) == 1 or far.says("nothing"), START_S, "a call")
        near = stack.enter_context(
            running(lab.server, [*daemon, folders[1]], tmp_path / "near.log")
        )
        until(lambda: near.says("msg=serving"), START_S, "the other exporter")
        cut_at = time.monotonic()
        lab.link.become(up=CUT, down=CUT)
        until(lambda: len(calls(journal)) == 2 or near.says("nothing"), START_S, "an heir")
        first, second = calls(journal)
        assert first.caller != second.caller
        assert first.ended is not None
        assert first.ended < second.began, "never two at once"
        assert cut_at < first.ended < cut_at + lease_s(INTERVAL_S)
        assert lab.link.counts().up.lost > 0
        lab.link.set()
        until(lambda: far.says("lease store reached again"), what="Redis reached again")
        _, second, *more = calls(journal)
        assert second.ended is None, "it goes on"
        assert not more, "and stays the only one"
