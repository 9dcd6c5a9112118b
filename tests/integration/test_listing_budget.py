"""Listings that ask only for rooms worth a request: over real HTTP, and of a real server."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from exporter.outcome import Listing, Outcome, Reason
from exporter.probe import Run
from exporter.probes.agents.measure import list_agents
from exporter.probes.agents.picture import NOTHING, OLDEST_S, Picture
from exporter.probes.agents.spec import AgentsConfig
from exporter.server_api import Server
from tests.fake_rooms import FakeRoom, FakeServer
from tests.integration.exporters import Start, value
from tests.patience import comes_true

CLOUD_PER_MINUTE = 1000
"""https://docs.livekit.io/cloud/quotas-and-limits: API requests of one project."""
_INTERVAL_S = 15.0


@dataclass
class Clock:
    """Time that passes between listings only."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return it."""
        return self.now


@dataclass
class Lister:
    """Lists a server again and again, each time with what is known from before."""

    server: Server
    clock: Callable[[], float]
    config: AgentsConfig = field(default_factory=AgentsConfig)
    picture: Picture = NOTHING

    async def list(self) -> Outcome:
        """List once more."""
        deadline = self.clock() + 60
        before = self.picture
        run = Run("0123", self.server, deadline, before=before, clock=self.clock)
        outcome = await list_agents(self.config, run)
        assert isinstance(outcome.kept, Picture)
        self.picture = outcome.kept
        return replace(outcome, kept=None)


def _run(
    scenario: Callable[[FakeServer, Lister, Clock], Awaitable[None]],
    per_minute: int = CLOUD_PER_MINUTE,
) -> None:
    async def served() -> None:
        clock = Clock()
        fake = FakeServer(clock, per_minute, time.time)
        async with fake.serve() as server:
            await scenario(fake, Lister(server, clock), clock)

    asyncio.run(served())


def _found(outcome: Outcome) -> Listing:
    assert outcome.ok, outcome.detail
    assert isinstance(outcome.result, Listing)
    return outcome.result


_NO_CHANGE: tuple[list[FakeRoom], list[FakeRoom]] = ([], [])


def _change(fake: FakeServer, number: int) -> tuple[list[FakeRoom], list[FakeRoom]]:
    """Let some calls end, others begin, an agent leave its caller; return the new and those."""
    rooms = list(fake.rooms.values())
    for room in rooms[:5]:
        del fake.rooms[room.name]
    begun = [fake.open(agent="demo") for _ in range(5)]
    left = rooms[10 + number]
    left.agent, left.since_s = "", 300
    return begun, [left]


@pytest.mark.parametrize(
    "share",
    [
        pytest.param(0.2, id="a fifth of all"),
        pytest.param(1, marks=pytest.mark.long, id="1,000 rooms"),
    ],
)
def test_a_thousand_rooms_take_no_request_too_many(share: float) -> None:
    """1. 1,000 rooms at a server with the limit of LiveKit Cloud. 2. Calls begin, end and break.

    Result: in seven minutes nothing is refused, the budget holds in every minute, each change that
    the list shows is known at once, and no room is older than five minutes and a bit.
    """

    async def scenario(fake: FakeServer, lister: Lister, clock: Clock) -> None:
        lister.config = AgentsConfig(requests_per_minute=round(600 * share))
        rooms = round(1000 * share)
        for _ in range(rooms):
            fake.open(agent="demo", since_s=60)
        whole_after = None
        for number in range(28):
            begun, left = _change(fake, number) if whole_after is not None else _NO_CHANGE
            found = _found(await lister.list())
            assert found.rooms == rooms
            if whole_after is None and not found.unread:
                whole_after = number
            if whole_after is not None:
                assert {each.name for each in begun} <= {each.room for each in found.agents}
                assert {each.name for each in left} <= {each.room for each in found.alone}
                assert len(found.agents) == rooms - len(found.alone)
                assert found.oldest_s < OLDEST_S + 4 * _INTERVAL_S
            clock.now += _INTERVAL_S
        assert fake.refused == 0
        assert whole_after is not None
        assert fake.most <= lister.config.requests_per_minute

    _run(scenario, round(CLOUD_PER_MINUTE * share))


def test_rooms_not_read_yet_are_unknown() -> None:
    """A first listing reads what its budget allows: a caller in another room is not alone."""

    async def scenario(fake: FakeServer, lister: Lister, _clock: Clock) -> None:
        for _ in range(100):
            fake.open(since_s=60)
        lister.config = AgentsConfig(requests_per_minute=120)
        found = _found(await lister.list())
        assert found.unread == 100 - len(found.alone)
        assert 10 < len(found.alone) < 20

    _run(scenario)


def test_quiet_rooms_cost_one_request_each_and_no_dispatches() -> None:
    """1. Thirty calls. 2. Again. Result: the second listing asks for nobody's dispatches."""

    async def scenario(fake: FakeServer, lister: Lister, clock: Clock) -> None:
        for _ in range(30):
            fake.open(agent="demo")
        first = _found(await lister.list())
        fake.requests.clear()
        clock.now += _INTERVAL_S
        second = _found(await lister.list())
        assert fake.requests == Counter(ListRooms=1, ListParticipants=30)
        assert [each.identity for each in second.agents] == [each.identity for each in first.agents]
        assert {each.worker_id for each in second.agents} == {"AW_demo"}
        assert dict(second.requests) == {"ok": 31}

    _run(scenario)


