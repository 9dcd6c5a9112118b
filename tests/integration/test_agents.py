"""Listing what a real server holds: agents, humans, rooms, dispatches that nobody took."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields, replace
from math import inf
from uuid import uuid4

import pytest
from livekit import rtc
from livekit.api import AccessToken, VideoGrants

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.livekit_server import LiveKitServer
from exporter.errors import ProbeError
from exporter.outcome import AgentInRoom, Listing, Outcome, Reason
from exporter.probe import Run
from exporter.probes.agents.measure import list_agents
from exporter.probes.agents.picture import NOTHING, Picture
from exporter.probes.agents.spec import AgentsConfig
from exporter.server_api import ParticipantKind, Server, ServerApi, delete_rooms
from tests import patience

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", name="server")
def _server(
    livekit_program: ServerProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server of this file's own, so that whole listings can be compared."""
    with LiveKitServer(livekit_program, tmp_path_factory.mktemp("agents")) as running:
        yield running.server


@pytest.fixture(name="room")
def _room() -> str:
    """The name of a room that no other test uses."""
    return f"room-{uuid4().hex[:8]}"


@asynccontextmanager
async def joined(
    server: Server,
    room: str,
    identity: str,
    *,
    kind: ParticipantKind = "standard",
    attributes: Mapping[str, str] | None = None,
    hidden: bool = False,
) -> AsyncIterator[rtc.Room]:
    """Be a participant of a room for the length of the block; it may change its attributes."""
    grants = VideoGrants(
        room_join=True,
        room=room,
        hidden=hidden,
        agent=kind == "agent",
        can_update_own_metadata=True,
    )
    token = (
        AccessToken(server.api_key, server.api_secret)
        .with_identity(identity)
        .with_kind(kind)
        .with_attributes(dict(attributes or {}))
        .with_grants(grants)
        .to_jwt()
    )
    client = rtc.Room()
    await client.connect(server.url, token, rtc.RoomOptions(auto_subscribe=False))
    try:
        yield client
    finally:
        await client.disconnect()


async def _outcome(server: Server) -> Outcome:
    run = Run(id="test", server=server, deadline=time.monotonic() + 30)
    return await list_agents(AgentsConfig(), run)


async def _listing(server: Server, ready: Callable[[Listing], bool]) -> Listing:
    """List until the server shows what it was told."""
    async with asyncio.timeout(patience.WAIT_S):
        while True:
            outcome = await _outcome(server)
            assert outcome.reason is None, outcome.detail
            assert isinstance(outcome.result, Listing)
            if ready(outcome.result):
                return outcome.result
            await asyncio.sleep(0.05)


def _agents(listing: Listing, room: str) -> list[AgentInRoom]:
    return [agent for agent in listing.agents if agent.room == room]


def test_agents_are_named_from_either_attribute_with_their_state(server: Server, room: str) -> None:
    """The server's and the worker's attribute both name an agent; state and age are told."""

    async def scenario() -> Listing:
        async with AsyncExitStack() as stack:
            for identity, attributes in {
                "a": {"lk.agent_name": "by-server", "lk.agent.state": "listening"},
                "b": {"lk.agent.name": "by-worker", "lk.agent.state": "thinking"},
                "c": {"lk.agent_name": "", "lk.agent.name": "by-both"},
                "d": {"lk.agent_name": ""},
            }.items():
                await stack.enter_async_context(
                    joined(server, room, identity, kind="agent", attributes=attributes)
                )
            return await _listing(server, lambda found: len(_agents(found, room)) == 4)

    agents = _agents(asyncio.run(scenario()), room)
    assert [(each.agent_name, each.identity, each.state) for each in agents] == [
        ("", "d", ""),
        ("by-both", "c", ""),
        ("by-server", "a", "listening"),
        ("by-worker", "b", "thinking"),
    ]
    assert all(0 <= each.age_s < patience.WAIT_S for each in agents)


