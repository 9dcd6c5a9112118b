"""Scripted calls by real participants on a real server, and what is true of each by the script.

A script notes what it does by its own clock, before and after each step: what the server did in
between lies within. `python -m tests.integration.real_callers URL TOKEN` is a process that is in
a room until it is killed, as a client that vanishes without a goodbye.
"""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest

from livekit import rtc

from exporter.server_api import ParticipantKind, Server, ServerApi, make_token
from tests import patience

SHORT_BELOW_S = 5.0
LONG_S = 7.0
"""Calls that are not to be short last at least so long."""
ROUNDING_S = 0.6
"""Events have whole seconds, of which the middle counts."""
TRUNK = {"sip.trunkID": "ST_1", "sip.callStatus": "active"}


@dataclass(frozen=True, slots=True)
class Span:
    """Bounds of a figure, or of a moment of the clock of all processes of this machine."""

    low: float
    high: float

    def __add__(self, other: "Span") -> "Span":
        """Return the bounds of the sum."""
        return Span(self.low + other.low, self.high + other.high)

    def since(self, begin: "Span") -> "Span":
        """Return the bounds of what the exporter may say of the time from another moment."""
        low, high = self.low - begin.high, self.high - begin.low
        return Span(max(0.0, low - ROUNDING_S), max(0.0, high) + ROUNDING_S)


@dataclass(slots=True)
class Truth:
    """What is true of one call."""

    agent_name: str
    ended_by: str
    began: Span
    ended: Span
    heard: Span | None
    """When the first agent's track was published; None: the caller heard nobody."""
    left: tuple[tuple[str, str], ...]
    """Kind and reason of each connection that ended."""
    transfers: int = 0
    trunk: str = ""

    def figures(self) -> dict[tuple[str, ...], Span]:
        """Return the bounds of what the call adds to each series: its name, then its labels."""
        name, one, duration = self.agent_name, Span(1, 1), self.ended.since(self.began)
        found = {
            ("voice_calls_total", name, self.ended_by, ""): one,
            ("voice_call_duration_seconds_count", name): one,
            ("voice_call_duration_seconds_sum", name): duration,
        }
        if self.heard is None:
            found["voice_callers_abandoned_total", name] = one
        else:
            found["voice_caller_wait_seconds_count", name] = one
            found["voice_caller_wait_seconds_sum", name] = self.heard.since(self.began)
            surely, maybe = duration.high < SHORT_BELOW_S, duration.low < SHORT_BELOW_S
            found["voice_short_calls_total", name] = Span(surely, maybe)
        if self.transfers:
            found["voice_transfers_total", name] = Span(self.transfers, self.transfers)
        for (kind, reason), count in Counter(self.left).items():
            found["voice_participant_disconnects_total", kind, reason] = Span(count, count)
        if self.trunk:
            found["voice_sip_calls_total", self.trunk, "active"] = one
        return found


