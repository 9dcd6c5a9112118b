"""One listing: the list of rooms, and as many of the rooms themselves as are worth a request."""

import asyncio
from dataclasses import replace

from exporter.errors import ProbeError
from exporter.outcome import Listing, Outcome, Reason
from exporter.probe import Run
from exporter.probes.agents.picture import (
    NOTHING,
    Allowance,
    Picture,
    Urgency,
    in_order,
    wants_dispatches,
)
from exporter.probes.agents.rooms import RoomSeen, listing_of
from exporter.probes.agents.spec import AgentsConfig
from exporter.server_api import ServerApi
from exporter.server_api.records import Room

_DISPATCH_TIMEOUT_S = 2.0
"""For a room that has gone the server answers only after 3 s."""
_REPORT_S = 1.0
"""Kept back from the deadline, to report what was read of a listing that is cut."""

_USED_UP = "agents.requests_per_minute is used up; increase it"


async def list_agents(config: AgentsConfig, run: Run) -> Outcome:
    """List agents, rooms and pending dispatches once, less those of probes.

    Where an earlier listing left its picture, only rooms that are worth a request are asked for,
    within the allowance of requests; what is known of the others is as old as it is. Else every
    room is, and what was read is kept at the deadline. A room that goes away meanwhile is no
    failure. Where the server takes requests too slowly, or none, or the prober stood still, what is
    known is kept, with the reason.
    """
    async with ServerApi(run.server) as api:
        work = _Listing(config, run, api)
        ended = await run.within_deadline(work.read(), _REPORT_S)
    picture = work.picture()
    if ended is not None:
        ended = work.explained(ended, picture)
        run.log(ended.detail)
    kept = ended is None or (picture.rooms and _keeps(ended.reason, alone=run.before is None))
    return run.outcome(
        "agents",
        result=work.result(picture) if kept else None,
        ended=ended,
        kept=None if run.before is None else picture,
    )


def _keeps(reason: Reason, *, alone: bool) -> bool:
    """Tell whether what is known is shown though a listing ended for that reason.

    Args:
        reason: Of its end.
        alone: No earlier listing left its picture.
    """
    return reason.is_own_fault or (alone and reason is Reason.DEADLINE)