def test_humans_are_visible_standard_and_sip_participants(server: Server, room: str) -> None:
    """Observers, recorders, feeds, agents and avatars are not humans; all count by kind."""

    async def scenario() -> Listing:
        async with AsyncExitStack() as stack:
            kinds: tuple[ParticipantKind, ...] = ("standard", "sip", "egress", "ingress")
            for kind in kinds:
                await stack.enter_async_context(joined(server, room, kind, kind=kind))
            await stack.enter_async_context(joined(server, room, "observer", hidden=True))
            await stack.enter_async_context(
                joined(server, room, "agent", kind="agent", attributes={"lk.agent.name": "x"})
            )
            await stack.enter_async_context(
                joined(
                    server,
                    room,
                    "avatar",
                    kind="agent",
                    attributes={"lk.publish_on_behalf": "agent"},
                )
            )
            return await _listing(server, lambda found: sum(dict(found.participants).values()) == 7)

    listing = asyncio.run(scenario())
    assert [(each.identity, each.humans) for each in _agents(listing, room)] == [("agent", 2)]
    assert dict(listing.participants) == {
        "agent": 2,
        "egress": 1,
        "ingress": 1,
        "sip": 1,
        "standard": 2,
    }


def test_a_state_that_changes_is_seen_by_the_next_listing(server: Server, room: str) -> None:
    """An agent's state is the present one, not that of its joining."""

    async def scenario() -> Listing:
        attributes = {"lk.agent.name": "x", "lk.agent.state": "initializing"}
        async with joined(server, room, "a", kind="agent", attributes=attributes) as client:
            await _listing(server, lambda found: len(_agents(found, room)) == 1)
            await client.local_participant.set_attributes({"lk.agent.state": "listening"})
            return await _listing(
                server, lambda found: _agents(found, room)[0].state != "initializing"
            )

    assert _agents(asyncio.run(scenario()), room)[0].state == "listening"


def test_a_caller_is_alone_until_an_agent_comes_and_an_agent_silent_until_it_publishes(
    server: Server, room: str
) -> None:
    """By the server's own list of participants and tracks; a muted track is no voice."""

    def waits(found: Listing) -> bool:
        return any(each.room == room for each in found.alone)

    def speaks(found: Listing) -> list[bool]:
        return [each.has_audio for each in _agents(found, room)]

    async def scenario() -> None:
        attributes = {"lk.agent.name": "x"}
        async with joined(server, room, "caller", kind="sip"):
            await _listing(server, waits)
            async with joined(server, room, "a", kind="agent", attributes=attributes) as client:
                await _listing(server, lambda found: speaks(found) == [False] and not waits(found))
                track = rtc.LocalAudioTrack.create_audio_track("voice", rtc.AudioSource(48000, 1))
                options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
                await client.local_participant.publish_track(track, options)
                await _listing(server, lambda found: speaks(found) == [True])
                track.mute()
                await _listing(server, lambda found: speaks(found) == [False])
                track.unmute()
                await _listing(server, lambda found: speaks(found) == [True])
            await _listing(server, waits)

    asyncio.run(scenario())


def test_a_dispatch_that_nobody_takes_is_pending_until_the_agent_is_there(
    server: Server, room: str
) -> None:
    """Each dispatch by name without agent is pending once; one agent answers one of them."""

    async def scenario() -> tuple[Listing, Listing]:
        async with ServerApi(server) as api:
            await api.create_room(room)
            for name in ("here", "nobody", "nobody"):
                await api.create_dispatch(room, name)
            before = await _listing(server, lambda found: len(found.pending) == 3)
            attributes = {"lk.agent.name": "here"}
            async with joined(server, room, "a", kind="agent", attributes=attributes):
                after = await _listing(server, lambda found: len(found.pending) != 3)
            await api.delete_room(room)
        return before, after

    before, after = asyncio.run(scenario())
    assert [each.agent_name for each in before.pending] == ["here", "nobody", "nobody"]
    assert [each.agent_name for each in after.pending] == ["nobody", "nobody"]
    assert all(each.room == room and 0 <= each.age_s < patience.WAIT_S for each in after.pending)
    assert before.agents == ()


