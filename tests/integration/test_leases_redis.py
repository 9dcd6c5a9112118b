"""Leases in a real Redis keep the promises that leases are built on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.errors import StoreError
from exporter.fleet.client import Holder
from exporter.fleet.leases import Leases, Share
from exporter.fleet.redis import RedisLeases
from exporter.store.redis.address import parse
from tests.patience import until
from tests.redis_server import RedisServer, require_redis

pytestmark = pytest.mark.integration
WORK, OTHER = "latency/demo/default/default", "sfu@default"
FOREVER_S, SOON_S = 60.0, 0.05


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of this module."""
    require_redis()
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def client(redis: RedisServer, request: pytest.FixtureRequest) -> Iterator[RedisLeases]:
    """A client with keys of its own, of a Redis that has known of all leases for long."""
    client = RedisLeases(lambda: parse(redis.url), request.node.name)
    asyncio.run(client.renew("nobody", {}))
    redis.ask("DEL", f"{{{request.node.name}}}:warming")
    yield client
    asyncio.run(client.aclose())


async def _acquire(client: RedisLeases, work: str, member: str, lasts_s: float) -> int:
    grant = await client.acquire(work, member, lasts_s)
    assert grant is not None
    return grant.fence


def test_one_member_has_a_lease_and_its_number_grows(client: RedisLeases) -> None:
    """Nobody else gets it, renews it or gives it back; the next one has a larger number."""

    async def main() -> None:
        first = await _acquire(client, WORK, "a", FOREVER_S)
        assert await client.acquire(WORK, "b", FOREVER_S) is None
        assert await client.holders([WORK, OTHER]) == {WORK: Holder("a", first)}
        wanted = {WORK: (first, FOREVER_S), OTHER: (first, FOREVER_S)}
        assert await client.renew("a", wanted) == {WORK}
        assert await client.renew("b", wanted) == set()
        assert await client.renew("a", {WORK: (first - 1, FOREVER_S)}) == set()
        await client.release(WORK, "b", first)
        await client.release(WORK, "a", first - 1)
        assert await client.holders([WORK]) == {WORK: Holder("a", first)}
        await client.release(WORK, "a", first)
        assert await client.holders([WORK]) == {}
        assert await _acquire(client, WORK, "b", FOREVER_S) > first

    asyncio.run(main())


def test_a_lease_ends(client: RedisLeases) -> None:
    """By itself, and not before a renewed duration."""
    asyncio.run(client.acquire(WORK, "a", SOON_S))
    until(lambda: not asyncio.run(client.holders([WORK])), what="the end of a lease")
    assert asyncio.run(client.acquire(WORK, "b", FOREVER_S)) is not None


def test_the_last_run_is_known_to_the_next_holder(client: RedisLeases) -> None:
    """Only its holder may begin a run."""

    async def main() -> None:
        grant = await client.acquire(WORK, "a", FOREVER_S)
        assert grant is not None
        assert grant.since_run_s is None
        assert not await client.began(WORK, "b", grant.fence)
        assert await client.began(WORK, "a", grant.fence)
        await client.release(WORK, "a", grant.fence)
        later = await client.acquire(WORK, "b", FOREVER_S)
        assert later is not None
        assert later.since_run_s is not None
        assert 0 <= later.since_run_s < FOREVER_S
        assert await client.began(WORK, "b", later.fence, 2 * FOREVER_S)
        await client.release(WORK, "b", later.fence)
        last = await client.acquire(WORK, "c", FOREVER_S)
        assert last is not None
        assert last.since_run_s is not None
        assert 2 * FOREVER_S <= last.since_run_s < 3 * FOREVER_S

    asyncio.run(main())


def test_members_are_those_who_beat(client: RedisLeases) -> None:
    """With their loads; one that stops or leaves is one no longer."""

    async def main() -> None:
        assert await client.beat("a", FOREVER_S, 7) == {"a": 7}
        assert await client.beat("b", FOREVER_S, 0) == {"a": 7, "b": 0}
        await client.leave("a")
        assert await client.beat("b", FOREVER_S, 3) == {"b": 3}

    asyncio.run(main())


