"""One story for each limit of time of the prober: a wait in vain, in which the prober stands still.

On the virtual clock: a standstill is time that passes while no code runs. Nothing else is made up
but what does not come.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, cast
from unittest.mock import patch

import httpx
from livekit import rtc
from livekit.protocol.rtc import SignalResponse
from livekit.rtc.participant import PublishDataError, PublishTrackError

from exporter.errors import ProbeError
from exporter.limits import AWAY_S, SHARE, SOUND_S, Limit, Spoils
from exporter.outcome import (
    Outcome,
    Reason,
    Reconnect,
    SfuReach,
    SfuReconnects,
    Transport,
    Verdict,
    WorkerScrape,
)
from exporter.probe import Run
from exporter.probes import PROBES
from exporter.probes.latency.breaks import break_connection
from exporter.probes.latency.listening import Listening
from exporter.probes.latency.scenarios.config import ScenarioConfig
from exporter.probes.latency.scenarios.variants import variant_of
from exporter.probes.latency.speaking import RefusedError, Speaking
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.latency.way_in.config import TokenConfig
from exporter.probes.latency.way_in.fetch import fetch_token
from exporter.probes.preflight.webhook import WITHIN_S, Listener
from exporter.probes.ramp.clients import RoomOfClients
from exporter.probes.ramp.messages import ConnectClients, RoomSize, Setup
from exporter.probes.ramp.tier import Tier
from exporter.probes.ramp.worker import Worker
from exporter.probes.reach.measure import Ways, read_certificate
from exporter.probes.reconnect.measure import charged
from exporter.probes.workers.measure import read_workers
from exporter.probes.workers.spec import WorkersConfig
from exporter.rtc import connection, signalling
from exporter.rtc.client import STATS_TIMEOUT_S, Client
from exporter.rtc.gaps import not_back
from exporter.rtc.lag import LagMonitor
from exporter.rtc.pings import Pinger
from exporter.rtc.signalling import Joined, join_and_leave, may_publish
from exporter.rtc.stats import Candidate, Snapshot
from exporter.rtc.stats import Path as MediaPath
from exporter.server_api import ServerApi
from exporter.server_api.client import REQUEST_TIMEOUT_S
from tests import virtual_time
from tests.fake_call.api import SERVER
from tests.fake_call.calls import World, place, target, watched
from tests.fake_call.room import FakeRoom
from tests.fake_call.script import Script
from tests.unit.calls import judged
from tests.virtual_time import Clock

BEGIN_S = 0.1
"""From the begin of a wait to the standstill in it."""
NEVER_S = 86_400.0

Patches = Callable[[], tuple[AbstractContextManager[Any], ...]]
"""What is not there in a story."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a wait in vain."""

    verdict: Verdict
    reason: Reason | None
    """None where an item of a checklist says it all."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """A wait in vain.

    Attributes:
        limit_s: How long is waited.
        tell: Called with how long the prober stands still meanwhile, and the caller's words.
    """

    limit_s: float
    tell: Callable[[float, Path], Told]

    def bounds_s(self, limit: Limit) -> tuple[float, float]:
        """Return a standstill that does not spoil the wait, and one that does."""
        most_s = {
            Spoils.SHARE: SHARE * self.limit_s,
            Spoils.SOUND: SOUND_S,
            Spoils.AWAY: AWAY_S,
        }[limit.spoils]
        return 0.8 * most_s, 1.2 * most_s + 0.1


def charged_to_server(detail: str) -> Told:
    """Return what an item of a checklist says that holds the server to blame."""
    return Told(Verdict.FAIL, None, detail)


def _of(error: ProbeError) -> Told:
    own = error.reason.is_own_fault
    return Told(Verdict.UNKNOWN if own else Verdict.FAIL, error.reason, error.detail)


def _wait(
    limit_s: float, wait: Callable[[], Awaitable[Told | None]], patches: Patches = tuple
) -> Story:
    """Return the story of a wait by itself, which ends by a ProbeError or tells what it found."""

    def tell(seconds: float, _wav: Path) -> Told:
        async def story(clock: Clock) -> Told:
            asyncio.get_running_loop().call_later(BEGIN_S, clock.advance, seconds)
            try:
                found = await wait()
            except ProbeError as error:
                return _of(error)
            assert found is not None, "nothing went wrong"
            return found

        with ExitStack() as stack:
            for each in patches():
                stack.enter_context(each)
            return virtual_time.run(watched(story))

    return Story(limit_s, tell)


def _call(
    limit_s: float,
    agent: Script,
    world: Callable[[float], World] = lambda _seconds: World(),
    blocks_at_s: float | None = None,
    scenario: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Story:
    """Return the story of a whole call.

    Args:
        limit_s: How long is waited.
        agent: What it does.
        world: Made by how long the prober stands still in it.
        blocks_at_s: When it does, after the end of the first utterance; if not by the world.
        scenario: Of the call.
        settings: Of the target.
    """

    def tell(seconds: float, wav: Path) -> Told:
        says = {} if "script" in settings else {"utterance": {"wav": wav}}
        config: LatencyConfig = target(**says, warmup=False, **settings)
        if scenario is not None:
            config = variant_of(config, ScenarioConfig(**scenario))
        does = agent
        if blocks_at_s is not None and seconds:
            does = replace(agent, blocks=((blocks_at_s, seconds),))
        placed = place(does, world(seconds), config)
        outcome = judged(placed.outcome, config)
        return Told(outcome.verdict, outcome.reason, outcome.detail)

    return Story(limit_s, tell)


async def _never(*_: object, **__: object) -> Any:
    """Do not come to an end."""
    await asyncio.sleep(NEVER_S)


def _client() -> Client:
    client = Client("a")
    client.room = FakeRoom()
    return client


def _run_of(seconds: float) -> Run:
    """Return a run that has so long, on the virtual clock."""
    now = time.monotonic()
    return Run("r1", SERVER, now + seconds, clock=time.monotonic, started=now)


async def _request() -> None:
    await ServerApi(SERVER)._ask("list rooms", _never)


class _Session:
    """An HTTP session whose WebSocket opens, and tells nothing after the join; or does not open."""

    def __init__(self, *, opens: bool) -> None:
        self._opens = opens

    async def ws_connect(self, _place: str, **_more: object) -> "_Session":
        if not self._opens:
            await _never()
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Free nothing."""

    async def receive(self) -> SimpleNamespace:
        joined = SignalResponse()
        joined.join.SetInParent()
        return SimpleNamespace(data=joined.SerializeToString())

    async def send_bytes(self, _message: bytes) -> None:
        """Take it."""

    def __aiter__(self) -> "_Session":
        return self

    __anext__ = staticmethod(_never)


