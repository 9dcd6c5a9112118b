"""One vantage before it loads anything: whom it asks, whom it believes, when it begins."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest

from exporter.distributed.clock import Offset
from exporter.distributed.config import DistributedConfig
from exporter.distributed.messages import Plan, Step
from exporter.distributed.prober import VantageReport, _Vantage, take_part
from exporter.errors import ConfigError
from exporter.outcome import RampTier
from exporter.probes.ramp.spec import RampConfig
from exporter.server_api import Server
from tests import virtual_time
from tests.unit.ramp.tiers import tier
from tests.virtual_time import Clock

SFU = Server("ws://127.0.0.1:1", "key", "s" * 32)


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Serve one answer to everything, as somebody who is no coordinator does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def report(url: str, **config: Any) -> VantageReport:
    """Take part where that is."""
    distributed = DistributedConfig(gather_timeout=0.1, **config)
    ramp = RampConfig(vantage="iad")
    return asyncio.run(take_part(SFU, url, distributed, ramp, lambda _: None))


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, b"<html>", "is not a coordinator of this version"),
        (200, b'{"member": 7}', "is not a coordinator of this version"),
        (302, b"", "the coordinator refused: HTTP 302"),
        (502, b"", "cannot reach the coordinator: HTTP 502"),
        (500, b"oops", "the coordinator refused: HTTP 500"),
    ],
)
def test_somebody_else_answers(status: int, body: bytes, why: str) -> None:
    """It is told in words, whatever comes."""
    with answering(status, body) as url:
        found = report(url)
    assert why in found.error
    assert found.tiers == []


def test_certificates_that_are_none(tmp_path: Path) -> None:
    """The file is named."""
    file = tmp_path / "garbage.pem"
    file.write_text("garbage")
    with pytest.raises(ConfigError, match=r"distributed.ca_file: .*garbage.pem"):
        report("https://127.0.0.1:1", ca_file=file)


class _FarAway:
    """A coordinator whose clock takes longer to ask than the countdown lasts."""

    plan = Plan(
        member="m",
        rooms="r",
        duration_s=0.1,
        ping_interval_s=0.1,
        connect_timeout_s=1,
        target_rtt_ms=100,
        max_loss=1,
        max_failed=1,
    )

    async def offset(self) -> Offset:
        await asyncio.sleep(1.0)
        return Offset(0.0)


class _Processes:
    """Notes when it is told to begin."""

    began = 0.0

    async def grow(self, clients: int) -> int:
        return clients

    async def hold(self, _seconds: float, _pulse: object) -> RampTier:
        self.began = time.monotonic()
        return tier(2)


def test_a_long_way_does_not_delay_the_beginning() -> None:
    """The clock is asked while clients connect, not between the order to hold and its time."""

    async def late(_clock: Clock) -> float:
        coordinator, ramp = cast("Any", _FarAway()), RampConfig(vantage="iad")
        vantage = _Vantage(SFU, coordinator, ramp, VantageReport("iad"), lambda _: None)
        processes = _Processes()
        await vantage._do(Step(number=1, kind="grow", clients=2), cast("Any", processes))
        at_s = time.monotonic() + 0.2
        await vantage._do(Step(number=2, kind="hold", clients=2, at_s=at_s), cast("Any", processes))
        return processes.began - at_s

    assert virtual_time.run(late) == pytest.approx(0.0, abs=1e-6)