@dataclass(slots=True)
class Stage:
    """One call of one kind."""

    server: Server
    api: ServerApi
    kind: str
    room: str
    all_in: Callable[[], Awaitable[object]]
    """Returns once every call of this round has begun."""
    began: Span = Span(0, 0)
    heard: Span | None = None
    _in: dict[str, rtc.Room] = field(default_factory=dict)

    async def join(
        self, identity: str, kind: ParticipantKind = "standard", **attributes: str
    ) -> rtc.Room:
        """Let somebody in; the first human is the caller."""
        room = rtc.Room()
        before = time.monotonic()
        await room.connect(self.server.url, self.token(identity, kind, **attributes))
        if identity == "caller" and not self.began.high:
            self.began = Span(before, time.monotonic())
        self._in[identity] = room
        return room

    async def aclose(self) -> None:
        """Let everybody leave who is still there: a test after one that failed is not to hear."""
        for room in self._in.values():
            await room.disconnect()

    def token(self, identity: str, kind: ParticipantKind = "standard", **attributes: str) -> str:
        """Return the token of a participant; an agent is named as the kind of call."""
        if kind == "agent":
            attributes = {"lk.agent_name": self.kind} | attributes
        return make_token(
            self.server, identity=identity, room=self.room, kind=kind, attributes=attributes
        )

    async def agent(self, identity: str = "agent", name: str = "") -> rtc.Room:
        """Let an agent in that can be heard."""
        agent = await self.join(identity, "agent", **({"lk.agent_name": name} if name else {}))
        before = time.monotonic()
        await speak(agent)
        await self.hears(identity, before)
        return agent

    async def hears(self, identity: str, since: float) -> None:
        """Wait until the server has published the track of an agent, as somebody in the room."""
        listener = self._in.get("caller") or await self.join("listener", "agent")
        await patience.comes_true(
            lambda: (
                any(
                    each.track
                    for each in listener.remote_participants[identity].track_publications.values()
                )
                if identity in listener.remote_participants
                else False
            )
        )
        self.heard = self.heard or Span(since, time.monotonic())

    async def leave(self, *identities: str) -> Span:
        """Let these go in their order, as the server sees it; return when the first went."""
        before, after = time.monotonic(), 0.0
        for identity, following in zip_longest(identities, identities[1:]):
            await self._in.pop(identity).disconnect()
            if following:
                others = self._in[following].remote_participants
                await patience.comes_true(partial(_is_without, others, identity))
            after = after or time.monotonic()
        return Span(before, after)

    async def lasts(self) -> None:
        """Return when the call is long enough not to be short."""
        await self.all_in()
        await asyncio.sleep(max(0.0, self.began.high + LONG_S - time.monotonic()))

    def truth(self, ended_by: str, ended: Span, *left: str, **more: object) -> Truth:
        """Return what is true: by whom and when it ended, and who left, as `kind reason`."""
        gone = tuple((kind, reason) for kind, _, reason in (each.partition(" ") for each in left))
        name = self.kind if self.heard else ""
        return Truth(name, ended_by, self.began, ended, self.heard, gone, **more)  # type: ignore[arg-type] # of the scripts below


def _is_without(others: Mapping[str, object], identity: str) -> bool:
    return identity not in others


async def speak(room: rtc.Room) -> None:
    """Publish a microphone."""
    track = rtc.LocalAudioTrack.create_audio_track("voice", rtc.AudioSource(48000, 1))
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    await room.local_participant.publish_track(track, options)


CALLER, AGENT = "standard client_initiated", "agent client_initiated"


async def abandoned(call: Stage) -> Truth:
    """Nobody comes."""
    await call.join("caller")
    await call.lasts()
    return call.truth("caller", await call.leave("caller"), CALLER)


async def short(call: Stage) -> Truth:
    """The agent waits, and the caller goes at once."""
    await call.all_in()
    agent = await call.join("agent", "agent")
    before = time.monotonic()
    await speak(agent)
    await call.join("caller")
    await call.hears("agent", before)
    return call.truth("caller", await call.leave("caller", "agent"), CALLER, AGENT)


async def server_deletes(call: Stage) -> Truth:
    """A backend ends the call."""
    await call.join("caller")
    await call.agent()
    await call.lasts()
    before = time.monotonic()
    await call.api.delete_room(call.room)
    ended = Span(before, time.monotonic())
    await call.leave("caller")  # by itself: the agent is not told that it went
    await call.leave("agent")
    return call.truth("server", ended, "standard room_deleted", "agent room_deleted")


async def agent_ends(call: Stage) -> Truth:
    """The agent hangs up, and the caller notices."""
    await call.join("caller")
    await call.agent()
    await call.lasts()
    ended = await call.leave("agent")
    await _next_second()
    await call.leave("caller")
    return call.truth("agent", ended, AGENT, CALLER)


async def transfer(call: Stage) -> Truth:
    """A second agent comes, and the first goes."""
    await call.join("caller")
    await call.agent()
    await call.agent("second", "the second")
    await call.leave("agent")
    await call.lasts()
    await _next_second()  # of two who leave in one, the caller counts as the first
    ended = await call.leave("caller", "second")
    return call.truth("caller", ended, CALLER, AGENT, AGENT, transfers=1)