def _session(*, opens: bool) -> Patches:
    return lambda: (patch.object(signalling, "open_session", lambda _: _Session(opens=opens)),)


async def _signal() -> None:
    await join_and_leave(SERVER, "token", 8.0)


async def _permission() -> Told:
    assert await may_publish(SERVER, "token", 4.0) is False
    return charged_to_server("a track was refused")


async def _connection() -> None:
    await connection.connect(FakeRoom(endless=True), "ws://livekit.test", "token", 10.0)


class _GivesUp(FakeRoom):
    """A room whose SDK says in its own words that nobody could enter."""

    async def connect(self, url: str, token: str, options: object = None) -> None:
        """Try, and give up.

        Raises:
            ConnectError: Always.
        """
        await asyncio.sleep(9.0)
        await super().connect(url, token, options)


async def _given_up() -> None:
    room = _GivesUp("engine: signal failure: the stream was closed")
    await connection.connect(room, "ws://livekit.test", "token", 10.0)


async def _unpublished() -> None:
    async def publish(*_: object) -> None:
        await asyncio.sleep(9.0)
        raise PublishTrackError("engine is closed")

    await _client().publish(1, 10.0, cast("Any", SimpleNamespace(publish=publish)))


async def _publishing() -> None:
    noise = SimpleNamespace(publish=_never)
    await _client().publish(1, 10.0, cast("Any", noise))


