"""The requests to the server API, and the tokens for them and for participants.

The SDK is imported inside the functions: starting the command line must not pay for it.
"""
# ruff: noqa: PLC0415 - for that reason

import asyncio
import time
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import Reason
from exporter.server_api.clock import ServerClock
from exporter.server_api.errors import translated, unanswered
from exporter.server_api.pace import Busy, Pace
from exporter.server_api.records import (
    Dispatch,
    Participant,
    Room,
    dispatch_record,
    participant_record,
    room_record,
)
from exporter.server_api.server import Server, host_and_port, http_url, open_session

if TYPE_CHECKING:
    import aiohttp
    from livekit.api import AccessToken, LiveKitAPI, VideoGrants

_Answer = TypeVar("_Answer")

ParticipantKind = Literal["standard", "agent", "sip", "egress", "ingress"]
"""The kinds of participant that a token can ask for."""

REQUEST_TIMEOUT_S = 5.0
"""Default time limit of one request."""

_REQUEST_TOKEN_TTL_S = 600.0
_DEPARTURE_TIMEOUT_S = 5
"""After this time the server closes a room that everybody has left."""
_AT_ONCE = 8
"""Rooms deleted at one time."""


def make_token(
    server: Server,
    *,
    identity: str,
    room: str,
    name: str = "",
    metadata: str = "",
    attributes: Mapping[str, str] | None = None,
    kind: ParticipantKind = "standard",
    can_publish: bool = True,
    ttl_s: float = 600,
) -> str:
    """Return a token with which one participant may join one room, publish and subscribe.

    Args:
        server: Whose key and secret sign it.
        identity: Of the participant; unique in the room.
        room: The one room that it opens.
        name: What other participants see.
        metadata: Of the participant, from the moment it joins.
        attributes: Of the participant, from the moment it joins.
        kind: What the server takes the participant for.
        can_publish: Whether it may publish; else it may only listen.
        ttl_s: Seconds for which it may be used to join.

    Raises:
        ProbeError: The server has no key or no secret (auth_failed).
        ValueError: Identity or room are empty.
    """
    from livekit.api import VideoGrants

    grants = VideoGrants(
        room_join=True,
        room=room,
        can_publish=can_publish,
        agent=kind == "agent" or None,
    )
    token = (
        _unsigned(server, grants, ttl_s)
        .with_identity(identity)
        .with_name(name)
        .with_metadata(metadata)
        .with_attributes(dict(attributes or {}))
        .with_kind(kind)
    )
    return _signed(token)


