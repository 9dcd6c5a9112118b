"""A LiveKit server API over real HTTP with rooms that a test makes, and a limit of requests."""

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer
from google.protobuf.message import Message
from livekit import api
from livekit.protocol.agent import Job, JobState, JobStatus
from livekit.protocol.agent_dispatch import AgentDispatch, AgentDispatchState
from livekit.protocol.models import ParticipantInfo, TrackInfo, TrackSource

from exporter.server_api import Server

_MINUTE_S = 60.0


@dataclass
class FakeRoom:
    """One room: a caller, and perhaps an agent that came to a dispatch."""

    name: str
    sid: str
    agent: str = ""
    """Name of the agent that is there; "" for none."""
    state: str = "listening"
    dispatched: str = "demo"
    callers: int = 1
    since_s: float = 0.0
    """By the server's clock, which starts at 0."""

    def __post_init__(self) -> None:
        self._job_of = self.agent
        """A server never takes a job from its dispatch."""

    @property
    def row(self) -> api.Room:
        """Its row in the list."""
        publishers = self.callers + bool(self.agent)
        return api.Room(
            name=self.name,
            sid=self.sid,
            num_participants=self.callers,
            num_publishers=publishers,
            creation_time=1,
        )

    def people(self, now_s: int) -> list[ParticipantInfo]:
        """Who is there; whoever came has been there since the room was made."""
        microphone = TrackInfo(source=TrackSource.MICROPHONE)
        joined_at = now_s - int(self.since_s)
        people = [
            ParticipantInfo(identity=f"caller-{each}", joined_at=joined_at, tracks=[microphone])
            for each in range(self.callers)
        ]
        if self.agent:
            attributes = {"lk.agent.name": self.agent, "lk.agent.state": self.state}
            agent = ParticipantInfo(
                identity=f"agent-{self.sid}",
                kind=ParticipantInfo.Kind.AGENT,
                attributes=attributes,
                joined_at=joined_at,
                tracks=[microphone],
            )
            people.append(agent)
        return people

    def dispatches(self) -> list[AgentDispatch]:
        """The one dispatch, with its job where an agent was there from the start."""
        state = JobState(
            status=JobStatus.JS_RUNNING,
            participant_identity=f"agent-{self.sid}",
            worker_id=f"AW_{self._job_of}",
        )
        jobs = [Job(id=self.sid, state=state)] if self._job_of else []
        dispatch = AgentDispatch(
            id=self.sid, agent_name=self.dispatched, state=AgentDispatchState(jobs=jobs)
        )
        return [dispatch]


@dataclass
class FakeServer:
    """The rooms, and who asked for them."""

    clock: Callable[[], float]
    """Seconds by which the limit counts."""
    per_minute: int
    """Requests in any minute beyond which it refuses."""
    wall: Callable[[], float]
    rooms: dict[str, FakeRoom] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    most: int = 0
    """The most requests of any minute so far."""
    retry_after_s: int = 0
    down: bool = False
    """Refuse everything."""
    takes_s: float = 0.0
    """For how long each request is answered."""

    def __post_init__(self) -> None:
        self._times: deque[float] = deque()
        self._sids = itertools.count(1)

    def open(self, agent: str = "", since_s: float = 0.0) -> FakeRoom:
        """Open a room with a caller, and with an agent of that name."""
        number = next(self._sids)
        room = FakeRoom(f"call-{number}", f"RM_{number}", agent, since_s=since_s)
        self.rooms[room.name] = room
        return room

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        now = self.clock()
        while self._times and now - self._times[0] >= _MINUTE_S:
            self._times.popleft()
        if self.down or len(self._times) >= self.per_minute:
            self.refused += 1
            return web.Response(status=429, headers={"Retry-After": str(self.retry_after_s)})
        self._times.append(now)
        self.most = max(self.most, len(self._times))
        method = request.path.rpartition("/")[2]
        self.requests[method] += 1
        answer = self._answer(method, await request.read())
        await asyncio.sleep(self.takes_s)
        return web.Response(body=answer.SerializeToString())

    def _answer(self, method: str, body: bytes) -> Message:
        if method == "ListRooms":
            return api.ListRoomsResponse(rooms=[room.row for room in self.rooms.values()])
        if method == "ListParticipants":
            room = self.rooms.get(api.ListParticipantsRequest.FromString(body).room)
            people = room.people(int(self.wall())) if room else []
            return api.ListParticipantsResponse(participants=people)
        room = self.rooms.get(api.ListAgentDispatchRequest.FromString(body).room)
        return api.ListAgentDispatchResponse(agent_dispatches=room.dispatches() if room else [])

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Server]:
        """Serve for the length of the block."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        async with TestServer(app) as server:
            yield Server(f"ws://127.0.0.1:{server.port}", "key", "a" * 32)