class _Listing:
    """One listing under way."""

    def __init__(self, config: AgentsConfig, run: Run, api: ServerApi) -> None:
        self._config = config
        self._run = run
        self._api = api
        self._before = run.before if isinstance(run.before, Picture) else None
        self._picture = self._before or NOTHING
        self._rooms: dict[str, RoomSeen] = {}
        self._refusals: list[ProbeError] = []
        """Why rooms could not be asked for; after the first one no more are."""
        self._planned = 0
        self._waited = False
        self._allowance = Allowance(config.requests_per_minute, self._before, run.clock())
        self._listed = False

    async def read(self) -> None:
        """Ask for the list, then for rooms.

        Raises:
            ProbeError: The server refused, or did not answer.
        """
        pause_s = self._picture.not_before - self._run.clock()
        if pause_s > 0:
            detail = f"the server asked for no requests during the next {pause_s:.0f} s"
            raise ProbeError(Reason.QUOTA_EXCEEDED, detail)
        if self._allowance.left(self._run.clock()) < 1:
            raise ProbeError(Reason.QUOTA_EXCEEDED, f"{_USED_UP}, or agents.interval")
        self._allowance.take(1, self._run.clock())
        rows = await self._api.describe_rooms()
        self._listed = True
        self._picture = self._picture.merged(rows, self._run.clock())
        asked = in_order(self._picture, rows, self._run.clock())
        self._planned = len(asked)
        await self._ask_rooms(asked)
        self._run.log(f"{len(rows)} rooms, {len(self._rooms)} asked for")
        await self._check_unlisted()

    def explained(self, ended: ProbeError, picture: Picture) -> ProbeError:
        """Return why it ended early, with the rooms that it missed, and by whose limit."""
        if not self._listed or not (self._api.slowed or ended.reason is Reason.DEADLINE):
            return ended
        total = len(picture.unread) + len(picture.rooms)
        missed = f"{self._planned - len(self._rooms)} of {total} rooms not read"
        if self._waited and ended.reason is Reason.DEADLINE:
            detail = f"{missed}: {_USED_UP}, or agents.deadline"
            return ProbeError(Reason.QUOTA_EXCEEDED, detail)
        reason = Reason.QUOTA_EXCEEDED if self._api.slowed else ended.reason
        return ProbeError(reason, f"{missed}: {ended.detail}")

    def picture(self) -> Picture:
        """Return what is known now."""
        read = self._rooms.keys()
        now = self._run.clock()
        return replace(
            self._picture,
            rooms={**self._picture.rooms, **self._rooms},
            unread={sid: at for sid, at in self._picture.unread.items() if sid not in read},
            touched=self._picture.touched - read,
            allowance=self._allowance.left(now),
            at=now,
            not_before=max(self._picture.not_before, self._api.not_before),
        )

    def result(self, picture: Picture) -> Listing:
        """Return what it says."""
        now = self._run.clock()
        rooms = tuple(picture.rooms.values())
        found = listing_of(rooms, len(picture.unread), self._config.call_rooms, now)
        requests = tuple(sorted(self._api.sent.items()))
        return replace(found, requests=requests, oldest_s=picture.oldest_s(now))

    async def _ask_rooms(self, asked: list[tuple[Urgency, Room]]) -> None:
        """Ask for rooms in their order, until the allowance is used up, or one is refused.

        What was asked before a refusal is still taken: else a server with a low limit, which
        refuses some of each listing, would never be read to its end.
        """
        at_once = asyncio.Semaphore(self._config.concurrency)

        async def ask(room: Room) -> None:
            try:
                self._rooms[room.sid] = await self._ask_room(room)
            except ProbeError as error:
                self._refusals.append(error)
            finally:
                at_once.release()

        async with asyncio.TaskGroup() as group:
            for urgency, room in asked:
                if not await self._may_ask(urgency):
                    break
                await at_once.acquire()
                if self._refusals:
                    break
                group.create_task(ask(room))
        if self._refusals:
            raise self._refusals[0]

    async def _may_ask(self, urgency: Urgency) -> bool:
        """Take two requests from the allowance; a listing that is alone waits for them."""
        while not self._allowance.allows(urgency, self._run.clock()):
            if self._before is not None:
                return False
            self._waited = True
            await asyncio.sleep(self._allowance.wait_s)
        self._allowance.take(2, self._run.clock())
        return True

    async def _ask_room(self, room: Room) -> RoomSeen:
        before = self._picture.rooms.get(room.sid)
        participants = await self._api.list_participants(room.name)
        now = self._run.clock()
        known = before or RoomSeen(room, ())
        seen = replace(
            known, room=room, participants=participants, read_at=now, counts=room.counts, error=None
        )
        if not wants_dispatches(before, seen):
            self._allowance.take(-1, now)
            return seen
        if self._refusals:
            raise self._refusals[0]
        try:
            dispatches = await self._api.list_dispatch(room.name, _DISPATCH_TIMEOUT_S)
        except ProbeError as error:
            if error.reason in (Reason.AUTH_FAILED, Reason.QUOTA_EXCEEDED):
                raise
            return replace(seen, error=error)
        return replace(seen, dispatches=dispatches, dispatches_at=now)

    async def _check_unlisted(self) -> None:
        """Tell rooms that went away during the listing from a server that does not answer.

        A single room whose node has died must not hide all others: it is logged. That no room at
        all tells its dispatches is an error.
        """
        unlisted = [room for room in self._rooms.values() if room.error]
        if not unlisted:
            return
        self._allowance.take(1, self._run.clock())
        left = await self._api.list_rooms(room.name for room in unlisted)
        for room in unlisted:
            self._run.log(
                f"dispatches of room {room.name!r} are unknown: "
                f"{'the room is closed' if room.name not in left else 'no answer'}"
            )
        error = unlisted[0].error
        if left and error and all(room.error for room in self.picture().rooms.values()):
            raise error