async def _first_sound() -> None:
    await _client().heard(10.0)


async def _statistics() -> None:
    client = _client()
    client.room.get_rtc_stats = _never  # type: ignore[method-assign]  # nothing else is asked
    await client.read()


async def _seat() -> None:
    setup = Setup(
        url=SERVER.url,
        api_key="k",
        api_secret=SERVER.api_secret,
        ping_interval_s=1,
        connect_timeout_s=NEVER_S,
    )
    worker = Worker(setup, 1)
    await worker._grow(ConnectClients(rooms=(RoomSize(room="r", size=1),), within_s=20.0))
    (seat,) = worker._rooms["r"].seats
    assert seat.error is not None
    raise seat.error


def _seats() -> tuple[AbstractContextManager[Any], ...]:
    return (
        patch.object(RoomOfClients, "connect", _never),
        patch("exporter.probes.ramp.worker.tell", lambda *_: None),
        patch("exporter.probes.ramp.worker.Noise", SimpleNamespace),
    )


async def _token() -> None:
    config = TokenConfig(url="https://app.test/token", timeout=10.0)
    await fetch_token(config, "r", transport=httpx.MockTransport(_never))


class _Mute:
    """A line whose agent takes no RPC in time."""

    async def sleep_until_change(self, timeout_s: float) -> None:
        await asyncio.sleep(max(0.0, timeout_s))

    async def perform(self, _method: str, timeout_s: float) -> str:
        await asyncio.sleep(timeout_s)
        return "Response timeout"

    def disturbance(self) -> str:
        return ""


async def _rpc() -> None:
    try:
        await Speaking(Listening(cast("Any", _Mute()), 1.0)).perform("start_turn")
    except RefusedError as refused:
        raise refused.error from None


async def _lost() -> None:
    client = _client()
    await asyncio.sleep(30.0)
    client._on_disconnected(rtc.DisconnectReason.STATE_MISMATCH)
    client.check()


async def _no_statistics() -> None:
    await asyncio.sleep(30.0)
    await _client().read()  # it is in no room


class _Shut:
    """A client whose messages cannot be sent any more."""

    identity = "b"

    def __init__(self) -> None:
        self.room = SimpleNamespace(local_participant=self)

    def on_data(self, _take: object) -> None:
        """Take it."""

    async def publish_data(self, _payload: bytes, **_more: object) -> None:
        raise PublishDataError("engine is closed")


async def _no_message() -> None:
    await asyncio.sleep(30.0)
    client = cast("Any", _Shut())
    await Pinger(client, client, LagMonitor()).ping()


async def _no_client() -> None:
    room = RoomOfClients("r", SERVER, cast("Any", None))
    room.widen(1)
    (seat,) = room.seats
    client = seat.client = _client()
    await client.room.connect("ws://livekit.test", "token", rtc.RoomOptions())
    tier = Tier((room,), LagMonitor(), NEVER_S)
    asyncio.get_running_loop().call_later(29.0, setattr, client.room, "_inside", False)
    await tier.hold(30.0, lambda _: None)
    (found,) = tier.members()
    assert found.reason is not None
    raise ProbeError(found.reason, "a client of the ramp")


def _no_quality() -> tuple[AbstractContextManager[Any], ...]:
    return (patch.object(Client, "quality", ""),)  # who is in no real room has none


def _broken(resume_s: float | None) -> Story:
    """Return the story of a break that the probe `reconnect` has made."""

    async def wait() -> Told:
        since = time.monotonic()
        await asyncio.sleep(30.0)
        found = charged(not_back("full", resume_s, 30.0), since, 30.0)
        assert found.reason is not None
        return _judged("reconnect", SfuReconnects((found,)), found)

    return _wait(30.0, wait)


