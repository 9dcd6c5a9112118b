"""The livekit-server that the demo and the tests run."""

import asyncio
import os
import stat
from pathlib import Path

import psutil
import pytest

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.livekit_server import LiveKitServer, ServerStartError
from exporter.server_api import Server

pytestmark = pytest.mark.integration


def test_the_shared_server_accepts_its_own_credentials(livekit: Server) -> None:
    """The fixture's server lists its rooms for the credentials that it yields."""
    from livekit import api  # noqa: PLC0415 - the SDK is slow to import

    async def rooms() -> int:
        async with api.LiveKitAPI(livekit.url, livekit.api_key, livekit.api_secret) as client:
            return len((await client.room.list_rooms(api.ListRoomsRequest())).rooms)

    assert asyncio.run(rooms()) >= 0
    assert livekit.api_key not in {"devkey", ""}
    assert len(livekit.api_secret) >= 32
    assert livekit.api_secret not in repr(livekit)


def test_a_server_ends_and_comes_back_where_it_was(
    livekit_program: ServerProgram, tmp_path: Path
) -> None:
    """Stop leaves no process; a second start keeps address and keys; the key file is private."""
    server = LiveKitServer(livekit_program, tmp_path)
    first = server.start()
    pid = server.child.pid
    server.stop()
    assert not psutil.pid_exists(pid)
    try:
        assert server.start() == first
    finally:
        server.stop()
    if livekit_program.path is not None:
        assert stat.S_IMODE((tmp_path / "livekit.yaml").stat().st_mode) == 0o600
    assert first.api_secret not in server.log.read_text(encoding="utf-8")


def test_a_program_that_is_no_server_is_named_with_its_last_words(tmp_path: Path) -> None:
    """A program that ends at once raises with its exit status and its output."""
    program = tmp_path / "livekit-server"
    program.write_text("#!/bin/sh\necho no such luck\nexit 7\n", encoding="utf-8")
    program.chmod(0o700)
    server = LiveKitServer(ServerProgram(program, "test"), tmp_path)
    with pytest.raises(ServerStartError, match=r"exit status 7.*\n.*no such luck"):
        server.start()
    assert os.listdir(tmp_path)  # noqa: PTH208 - the log stays for people to read
