"""A room of our own with two participants: one sends, one receives."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from exporter.errors import ProbeError
from exporter.outcome import ConnectTimes
from exporter.probe import Run
from exporter.rtc.client import Client
from exporter.rtc.gaps import Outage
from exporter.rtc.lag import LagMonitor
from exporter.rtc.signalling import join_and_leave
from exporter.rtc.tasks import Tasks
from exporter.server_api import Server, ServerApi, make_token


@dataclass(frozen=True, slots=True)
class Pair:
    """Both are in the room, and the receiver hears the sender."""

    sender: Client
    receiver: Client
    lag: LagMonitor
    """Watches the event loop of both."""
    connect: ConnectTimes

    def lost_since(self, at_s: float) -> bool:
        """Tell whether one of them was away then or later, and not for good; wall clock."""
        return self.sender.lost_since(at_s) or self.receiver.lost_since(at_s)

    @property
    def outages(self) -> list[Outage]:
        """When one of them had no connection."""
        return [*self.sender.outages, *self.receiver.outages]

    async def read(self) -> None:
        """Read the statistics of both, as nearly at the same time as can be.

        Raises:
            ProbeError: room_closed: a connection is gone for good.
        """
        for client in (self.sender, self.receiver):
            client.check()
            began_s = time.time()
            try:
                await client.read()
            except ProbeError:
                if not client.lost_since(began_s):  # while it connects again there may be none
                    raise


@asynccontextmanager
async def make_room(run: Run, name: str) -> AsyncIterator[str]:
    """Create a room, and delete it in the end, whatever happens.

    Raises:
        ProbeError: The server does not create it.
    """
    async with ServerApi(run.server) as api:
        run.on_room(name)
        await api.create_room(name)
        try:
            yield name
        finally:
            try:
                await api.delete_room(name)
            except ProbeError as error:  # what was measured is good all the same
                run.log(f"room {name} not deleted: {error}")


@asynccontextmanager
async def connected_pair(
    server: Server, room: str, *, tracks: int, timeout_s: float
) -> AsyncIterator[Pair]:
    """Bring a sender and a receiver into a room, and take them out again.

    The receiver comes first: the first connection of a process also pays for starting the SDK,
    so the phases are those of the second one.

    Args:
        server: Where.
        room: Of our own, for nobody else.
        tracks: Tracks of noise that the sender publishes.
        timeout_s: For each phase.

    Raises:
        ProbeError: connect_failed, auth_failed or api_failed; probe_crashed, also in the block,
            when a task of theirs dies.
    """
    lag, tasks = LagMonitor(), Tasks()
    sender, receiver = (Client(_identity(role), tasks) for role in ("sender", "receiver"))
    async with AsyncExitStack() as stack:
        # The receiver goes first: left alone, it would begin to negotiate while it leaves.
        stack.push_async_callback(sender.leave)
        stack.push_async_callback(receiver.leave)
        joined = await join_and_leave(
            server, make_token(server, identity=_identity("signal"), room=room), timeout_s
        )
        await stack.enter_async_context(tasks.alive())
        token = make_token(server, identity=receiver.identity, room=room)
        await receiver.connect(server.url, token, timeout_s, listen=True)
        token = make_token(server, identity=sender.identity, room=room)
        took_s = await sender.connect(server.url, token, timeout_s)
        lag.start()
        stack.callback(lag.stop)
        began = time.monotonic()
        await sender.publish(tracks, timeout_s)
        media_s = await receiver.heard(timeout_s) - began
        connect = ConnectTimes(joined.seconds, max(0.0, took_s - joined.seconds), media_s)
        yield Pair(sender, receiver, lag, connect)


def _identity(role: str) -> str:
    return f"sfu-{role}-{secrets.token_hex(4)}"