class ServerApi:
    """The requests that probes make, over one connection pool; an async context manager.

    Every error of the SDK and of HTTP becomes a `ProbeError`: auth_failed when the server
    refuses the credentials, connect_failed when it cannot be reached or does not answer in
    time, quota_exceeded when it accepts no more requests for now, api_failed for any other answer.
    Requests are not repeated against other regions: a prober that hides a failure has measured
    nothing. One that came too fast is sent again, see `Pace`.

    Usage:
        async with ServerApi(server) as api:
            rooms = await api.list_rooms()
    """

    def __init__(self, server: Server, *, timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        self._server = server
        self._timeout_s = timeout_s
        self._clock = ServerClock()
        self._pace = Pace()
        self._session: aiohttp.ClientSession | None = None
        self.sent: Counter[str] = Counter()
        """Requests by what became of them: ok, refused (too many) or failed."""

    async def __aenter__(self) -> Self:
        self._session = open_session(self._server, self._note)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def clock_skew_s(self) -> float | None:
        """Server clock minus local clock, by its answers; 0 when within a second, None: untold."""
        return self._clock.skew_s if self._clock.is_known else None

    @property
    def slowed(self) -> bool:
        """Whether requests were refused because they came too fast."""
        return self._pace.slowed

    @property
    def not_before(self) -> float:
        """Until then, on the monotonic clock, the server asked for no more requests; 0: never."""
        return self._pace.not_before

    async def create_room(
        self, name: str, *, empty_timeout_s: int = 10, metadata: str = ""
    ) -> None:
        """Create a room, or take the one of that name.

        Args:
            name: Of the room.
            empty_timeout_s: Seconds after which the server closes it when nobody comes.
            metadata: Of the room; everybody in it can read it.
        """
        from livekit.api import CreateRoomRequest, VideoGrants

        request = CreateRoomRequest(
            name=name,
            empty_timeout=empty_timeout_s,
            departure_timeout=_DEPARTURE_TIMEOUT_S,
            metadata=metadata,
        )
        rooms = self._as(VideoGrants(room_create=True)).room
        await self._ask("create room", lambda: rooms.create_room(request))

    async def delete_room(self, name: str) -> None:
        """Delete a room and disconnect who is in it; a room that is gone is no error."""
        from livekit.api import DeleteRoomRequest, VideoGrants

        rooms = self._as(VideoGrants(room_create=True)).room
        request = DeleteRoomRequest(room=name)
        await self._ask("delete room", lambda: _unless_gone(rooms.delete_room(request)))

    async def list_rooms(self, names: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the names of all rooms, or of those among `names` that exist."""
        return tuple(room.name for room in await self.describe_rooms(names))

    async def describe_rooms(self, names: Iterable[str] = ()) -> tuple[Room, ...]:
        """Return all rooms, or those among `names` that exist."""
        from livekit.api import ListRoomsRequest, VideoGrants

        rooms = self._as(VideoGrants(room_list=True)).room
        request = ListRoomsRequest(names=list(names))
        response = await self._ask("list rooms", lambda: rooms.list_rooms(request))
        now = self._clock.now()
        return tuple(room_record(info, now) for info in response.rooms)

    async def list_participants(self, room: str) -> tuple[Participant, ...]:
        """Return who is in a room, hidden ones included; nobody if there is no such room."""
        from livekit.api import ListParticipantsRequest, VideoGrants

        rooms = self._as(VideoGrants(room_admin=True, room=room)).room
        request = ListParticipantsRequest(room=room)
        response = await self._ask("list participants", lambda: rooms.list_participants(request))
        now = self._clock.now()
        return tuple(participant_record(info, now) for info in response.participants)

    async def opens_other_room(self, room: str, other: str) -> bool:
        """Return whether a token to administer one room is taken in another."""
        from livekit.api import ListParticipantsRequest, VideoGrants

        rooms = self._as(VideoGrants(room_admin=True, room=room)).room
        request = ListParticipantsRequest(room=other)
        try:
            await self._ask("list participants", lambda: rooms.list_participants(request))
        except ProbeError as error:
            if error.reason is not Reason.AUTH_FAILED:
                raise
            return False
        return True

    async def create_dispatch(self, room: str, agent_name: str, metadata: str = "") -> Dispatch:
        """Ask for an agent to come to a room; the room is created if it does not exist.

        That no worker has that name is no error: the server accepts the dispatch and waits.
        """
        from livekit.api import CreateAgentDispatchRequest, VideoGrants

        request = CreateAgentDispatchRequest(room=room, agent_name=agent_name, metadata=metadata)
        dispatches = self._as(VideoGrants(room_admin=True, room=room)).agent_dispatch
        created = await self._ask("create dispatch", lambda: dispatches.create_dispatch(request))
        return dispatch_record(created, self._clock.now())

    async def delete_dispatch(self, room: str, dispatch_id: str) -> None:
        """Take a dispatch back; the server ends its jobs. One that is gone is no error."""
        from livekit.api import VideoGrants

        dispatches = self._as(VideoGrants(room_admin=True, room=room)).agent_dispatch
        await self._ask(
            "delete dispatch", lambda: _unless_gone(dispatches.delete_dispatch(dispatch_id, room))
        )

    async def list_dispatch(
        self, room: str, timeout_s: float | None = None
    ) -> tuple[Dispatch, ...]:
        """Return the dispatches of a room.

        A room that does not exist is an error after some seconds, because no node answers for it.

        Args:
            room: Its name.
            timeout_s: How long the request may take, if not as long as any other.
        """
        from livekit.api import VideoGrants

        dispatches = self._as(VideoGrants(room_admin=True, room=room)).agent_dispatch
        found = await self._ask(
            "list dispatches", lambda: dispatches.list_dispatch(room), timeout_s
        )
        now = self._clock.now()
        return tuple(dispatch_record(each, now) for each in found if not each.state.deleted_at)

    def _as(self, grants: "VideoGrants") -> "LiveKitAPI":
        """Return the SDK's client with a token for just these grants."""
        from livekit.api import LiveKitAPI

        if self._session is None:
            raise RuntimeError("ServerApi is used outside `async with`")
        return LiveKitAPI.with_token(
            _signed(_unsigned(self._server, grants, _REQUEST_TOKEN_TTL_S)),
            http_url(self._server.url),
            session=self._session,
            failover=False,
        )

    async def _ask(
        self,
        action: str,
        request: Callable[[], Awaitable[_Answer]],
        timeout_s: float | None = None,
    ) -> _Answer:
        """Send one request; turn its errors into ProbeError, and its lateness too."""
        limit_s, address = timeout_s or self._timeout_s, host_and_port(self._server.url)

        async def once() -> _Answer:
            became, began = "failed", time.monotonic()
            try:
                # The SDK (livekit-api 1.2) overrides the limit of the HTTP session with none.
                async with asyncio.timeout(limit_s):
                    answer = await request()
                became = "ok"
            except Busy:
                became = "refused"
                raise
            except TimeoutError:
                raise unanswered(Limit.REQUEST, action, address, began, limit_s) from None
            finally:
                self.sent[became] += 1
            return answer

        with translated(action, address, limit_s, self._clock):
            return await self._pace.send(once)

    async def _note(
        self, request: "aiohttp.ClientRequest", handler: "aiohttp.ClientHandlerType"
    ) -> "aiohttp.ClientResponse":
        """Read what every answer says of the server: its clock, and whether it is busy."""
        answer = await handler(request)
        self._clock.note(answer.headers.get("Date"))
        Busy.check(answer)
        return answer


async def _unless_gone(deletion: Awaitable[object]) -> None:
    """Delete something; that it is gone is no error."""
    from livekit.api import ServerError

    try:
        await deletion
    except ServerError as error:
        if error.code != "not_found":
            raise


async def delete_rooms(server: Server, names: Iterable[str]) -> tuple[str, ...]:
    """Delete rooms that a killed probe left behind.

    Tries every one, whatever happens to the others, and never raises `ProbeError`.

    Returns:
        The names that could not be deleted.
    """
    wanted = tuple(dict.fromkeys(names))
    at_once = asyncio.Semaphore(_AT_ONCE)
    async with ServerApi(server) as api:

        async def delete(name: str) -> bool:
            async with at_once:
                try:
                    await api.delete_room(name)
                except ProbeError:
                    return False
                return True

        deleted = await asyncio.gather(*(delete(name) for name in wanted))
    return tuple(name for name, done in zip(wanted, deleted, strict=True) if not done)


def _unsigned(server: Server, grants: "VideoGrants", ttl_s: float) -> "AccessToken":
    from livekit.api import AccessToken

    # The SDK would take what is missing from the environment: another server's, perhaps.
    if not server.api_key or not server.api_secret:
        raise ProbeError(Reason.AUTH_FAILED, "the API key or the API secret is empty")
    token = AccessToken(server.api_key, server.api_secret)
    return token.with_grants(grants).with_ttl(timedelta(seconds=ttl_s))


def _signed(token: "AccessToken") -> str:
    from jwt.warnings import InsecureKeyLengthWarning

    with warnings.catch_warnings():
        # The server chose its secret; a short one, as in development mode, is normal here.
        warnings.simplefilter("ignore", InsecureKeyLengthWarning)
        return token.to_jwt()