def _same(listing: Listing) -> Listing:
    """Return a listing without what differs from moment to moment."""
    return replace(
        listing,
        agents=tuple(replace(each, age_s=0, seen_s=0) for each in listing.agents),
        alone=tuple(sorted((replace(each, age_s=0, seen_s=0) for each in listing.alone), key=str)),
        pending=tuple(replace(each, age_s=0) for each in listing.pending),
        without_human=tuple(
            sorted((replace(each, age_s=0) for each in listing.without_human), key=str)
        ),
        requests=(),
        oldest_s=0,
    )


def _apart(found: Listing, whole: Listing) -> dict[str, tuple[object, object]]:
    """Return the fields that differ."""
    pairs = {
        each.name: (getattr(found, each.name), getattr(whole, each.name))
        for each in fields(Listing)
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def test_listings_that_ask_for_what_changed_come_to_the_same_as_whole_ones(
    server: Server, room: str
) -> None:
    """1. A caller comes. 2. Its agent, who speaks. 3. A dispatch that nobody takes. 4. It leaves.

    Result: after each, listings with webhooks, which read only rooms that the list shows as
    changed or that wait, come to what a whole listing says, with fewer requests (all rooms are new
    here: those of a minute ago would be fewer still).
    """
    sent: Counter[str] = Counter()

    async def scenario() -> None:
        picture = NOTHING

        async def list_changes() -> Listing:
            nonlocal picture
            before = replace(picture, has_events=True, allowance=inf)
            run = Run("test", server, time.monotonic() + 30, before=before)
            outcome = await list_agents(AgentsConfig(), run)
            assert isinstance(outcome.result, Listing), outcome.detail
            assert isinstance(outcome.kept, Picture)
            picture = outcome.kept
            sent["by changes"] += sum(dict(outcome.result.requests).values())
            return outcome.result

        async def settle(ready: Callable[[Listing], bool]) -> None:
            until = time.monotonic() + patience.WAIT_S
            while True:
                found, whole = await list_changes(), await _listing(server, lambda _: True)
                sent["whole"] += sum(dict(whole.requests).values())
                if ready(whole) and _same(found) == _same(whole):
                    return
                assert time.monotonic() < until, _apart(_same(found), _same(whole))
                await asyncio.sleep(0.2)

        async with ServerApi(server) as api:
            others = [f"{room}-{number}" for number in range(5)]
            for name in others:
                await api.create_room(name, empty_timeout_s=120)
            await settle(lambda found: found.rooms >= 5)
            async with joined(server, room, "caller", kind="sip"):
                await settle(lambda found: len(found.alone) == 1)
                attributes = {"lk.agent.name": "x"}
                async with joined(server, room, "a", kind="agent", attributes=attributes) as client:
                    source = rtc.AudioSource(48000, 1)
                    track = rtc.LocalAudioTrack.create_audio_track("voice", source)
                    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
                    await client.local_participant.publish_track(track, options)
                    await settle(lambda found: [each.has_audio for each in found.agents] == [True])
                    await api.create_dispatch(f"{room}-new", "nobody")
                    await settle(lambda found: [each.room for each in found.pending] != [])
                await settle(lambda found: len(found.alone) == 1 and not found.agents)
            await settle(lambda found: not found.alone)
        await delete_rooms(server, [*others, room, f"{room}-new"])

    asyncio.run(scenario())
    assert sent["by changes"] < sent["whole"]


def test_fifty_rooms_are_listed_at_once(server: Server, room: str) -> None:
    """Fifty rooms with a dispatch each are counted; how fast, `make bench-listing` says."""

    async def scenario() -> Listing:
        names = [f"{room}-{number}" for number in range(50)]
        async with ServerApi(server) as api:
            for name in names:
                await api.create_room(name)
                await api.create_dispatch(name, "nobody")
            outcome = await _outcome(server)
            for name in names:
                await api.delete_room(name)
        assert isinstance(outcome.result, Listing), outcome.detail
        return outcome.result

    listing = asyncio.run(scenario())
    assert listing.rooms >= 50
    assert sum(each.room.startswith(room) for each in listing.pending) == 50


def test_rooms_that_vanish_during_a_listing_are_no_failure(server: Server, room: str) -> None:
    """Rooms deleted while the server is being listed are left out, and the listing succeeds."""

    async def scenario() -> list[Outcome]:
        names = [f"{room}-{number}" for number in range(30)]
        outcomes: list[Outcome] = []
        async with asyncio.timeout(patience.WAIT_S), ServerApi(server) as api:
            while not any("room is closed" in line for outcome in outcomes for line in outcome.log):
                await asyncio.gather(*(api.create_room(name) for name in names))
                listed, *_ = await asyncio.gather(_outcome(server), delete_rooms(server, names))
                outcomes.append(listed)
        return outcomes

    outcomes = asyncio.run(scenario())
    assert {outcome.detail for outcome in outcomes} == {""}
    assert all(isinstance(outcome.result, Listing) for outcome in outcomes)


def test_wrong_credentials_are_a_reason_and_appear_nowhere(server: Server) -> None:
    """A wrong secret, an unknown key and an empty key are auth_failed, in one line each."""
    for wrong in (
        replace(server, api_secret="not-the-secret-of-this-server-at-all"),  # noqa: S106
        replace(server, api_key="APInobody"),
        replace(server, api_key=""),
        replace(server, api_secret=""),
    ):
        outcome = asyncio.run(_outcome(wrong))
        assert outcome.reason is Reason.AUTH_FAILED
        assert outcome.result is None
        told = "\n".join((outcome.detail, *outcome.log))
        assert "not-the-secret" not in told
        assert "eyJ" not in told
        assert outcome.detail.count("\n") == 0


def test_a_server_that_is_not_there_is_a_reason(server: Server) -> None:
    """A closed port, a missing host, TLS against plain and a bad URL are connect_failed."""
    details = {}
    for url in (
        "ws://127.0.0.1:1",
        "ws://nowhere.invalid",
        server.url.replace("ws://", "wss://"),
        "ftp://127.0.0.1",
        "127.0.0.1:7880",
        "http://user:s3cr3t@127.0.0.1:1",
        "http://a..b",
        "http://[::1",
    ):
        outcome = asyncio.run(_outcome(replace(server, url=url)))
        assert outcome.reason is Reason.CONNECT_FAILED, url
        details[url] = outcome.detail
    assert details["ws://127.0.0.1:1"] == (
        "list rooms at 127.0.0.1:1: no connection (Connection refused)"
    )
    assert "is it plain http or ws?" in details[server.url.replace("ws://", "wss://")]
    assert not any("s3cr3t" in detail for detail in details.values())


def test_limits_of_the_server_are_api_failures_with_its_words(server: Server, room: str) -> None:
    """Too long a room name and too much dispatch metadata are api_failed, not refusals."""

    async def scenario() -> list[ProbeError]:
        errors = []
        async with ServerApi(server) as api:
            for attempt in (
                lambda: api.create_room("r" * 257),
                lambda: api.create_dispatch(room, "x", "m" * (512 * 1024 + 1)),
            ):
                with pytest.raises(ProbeError) as caught:
                    await attempt()
                errors.append(caught.value)
        return errors

    errors = asyncio.run(scenario())
    assert [error.reason for error in errors] == [Reason.API_FAILED] * 2
    assert "room name length exceeds limits: max length 256" in errors[0].detail
    assert errors[1].detail.startswith("create dispatch at 127.0.0.1:")
    assert all(len(error.detail) < 300 for error in errors)


def test_rooms_of_killed_probes_are_deleted_and_missing_ones_ignored(
    server: Server, room: str
) -> None:
    """`delete_rooms` deletes what is there, takes what is not for done, and names failures."""

    async def scenario() -> tuple[str, ...]:
        async with ServerApi(server) as api:
            await api.create_room(room)
            assert await delete_rooms(server, [room, "never-was", room]) == ()
            return await api.list_rooms([room])

    assert asyncio.run(scenario()) == ()
    gone = replace(server, url="ws://127.0.0.1:1")
    assert asyncio.run(delete_rooms(gone, ["a", "b"])) == ("a", "b")