def _judged(probe: str, result: object, failed: Reconnect | None = None) -> Told:
    """Return the verdict on a run that found this."""
    run = _run_of(0.0)
    reason, detail = (failed.reason, failed.detail) if failed else (None, "")
    outcome: Outcome = run.outcome(probe, result=result, reason=reason, detail=detail)
    row = PROBES[probe]
    found = row.judged(row.config(), outcome)
    return Told(found.verdict, found.reason, found.detail)


def _pages(url: str, left_s: float = NEVER_S) -> Callable[[], Awaitable[Told]]:
    async def wait() -> Told:
        run = _run_of(12.0 + left_s)
        if not left_s:
            await asyncio.sleep(10.0)
        config = WorkersConfig(scrape=(url,), timeout=3.0)
        outcome = await read_workers(config, run)
        assert isinstance(outcome.result, WorkerScrape)
        found = PROBES["workers"].judged(config, outcome)
        return Told(found.verdict, found.reason, found.detail)

    return wait


def _names() -> tuple[AbstractContextManager[Any], ...]:
    return (patch.object(asyncio.BaseEventLoop, "getaddrinfo", _never),)


def _worker() -> tuple[AbstractContextManager[Any], ...]:
    hung = httpx.MockTransport(_never)
    return (patch.object(httpx.AsyncClient, "_init_transport", lambda *_, **__: hung),)


async def _run() -> None:
    run = _run_of(60.0)
    ended = await run.within_deadline(asyncio.sleep(NEVER_S), 5.0)
    assert ended is not None
    raise ended


class _ByTcp(Client):
    """A client that is connected at once, by TCP."""

    async def connect(self, url: str, token: str, timeout_s: float, **_more: Any) -> float:
        """Enter."""
        assert url
        assert token
        return timeout_s

    async def read(self) -> Snapshot:
        """Tell that media goes by TCP."""
        end = Candidate("host", "tcp", "10.0.0.1", 7881)
        return Snapshot((MediaPath(end, end, 1, 1, 0.001),), (), (), (), ())

    async def leave(self) -> None:
        """Leave."""


class _Nowhere(_ByTcp):
    """A client that cannot connect."""

    async def connect(self, url: str, token: str, timeout_s: float, **_more: Any) -> float:
        """Try.

        Raises:
            ProbeError: It does not get in.
        """
        await asyncio.sleep(timeout_s - 1)
        raise ProbeError(Reason.CONNECT_FAILED, f"{url}: no candidate pair ({len(token)})")


async def _no_way() -> Told:
    return await _by_udp(_Nowhere)


async def _way() -> Told:
    return await _by_udp(_ByTcp)


async def _by_udp(make_client: Callable[[str], Client]) -> Told:
    way: Transport = await Ways(SERVER, "room", 8.0, Joined(0.1, "1.13", ()), make_client).udp()
    assert not way.works
    found = _judged("reach", SfuReach(0.1, "1.13", (way,), (), 0.0))
    return Told(found.verdict, None, way.detail)


async def _certificate() -> Told:
    found = await read_certificate("h", 443, 8.0)
    assert found.expires_at is None
    return charged_to_server(found.fault)


async def _webhook() -> Told:
    found = await Listener(SERVER).seen("r", time.monotonic())
    return Told(found.verdict, None, found.measured)


async def _back() -> Told:
    found = await break_connection(cast("Any", _Away()), "full", 30.0)
    assert found.seconds is None
    return Told(Verdict.FAIL, Limit.BACK.reason, str(found))


class _Away:
    """A caller whose connection does not come back."""

    def __init__(self) -> None:
        self.room = FakeRoom()

    def check(self) -> None:
        """Go on."""


_JOINS = {"joins": "sip", "within": 8}
_SAYS_ON = Script(delay_s=4.0, answers_once=True, filler_s=0.9, says_filler=True, reports=True)