def test_with_webhooks_quiet_rooms_are_read_once_a_minute() -> None:
    """Webhooks tell of changes: the room of an event is asked for, whatever its row says."""

    async def scenario(fake: FakeServer, lister: Lister, clock: Clock) -> None:
        rooms = [fake.open(agent="demo") for _ in range(20)]
        await lister.list()
        fake.requests.clear()
        for room in rooms[:3]:
            clock.now += _INTERVAL_S
            room.agent = "other"
            touched = frozenset({room.sid})
            lister.picture = replace(lister.picture, has_events=True, touched=touched)
            found = _found(await lister.list())
            assert room.name in {each.room for each in found.agents if each.agent_name == "other"}
        assert fake.requests["ListParticipants"] == 3
        clock.now += _INTERVAL_S
        lister.picture = replace(lister.picture, has_events=True)
        await lister.list()
        assert fake.requests["ListParticipants"] == 3 + 17

    _run(scenario)


def test_a_server_that_refuses_leaves_an_older_picture() -> None:
    """1. A server refuses all requests and asks for a pause. 2. The pause ends.

    Result: what was known stays, nobody is alone, nothing is sent during the pause.
    """

    async def scenario(fake: FakeServer, lister: Lister, clock: Clock) -> None:
        for _ in range(5):
            fake.open(agent="demo", since_s=60)
        await lister.list()
        clock.now += _INTERVAL_S
        fake.down, fake.retry_after_s = True, 40
        refused = await lister.list()
        assert isinstance(refused.result, Listing)
        assert refused.reason is Reason.QUOTA_EXCEEDED
        assert (len(refused.result.agents), refused.result.alone) == (5, ())
        assert refused.result.oldest_s == _INTERVAL_S
        assert dict(refused.result.requests) == {"refused": 1}

        lister.picture = replace(lister.picture, not_before=clock.now + 40)
        clock.now += _INTERVAL_S
        waits = await lister.list()
        assert (waits.reason, fake.refused) == (Reason.QUOTA_EXCEEDED, 1)
        assert waits.detail == "the server asked for no requests during the next 25 s"

        fake.down = False
        clock.now += 30
        assert _found(await lister.list()).oldest_s == 0

    _run(scenario)


def test_the_first_refusal_of_many_ends_the_listing_and_keeps_what_was_read() -> None:
    """A limit below the budget: what was read before it was met is kept, and read on later."""

    async def scenario(fake: FakeServer, lister: Lister, clock: Clock) -> None:
        fake.retry_after_s = 20
        for _ in range(40):
            fake.open(agent="demo", since_s=60)
        cut = await lister.list()
        assert cut.reason is Reason.QUOTA_EXCEEDED
        assert isinstance(cut.result, Listing)
        assert 0 < cut.result.unread < 40
        for _ in range(6):
            clock.now += 60
            lister.picture = replace(lister.picture, not_before=0.0)
            await lister.list()
        assert not lister.picture.unread
        assert len(lister.picture.rooms) == 40

    _run(scenario, per_minute=31)


@pytest.mark.parametrize(
    ("per_minute", "why"),
    [
        (60, "agents.requests_per_minute is used up; increase it, or agents.deadline"),
        (0, "not finished within 1.5 s"),
    ],
)
def test_a_listing_that_is_alone_keeps_what_it_read_until_its_deadline(
    per_minute: int, why: str
) -> None:
    """1. A limit of its own, or a server that is slow, cuts it. Result: what was read, and why."""

    async def scenario(fake: FakeServer, lister: Lister, _clock: Clock) -> None:
        for _ in range(200):
            fake.open(agent="demo", since_s=60)
        fake.takes_s = 0.0 if per_minute else 0.05
        config = AgentsConfig(requests_per_minute=per_minute, concurrency=2)
        cut = await list_agents(config, Run("0123", lister.server, time.monotonic() + 1.5))
        assert isinstance(cut.result, Listing)
        assert 0 < cut.result.unread < 200
        assert cut.reason is (Reason.QUOTA_EXCEEDED if per_minute else Reason.DEADLINE)
        assert cut.detail == f"{cut.result.unread} of 200 rooms not read: {why}"

    _run(scenario, per_minute=10_000)


_CONFIG = """
agents: {interval: 1s}
sfu: {enabled: false}
reach: {enabled: false}
reconnect: {enabled: false}
store: {enabled: false}
"""


def test_an_exporter_hands_the_picture_from_process_to_process(
    start: Start, tmp_path: Path
) -> None:
    """1. An exporter lists five calls. 2. It lists them again. Result: dispatches are known."""

    async def scenario(fake: FakeServer, lister: Lister, _clock: Clock) -> None:
        for _ in range(5):
            fake.open(agent="demo")
        server = lister.server
        config = tmp_path / "config.yaml"
        config.write_text(_CONFIG)
        command = "exporter", "serve", f"--config={config}", "--web.listen-address=127.0.0.1:0"
        exporter = await asyncio.to_thread(
            start,
            *command,
            LIVEKIT_URL=server.url,
            LIVEKIT_API_KEY=server.api_key,
            LIVEKIT_API_SECRET=server.api_secret,
        )
        await comes_true(lambda: fake.requests["ListRooms"] >= 4)
        page = (await asyncio.to_thread(exporter.get, "/metrics")).text
        assert await asyncio.to_thread(exporter.stop) == 0
        assert fake.requests["ListDispatch"] == 5
        assert fake.requests["ListParticipants"] >= 15
        assert value(page, "voice_listing_unread_rooms") == 0
        assert value(page, 'voice_listing_requests_total{outcome="ok"') >= 1 + 10 + 2 * 6
        listening = [line for line in page.splitlines() if 'state="listening"' in line]
        assert [line.rpartition(" ")[2] for line in listening] == ["5.0"]

    _run(scenario, per_minute=10_000)
