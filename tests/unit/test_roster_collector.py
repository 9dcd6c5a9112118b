"""What the command `agents` asks of a running exporter, or of something else at its address."""

import asyncio
from contextlib import suppress

import pytest
from pydantic import SecretStr

from exporter.errors import ProbeError
from exporter.outcome import Reason
from exporter.roster import collector
from exporter.roster.collector import CollectorConfig, fetch_workers, send_ramp
from tests.patience import WAIT_S
from tests.unit.test_worker_pages import answering


@pytest.mark.parametrize(
    ("body", "status", "reason", "words"),
    [
        ("{}", "401 Unauthorized", Reason.AUTH_FAILED, "refused the token"),
        ("{}", "302 Found", Reason.API_FAILED, "answered 302"),
        ("<html>", "200 OK", Reason.API_FAILED, "the answer is not a roster"),
        (" " * 2000, "200 OK", Reason.API_FAILED, "the answer is too large"),
    ],
)
def test_what_is_no_roster(
    monkeypatch: pytest.MonkeyPatch, body: str, status: str, reason: Reason, words: str
) -> None:
    """Each is one line with its reason."""
    monkeypatch.setattr(collector, "_MAX_BYTES", 1000)

    async def scenario() -> None:
        async with answering(body, status) as port:
            await fetch_workers(CollectorConfig(url=f"http://127.0.0.1:{port}"))

    with pytest.raises(ProbeError, match=words) as caught:
        asyncio.run(scenario())
    assert caught.value.reason is reason


def test_a_ramp_that_is_refused_says_why_and_shows_no_token() -> None:
    """One line, as for the roster."""

    async def scenario() -> None:
        async with answering("{}", "403 Forbidden") as port:
            config = CollectorConfig(url=f"http://127.0.0.1:{port}", token=SecretStr("hunter2"))
            await send_ramp(config, "{}")

    with pytest.raises(ProbeError, match="refused the token") as caught:
        asyncio.run(scenario())
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"error": "a later ramp is known"}', ": a later ramp is known"),
        ('{"error": "a\\u001b[2J"}', ""),
        ('{"error": 1}', ""),
        ("[]", ""),
        ("<html>", ""),
    ],
)
def test_why_a_ramp_was_refused(body: str, shown: str) -> None:
    """The exporter's own words, unless they would steer a terminal or it is no exporter."""

    async def scenario() -> None:
        async with answering(body, "409 Conflict") as port:
            await send_ramp(CollectorConfig(url=f"http://127.0.0.1:{port}"), "{}")

    with pytest.raises(ProbeError) as caught:
        asyncio.run(scenario())
    assert caught.value.detail.partition("answered 409")[2] == shown


def test_an_answer_without_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte from time to time keeps the command no longer than silence does."""
    monkeypatch.setattr(collector, "TIMEOUT_S", 0.3)

    async def scenario() -> None:
        gone = asyncio.Event()

        async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            with suppress(ConnectionError):
                while True:
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.02)
            writer.close()
            gone.set()

        async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            try:
                await fetch_workers(CollectorConfig(url=f"http://127.0.0.1:{port}"))
            finally:
                await asyncio.wait_for(gone.wait(), WAIT_S)

    with pytest.raises(ProbeError, match=r"did not answer within 0\.3 s"):
        asyncio.run(scenario())  # the answer is without end: that this ends is the promise