STORIES: dict[Limit, Story] = {
    Limit.REQUEST: _wait(REQUEST_TIMEOUT_S, _request),
    Limit.SIGNAL: _wait(8.0, _signal, patches=_session(opens=False)),
    Limit.CONNECTION: _wait(10.0, _connection),
    Limit.PUBLISHING: _wait(10.0, _publishing),
    Limit.FIRST_SOUND: _wait(10.0, _first_sound),
    Limit.STATISTICS: _wait(STATS_TIMEOUT_S, _statistics),
    Limit.SEAT: _wait(20.0, _seat, patches=_seats),
    Limit.TOKEN: _wait(10.0, _token),
    Limit.DISPATCH: _call(
        20.0, Script(), lambda seconds: World(works=False, blocks=((1.0, seconds),))
    ),
    Limit.ARRIVAL: _call(
        20.0, Script(), lambda seconds: World(join_after_s=None, blocks=((1.0, seconds),))
    ),
    Limit.TRACK: _call(
        10.0, Script(no_track=True), lambda seconds: World(blocks=((1.0, seconds),))
    ),
    Limit.GREETING: _call(
        20.0, Script(greet_s=90.0), lambda seconds: World(blocks=((5.0, seconds),))
    ),
    Limit.GREETED: _call(
        20.0,
        Script(stops=True),
        lambda seconds: World(blocks=((5.0, seconds),)),
        greeting="expected",
    ),
    Limit.REPLY: _call(6.0, Script(mute=True, stops=True), blocks_at_s=2.0),
    Limit.ANSWER: _call(
        12.0,
        _SAYS_ON,
        blocks_at_s=16.0,
        trials=2,
        target_ms=9000,
    ),
    Limit.PACKETS: _call(2.0, Script(stall=True), blocks_at_s=7.5),
    Limit.RPC: _wait(10.0, _rpc),
    Limit.STEP: _call(8.0, Script(), blocks_at_s=4.0, script=[{"expect": _JOINS}]),
    Limit.TAKE_OVER: _call(
        10.0, Script(goodbye=True), blocks_at_s=4.0, follow=True, join_timeout=10, trials=2
    ),
    Limit.END: _call(60.0, Script(dies_after=1), blocks_at_s=0.2, trials=2),
    Limit.LOST: _wait(30.0, _lost),
    Limit.BACK: _wait(30.0, _back),
    Limit.MEDIA_BACK: _broken(1.0),
    Limit.NAME: _wait(3.0, _pages("dns://workers:8081"), patches=_names),
    Limit.PAGE: _wait(3.0, _pages("http://w:8081"), patches=_worker),
    Limit.PAGES: _wait(10.0, _pages("http://w:8081", left_s=0.0), patches=_worker),
    Limit.RUN: _wait(55.0, _run),
    Limit.WAY: _wait(4.0, _way),
    Limit.CERTIFICATE: _wait(
        8.0, _certificate, patches=lambda: (patch.object(asyncio, "open_connection", _never),)
    ),
    Limit.PERMISSION: _wait(4.0, _permission, patches=_session(opens=True)),
    Limit.WEBHOOK: _wait(WITHIN_S, _webhook),
}
"""Each of them ends in FAIL where the prober is there all the time."""

MORE: dict[str, tuple[Limit, Story]] = {
    "a connection that the SDK gives up": (Limit.CONNECTION, _wait(10.0, _given_up)),
    "tracks that the SDK gives up": (Limit.PUBLISHING, _wait(10.0, _unpublished)),
    "a way by which nobody connects": (Limit.WAY, _wait(8.0, _no_way)),
    "statistics of a connection that is gone": (Limit.LOST, _wait(30.0, _no_statistics)),
    "a data message on a connection that is gone": (Limit.LOST, _wait(30.0, _no_message)),
    "a client of a ramp that is gone": (Limit.LOST, _wait(30.0, _no_client, patches=_no_quality)),
    "reconnect: a connection that is not back": (Limit.BACK, _broken(None)),
    "a reply within a short stop": (
        Limit.REPLY,
        _call(6.0, Script(mute=True, stops=True), blocks_at_s=3.0),
    ),
}
"""Further places at which the same limits run out."""