async def two_agents(call: Stage) -> Truth:
    """Both stay."""
    await call.join("caller")
    await call.agent()
    await call.agent("second", "the second")
    await call.lasts()
    ended = await call.leave("caller", "agent", "second")
    return call.truth("caller", ended, CALLER, AGENT, AGENT)


async def recording(call: Stage) -> Truth:
    """A recorder listens."""
    await call.join("caller")
    await call.agent()
    await call.join("recorder", "egress")
    await call.lasts()
    ended = await call.leave("caller", "agent", "recorder")
    return call.truth("caller", ended, CALLER, AGENT, "egress client_initiated")


async def telephone(call: Stage) -> Truth:
    """The caller is one of kind SIP, with a trunk."""
    await call.join("caller", "sip", **TRUNK)
    await call.agent()
    await call.lasts()
    ended = await call.leave("caller", "agent")
    return call.truth("caller", ended, "sip client_initiated", AGENT, trunk="ST_1")


async def reconnect(call: Stage) -> Truth:
    """The caller comes a second time, which ends its first connection."""
    first = await call.join("caller")
    await call.agent()
    await call.all_in()
    await call.join("caller")
    await call.lasts()
    await first.disconnect()
    ended = await call.leave("caller", "agent")
    return call.truth("caller", ended, "standard duplicate_identity", CALLER, AGENT)


async def agent_dies(call: Stage) -> Truth:
    """The agent's process is killed, and the caller goes once the server has noticed."""
    caller = await call.join("caller")
    victim, began = await _victim(call.server, call.token("agent", "agent"))
    await call.hears("agent", began.low)
    await call.all_in()
    ended = await _killed(victim, caller)
    await _next_second()
    await call.leave("caller")
    return call.truth("failure", ended, "agent connection_timeout", CALLER)


async def caller_vanishes(call: Stage) -> Truth:
    """The caller's process is killed, and the agent goes once the server has noticed."""
    victim, call.began = await _victim(call.server, call.token("caller"))
    agent = await call.join("agent", "agent")
    before = time.monotonic()
    await speak(agent)
    await call.hears("agent", before)
    await call.all_in()
    ended = await _killed(victim, agent)
    await call.leave("agent", "listener")
    return call.truth("failure", ended, "standard connection_timeout", AGENT, AGENT)


KINDS = {
    each.__name__: each
    for each in (
        *(abandoned, short, agent_ends, agent_dies, caller_vanishes, server_deletes),
        *(transfer, two_agents, recording, telephone, reconnect),
    )
}


async def _victim(server: Server, token: str) -> tuple[subprocess.Popen[str], Span]:
    """Return a process that is in a room and speaks, and when it came."""
    argv = [sys.executable, "-m", "tests.integration.real_callers", server.url, token]
    victim = await asyncio.to_thread(
        subprocess.Popen, argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert victim.stdout
    low, high = (await asyncio.to_thread(victim.stdout.readline)).split()
    return victim, Span(float(low), float(high))


async def _killed(victim: subprocess.Popen[str], witness: rtc.Room) -> Span:
    """Kill a process; return from when until when the server may have noticed."""
    before = time.monotonic()
    with victim:
        victim.kill()
    known = {"listener"}
    await patience.comes_true(lambda: not witness.remote_participants.keys() - known)
    return Span(before, time.monotonic())


async def _next_second() -> None:
    """Wait for another second of the wall clock: events have whole ones."""
    began = int(time.time())
    await patience.comes_true(lambda: time.time() >= began + 1)


async def _stay(url: str, token: str) -> None:
    room, before = rtc.Room(), time.monotonic()
    await room.connect(url, token)
    print(before, time.monotonic(), flush=True)  # noqa: T201 - read by the test
    await speak(room)
    await asyncio.to_thread(sys.stdin.read)  # to its end: whoever started this has gone


if __name__ == "__main__":
    asyncio.run(_stay(*sys.argv[1:]))
