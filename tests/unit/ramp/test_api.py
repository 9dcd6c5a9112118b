"""The coordinator's API against those who have no token, and against bodies of no sane size."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from exporter.distributed.api import LARGEST_BODY, make_app
from exporter.distributed.session import Session
from exporter.probes.ramp.spec import RampConfig

TOKEN = {"Authorization": "Bearer t"}
JSON = {"Content-Type": "application/json"}
IAD = b'{"vantage": "iad", "attempt": "0123456789abcdef"}'


async def piece_by_piece() -> AsyncIterator[bytes]:
    """A body that does not tell its length."""
    yield IAD


def post(headers: dict[str, str], content: bytes | AsyncIterator[bytes]) -> httpx.Response:
    """Register at a coordinator that expects one vantage."""

    async def ask() -> httpx.Response:
        app = make_app(Session(RampConfig(), 1), "t")
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://c") as client:
            return await client.post("/v1/vantages", headers=headers, content=content)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        (TOKEN | JSON, IAD, 201),
        (JSON, IAD, 401),
        ({"Authorization": "Bearer T"} | JSON, IAD, 401),
        ({"Authorization": "t"} | JSON, IAD, 401),
        (TOKEN | JSON, b" " * (LARGEST_BODY + 1), 413),
        (TOKEN | JSON, piece_by_piece(), 411),
        (TOKEN | JSON, b"{", 422),
        (TOKEN | JSON, IAD.replace(b"iad", b"../x"), 422),
        (TOKEN | JSON, IAD.replace(b"iad", b"a" * 64), 422),
        (TOKEN | JSON, IAD.replace(b"0123", b"wxyz"), 422),
    ],
)
def test_who_may_register(
    headers: dict[str, str], content: bytes | AsyncIterator[bytes], status: int
) -> None:
    """With the token, a length, and a name that can be a label."""
    assert post(headers, content).status_code == status