def test_a_restart_that_forgets_gives_nothing_too_soon(redis: RedisServer) -> None:
    """Who has a lease keeps it, nobody else gets one, and numbers go on."""
    client = RedisLeases(lambda: parse(redis.url), "restart")
    asyncio.run(client.renew("nobody", {}))
    redis.ask("DEL", "{restart}:warming")
    fence = asyncio.run(_acquire(client, WORK, "a", FOREVER_S))
    redis.ask("FLUSHALL")
    redis.kill()
    redis.start()
    asyncio.run(client.aclose())  # what is connected is the dead one

    async def main() -> None:
        assert await client.acquire(OTHER, "b", FOREVER_S) is None
        assert await client.renew("b", {WORK: (fence, FOREVER_S)}) == {WORK}, "it is the first"
        assert await client.renew("a", {WORK: (fence, FOREVER_S)}) == set()
        redis.ask("DEL", "{restart}:warming")
        assert await _acquire(client, OTHER, "b", FOREVER_S) > fence
        assert await client.renew("a", {"third": (fence, FOREVER_S)}) == set()

    asyncio.run(main())
    asyncio.run(client.aclose())


class Quiet:
    """Does nothing when leases come and go."""

    def gained(self, work: str, fence: int, since_run_s: float | None) -> None:
        """Nothing to do."""

    def renewed(self, work: str, until: float) -> None:
        """Nothing to do."""

    def lost(self, work: str, reason: str) -> None:
        """Nothing to do."""


def test_three_members_share_what_there_is(redis: RedisServer) -> None:
    """Leases over real Redis: each work has one holder, also after one has left."""
    clients = [RedisLeases(lambda: parse(redis.url), "three") for _ in range(3)]
    asyncio.run(clients[0].renew("nobody", {}))
    redis.ask("DEL", "{three}:warming")
    members = [
        Leases(f"m{place}", client, Quiet(), lambda _work: False)
        for place, client in enumerate(clients)
    ]
    for member in members:
        for place in range(6):
            member.add(Share(f"w{place}", 300.0, 100))

    async def main() -> None:
        for _ in range(4):
            for member in members:
                await member.step()
        assert [len(member.held) for member in members] == [2, 2, 2]
        await members[0].leave()
        for _ in range(3):
            for member in members[1:]:
                await member.step()
        assert [len(member.held) for member in members] == [0, 3, 3]
        assert not members[1].held & members[2].held

    asyncio.run(main())
    for client in clients:
        asyncio.run(client.aclose())


@pytest.mark.parametrize("kind", ["redis", "redis+cluster"])
def test_a_redis_that_is_away_is_an_error_without_a_secret(kind: str) -> None:
    """The password of its URL is in no message."""
    url = f"{kind}://user:very-secret@127.0.0.1:1"
    client = RedisLeases(lambda: parse(url), "away")
    with pytest.raises(StoreError, match=r"^cannot use Redis at 127.0.0.1:1: ") as caught:
        asyncio.run(client.beat("a", FOREVER_S, 0))
    assert "very-secret" not in str(caught.value)


def test_a_new_password_needs_no_restart(tmp_path: Path) -> None:
    """The address is read again after a failure, and what is connected then is left."""
    require_redis()
    with RedisServer(tmp_path / "own") as redis:
        urls = ["redis://:before@127.0.0.1", redis.url]
        client = RedisLeases(lambda: parse(urls.pop(0)), "password")
        urls[0] += f":{redis.port}"

        async def main() -> None:
            with pytest.raises(StoreError, match=r"cannot use Redis at .*password"):
                await client.beat("a", FOREVER_S, 0)
            assert await client.beat("a", FOREVER_S, 0) == {"a": 0}
            await client.aclose()

        asyncio.run(main())
