"""The room of a call: made or taken, the way into it, and the agent that is called there."""

import secrets
import time
from dataclasses import replace

from livekit import rtc

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import CallerToken, Reason
from exporter.probe import PROBE_ATTRIBUTE, ROOM_PREFIX, Run
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.latency.steps import Record
from exporter.probes.latency.way_in.fetch import (
    UNMARKED,
    Entrance,
    Fetched,
    FetchToken,
    TokenError,
)
from exporter.rtc.people import NAMES
from exporter.server_api import ServerApi, make_token
from exporter.server_api.errors import one_line


class CallRoom:
    """The server's side of one call.

    Args:
        config: Of the target.
        run: Of which the call is a part.
        api: Of the server that is called.
        record: Takes what is known of a fetched token.
        fetch: Fetches the caller's token, where the target has an endpoint for that.
    """

    def __init__(
        self,
        config: LatencyConfig,
        run: Run,
        api: ServerApi,
        record: Record,
        fetch: FetchToken,
    ) -> None:
        self._config = config
        self._run = run
        self._api = api
        self._record = record
        self._fetch = fetch
        self.name = config.room_name or f"{ROOM_PREFIX}{run.id}"
        self._is_made = False
        """By the caller, so that it is to be deleted."""
        self._identity = ""
        self._dispatch_id = ""

    async def entrance(self) -> Entrance:
        """Have a room and a token for it: of our own, or from the user's endpoint."""
        if self._config.token is None:
            asked = time.monotonic()  # the room calls an agent that is dispatched by no one
            await self._make_room()
            return Entrance(asked, self._run.server.url, self._token())
        try:
            fetched = await self._fetch(self._config.token, self.name, self._run)
        except TokenError as error:
            self._record.result = replace(
                self._record.result, token=CallerToken(failure=error.failure)
            )
            raise
        self._record.result = replace(self._record.result, token=fetched.found)
        self._run.log(str(fetched.found))
        await self._take_room(fetched)
        # It is made when the caller comes, and calls the agents of the token then.
        return Entrance(time.monotonic(), fetched.server_url or self._run.server.url, fetched.token)

    async def _take_room(self, fetched: Fetched) -> None:
        """Take the room of a fetched token, unless real people are in it."""
        if not fetched.room:
            detail = "token endpoint: the token names no room, so nobody can join with it"
            raise ProbeError(Reason.API_FAILED, detail)
        if not fetched.is_marked:
            self._run.log(UNMARKED)
        if fetched.room == self.name:
            self._run.on_room(self.name)
        self.name, self._identity = fetched.room, fetched.identity
        exists = bool(await self._api.list_rooms([self.name]))
        if exists and await self._someone_is_in():
            detail = f"token endpoint: room {self.name} is in use; a probe needs its own"
            raise ProbeError(Reason.API_FAILED, one_line(detail))
        self._is_made = not exists

    async def _someone_is_in(self) -> bool:
        """Tell whether anyone but agents and the caller is in the room."""
        inside = await self._api.list_participants(self.name)
        return any(each.kind != "agent" and each.identity != self._identity for each in inside)

    async def _make_room(self) -> None:
        if self._config.room_name and await self._api.list_rooms([self.name]):
            detail = f"room {self.name} already exists; a probe needs a new one"
            raise ProbeError(Reason.API_FAILED, detail)
        self._run.on_room(self.name)
        await self._api.create_room(self.name, metadata=self._config.room.metadata)
        self._is_made = True

    def _token(self) -> str:
        caller = self._config.caller
        # A room that has a name of its own is known as a probe's by who is in it.
        mark = {PROBE_ATTRIBUTE: "true"} if self._config.room_name else {}
        return make_token(
            self._run.server,
            identity=caller.identity or f"caller-{secrets.token_hex(4)}",
            room=self.name,
            name=caller.name,
            metadata=caller.metadata,
            attributes={**caller.attributes, **mark},
            kind=caller.kind,
        )

    async def dispatch(self) -> None:
        """Call the agent into the room.

        Raises:
            ProbeError: dispatch_failed, or what any request may end with.
        """
        config = self._config
        try:
            made = await self._api.create_dispatch(self.name, config.agent_name, config.metadata)
            self._dispatch_id = made.id
        except ProbeError as error:
            if error.reason is not Reason.API_FAILED:
                raise
            raise ProbeError(Reason.DISPATCH_FAILED, error.detail) from error

    def is_agent(self, participant: rtc.RemoteParticipant) -> bool | None:
        """Tell whether a participant is the agent; None when its attributes do not say."""
        if self._config.dispatch == "automatic":
            return True
        names = {participant.attributes[key] for key in NAMES if participant.attributes.get(key)}
        return self._config.agent_name in names if names else None

    async def was_dispatched(self, identity: str) -> bool:
        """Ask the server whether that participant is the job of our dispatch."""
        return identity in await self._dispatched()

    async def _dispatched(self) -> tuple[str, ...]:
        wanted = "" if self._config.dispatch == "automatic" else self._config.agent_name
        dispatches = await self._api.list_dispatch(self.name)
        ours = [each for each in dispatches if each.agent_name == wanted]
        return tuple(identity for each in ours for identity in each.identities)

    async def nobody_came(self, since: float) -> ProbeError:
        """Say whether a worker took the job, and take the dispatch back.

        An agent that comes when we are gone would open the room again, and stay in it.

        Args:
            since: When the wait for it began, on the monotonic clock.
        """
        taken = await self._dispatched()
        if self._dispatch_id:
            try:
                await self._api.delete_dispatch(self.name, self._dispatch_id)
            except ProbeError as error:  # why nobody came is more
                self._run.log(f"dispatch not deleted: {error}")
        waited = self._config.join_timeout
        if taken:
            detail = f"a worker accepted the job, but no agent joined within {waited:g} s"
            return Limit.ARRIVAL.ran_out(detail, since, waited)
        who = f"no worker named {self._config.agent_name!r}"
        token = self._record.result.token
        if self._config.dispatch == "token" and token is not None and not token.dispatches:
            who = f"the token's room configuration calls no agent, and {who}"
        if self._config.dispatch == "automatic":
            who = "no worker without a name"
        detail = f"{who} accepted the job within {waited:g} s"
        return Limit.DISPATCH.ran_out(detail, since, waited)

    async def delete(self) -> None:
        """Delete the room, if the caller made it; log what fails."""
        if not self._is_made:
            return
        try:
            # The endpoint may give others the same room.
            if self._config.token is not None and await self._someone_is_in():
                self._run.log(f"room {self.name} not deleted: others are in it")
                return
            await self._api.delete_room(self.name)
        except ProbeError as error:
            self._run.log(f"room {self.name} not deleted: {error}")
