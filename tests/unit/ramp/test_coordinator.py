"""The coordinator's port against clients that draw things out, and against files that are none."""

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from exporter.distributed import coordinator
from exporter.distributed.config import DistributedConfig
from exporter.distributed.coordinator import coordinate, listen, tls_context
from exporter.errors import ConfigError
from exporter.outcome import RampProgress
from exporter.probes.ramp.spec import RampConfig
from exporter.server_api import Server
from exporter.web.server import ConnectionLimits
from tests.patience import WAIT_S

NOBODY = Server("ws://127.0.0.1:1", "key", "s" * 32)


def ignore(_progress: RampProgress) -> None:
    """Nobody watches."""


def free_port() -> int:
    """Return a port that nobody uses at this moment."""
    with listen(DistributedConfig(port=0)) as each:
        return int(each.getsockname()[1])


async def knock(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect as soon as somebody listens."""
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "said",
    [b"", b"GET /v1/time HTTP/1.1\r\nHost: x\r\n", b"POST /v1/vantages HTTP/1.1\r\nHost: x\r\n"],
)
def test_who_draws_a_request_out_is_cut_off(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever reaches the port could take every descriptor, without any token."""
    monkeypatch.setattr(coordinator, "LIMITS", ConnectionLimits(request_s=0.3))
    config = DistributedConfig(port=free_port(), token="t", gather_timeout=WAIT_S)  # noqa: S106

    async def draw_out() -> None:
        leading = asyncio.create_task(coordinate(NOBODY, RampConfig(), config, 1, ignore))
        try:
            async with asyncio.timeout(WAIT_S):
                reader, writer = await knock(config.port)
                with contextlib.closing(writer), contextlib.suppress(ConnectionResetError):
                    writer.write(said)
                    assert await reader.read() == b""
        finally:
            leading.cancel()
            await asyncio.wait((leading,))

    asyncio.run(draw_out())


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    """It is told before anybody is waited for, and the port is free again."""
    file = tmp_path / "garbage.pem"
    file.write_text("garbage")
    config = DistributedConfig(port=free_port(), tls_certificate=file, tls_key=file)
    with pytest.raises(ConfigError, match=r"distributed.tls_certificate: .*garbage.pem"):
        asyncio.run(coordinate(NOBODY, RampConfig(), config, 1, ignore))
    with socket.socket() as again:
        again.bind(("127.0.0.1", config.port))
    assert tls_context(DistributedConfig()) is None
