"""What the project's own participants notice of a link that is cut for a while.

`python -m tests.netlab.cut` runs at the near end of the link: it brings a sender and a receiver
into a room, says `flowing` when media flow, and tells as JSON what it saw once media flow again.
"""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from exporter.errors import ProbeError
from exporter.probes.run import Run
from exporter.server_api import Server
from exporter.sfu.gaps import Span, flows_since, longest_gap, spans
from exporter.sfu.pair import Pair, connected_pair, make_room
from tests.netlab.lab import NetLab
from tests.netlab.livekit import credentials

LIMIT_S = 150.0
_CONNECT_TIMEOUT_S = 10.0
_BEFORE_S = 1.0
_AFTER_S = 3.0
_LEAST_GAP_S = 1.0
"""A shorter silence is not the cut."""
_POLL_S = 0.05
_EVENTS: tuple[Literal["reconnecting", "reconnected", "disconnected"], ...] = (
    "reconnecting",
    "reconnected",
    "disconnected",
)


@dataclass(frozen=True, slots=True)
class Noticed:
    """What was seen of one cut."""

    gap_s: float | None
    """Longest silence at the receiver; None if media did not come back."""
    true_gap_s: float
    """The same, as the link has seen it."""
    events: tuple[tuple[str, float], ...]
    """What the SDK said of either participant, and how long after the cut began, in seconds."""

    @property
    def resumed_s(self) -> float | None:
        """When the last participant was connected again; None if the SDK said so of none."""
        return max((at for what, at in self.events if what.endswith("reconnected")), default=None)


def cut_and_watch(lab: NetLab, server: Server, seconds: float) -> Noticed:
    """Cut the link for a while under a call between two participants.

    Raises:
        RuntimeError: The participants could not connect, or did not end in time.
    """
    with subprocess.Popen(
        [*lab.client.entrance, sys.executable, "-m", "tests.netlab.cut"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,  # the SDK tells much while it connects again
        text=True,
        env=os.environ | credentials(server),
    ) as watcher:
        try:
            assert watcher.stdout is not None
            if watcher.stdout.readline() != "flowing\n":
                _, errors = watcher.communicate(timeout=LIMIT_S)
                raise RuntimeError(f"the participants could not connect:\n{errors}")
            lab.link.become(up=lab.link.up, down=lab.link.down)  # counts from here on
            lab.link.cut(seconds)
            began = time.monotonic()
            told, _ = watcher.communicate(timeout=LIMIT_S + seconds)
        finally:
            watcher.kill()
    seen = json.loads(told)
    return Noticed(
        gap_s=seen["gap_s"],
        true_gap_s=lab.link.counts().down.rtp_gap_s,
        events=tuple((what, at - began) for what, at in seen["events"]),
    )


class _Watch:
    """Two participants, and what is heard and said of them."""

    def __init__(self, pair: Pair) -> None:
        self._receiver = pair.receiver
        self.events: list[tuple[str, float]] = []
        self._began = time.time()
        for client, role in ((pair.sender, "sender"), (pair.receiver, "receiver")):
            for event in _EVENTS:
                client.room.on(event, self._noter(f"{role} {event}"))

    def _noter(self, what: str) -> Callable[..., None]:
        return lambda *_: self.events.append((what, time.monotonic()))

    @property
    def heard(self) -> tuple[Span, ...]:
        """When media came."""
        return spans(self._receiver.snapshots)

    @property
    def gap_s(self) -> float | None:
        """The longest silence that has ended."""
        return longest_gap(self.heard, self._began)

    async def until_flowing(self) -> None:
        """Wait until media have come for a while."""
        while not flows_since(self.heard, self._began, _BEFORE_S):
            await self._read()

    async def until_back(self) -> None:
        """Wait until there was a silence, media flow again, and nobody is connecting."""
        while True:
            await self._read()
            silent = (self.gap_s or 0.0) > _LEAST_GAP_S
            names = [what.split()[1] for what, _ in self.events]
            connecting = names.count("reconnecting") > names.count("reconnected")
            if silent and not connecting and flows_since(self.heard, time.time() - 4, _AFTER_S):
                return

    async def _read(self) -> None:
        with suppress(ProbeError):  # while it connects again it has no statistics
            await self._receiver.read()
        await asyncio.sleep(_POLL_S)


async def _main(server: Server) -> None:
    run = Run(id=secrets.token_hex(4), server=server, deadline=time.monotonic() + LIMIT_S)
    async with (
        make_room(run, f"netlab-{run.id}") as room,
        connected_pair(server, room, tracks=1, timeout_s=_CONNECT_TIMEOUT_S) as pair,
    ):
        watch = _Watch(pair)
        await watch.until_flowing()
        sys.stdout.write("flowing\n")
        sys.stdout.flush()
        back = True
        try:
            async with asyncio.timeout(LIMIT_S):
                await watch.until_back()
        except TimeoutError:
            back = False
        told = {"gap_s": watch.gap_s if back else None, "events": watch.events}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        os._exit(0)  # the SDK (livekit 1.1.21) sometimes aborts when its library is unloaded


if __name__ == "__main__":
    asyncio.run(
        _main(
            Server(
                os.environ["LIVEKIT_URL"],
                os.environ["LIVEKIT_API_KEY"],
                os.environ["LIVEKIT_API_SECRET"],
            )
        )
    )
