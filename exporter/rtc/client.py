"""One participant of our own: connect, publish, read statistics, leave."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from livekit import rtc
from livekit.rtc.participant import PublishTrackError

from exporter.errors import ProbeError
from exporter.limits import Limit, away
from exporter.outcome import Reason
from exporter.rtc import connection
from exporter.rtc.gaps import Outage, gave_up
from exporter.rtc.noise import Noise
from exporter.rtc.stats import Snapshot
from exporter.rtc.tasks import Tasks
from exporter.rtc.tracks import Ear
from exporter.server_api.errors import one_line

_sdk_log = logging.getLogger("livekit")

STATS_TIMEOUT_S = 2.0
_QUALITIES = {
    rtc.ConnectionQuality.QUALITY_POOR: "poor",
    rtc.ConnectionQuality.QUALITY_GOOD: "good",
    rtc.ConnectionQuality.QUALITY_EXCELLENT: "excellent",
    rtc.ConnectionQuality.QUALITY_LOST: "lost",
}


@contextmanager
def provoked() -> Iterator[None]:
    """Keep the SDK's log quiet about what is done to its connections on purpose."""
    before = _sdk_log.level
    _sdk_log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        _sdk_log.setLevel(before)


class Client:
    """A participant in one room, from `connect` to `leave`.

    Several may live in one event loop. About ten rooms fit in one process: the SDK hands each of
    its events to every one of them.

    Args:
        identity: Of the participant. Use another for every connection: the server remembers by
            identity how a client last connected, and would steer the next one.
        tasks: Watches what it sends and hears by; nobody does if None.
    """

    def __init__(self, identity: str, tasks: Tasks | None = None) -> None:
        self.identity = identity
        self._tasks = tasks or Tasks()
        self.room = rtc.Room()
        self.snapshots: list[Snapshot] = []
        """What `read` has read, in order of time."""
        self.outages: list[Outage] = []
        """When the SDK said that the connection was lost, in order of time."""
        self.gone = ""
        """Why the SDK has given the connection up; "" while it has not."""
        self._gone_at = 0.0
        self._noise: Noise | None = None
        self._ear: Ear | None = None
        self._subscribed = asyncio.Event()
        self.room.on("reconnecting", self._on_reconnecting)
        self.room.on("reconnected", self._on_reconnected)
        self.room.on("disconnected", self._on_disconnected)

    @property
    def quality(self) -> str:
        """LiveKit's own word for this client's connection; "" until the server has told it."""
        return _QUALITIES.get(self.room.local_participant.connection_quality, "")

    @property
    def connecting(self) -> bool:
        """Whether the connection was lost, and the SDK is making it again."""
        return bool(self.outages) and self.outages[-1].back_s is None and not self.gone

    def lost_since(self, at_s: float) -> bool:
        """Tell whether the connection was away then or later, and not for good; wall clock."""
        back_s = self.outages[-1].back_s if self.outages else None
        return self.connecting or (back_s is not None and back_s > at_s and not self.gone)

    async def connect(
        self,
        url: str,
        token: str,
        timeout_s: float,
        *,
        listen: bool = False,
        receive: bool = False,
        rtc_config: rtc.RtcConfiguration | None = None,
    ) -> float:
        """Enter the room.

        Args:
            url: Of the server.
            token: For this identity and the room.
            timeout_s: Until media can flow.
            listen: Whether to receive what others publish, and hear the first of it.
            receive: Whether to receive it unheard: statistics count its packets all the same.
            rtc_config: Ways that ICE may take; all of them if None.

        Returns:
            Seconds until signalling, ICE and DTLS were done.

        Raises:
            ProbeError: auth_failed, quota_exceeded or connect_failed.
        """
        if listen:
            self.room.on("track_subscribed", self._listen)
        began = time.monotonic()
        inside = await connection.connect(
            self.room,
            url,
            token,
            timeout_s,
            auto_subscribe=listen or receive,
            rtc_config=rtc_config,
        )
        return inside - began

    async def publish(self, tracks: int, timeout_s: float, noise: Noise | None = None) -> None:
        """Publish so many tracks of noise.

        Args:
            tracks: How many.
            timeout_s: For all of them.
            noise: What several clients publish, which is closed by whoever made it; a source of
                this client's own if None.

        Raises:
            ProbeError: connect_failed: the server did not take them.
        """
        if noise is None:
            noise = self._noise = Noise()
        began = time.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                await noise.publish(self.room.local_participant, tracks)
        except (TimeoutError, PublishTrackError) as error:
            detail = one_line(f"could not publish: {error!r}")
            raise Limit.PUBLISHING.ran_out(detail, began, timeout_s) from error
        self._tasks.watch(noise.task)

    async def heard(self, timeout_s: float) -> float:
        """Wait for the first sound of anybody.

        Returns:
            When it was delivered, on the monotonic clock.

        Raises:
            ProbeError: connect_failed: none came in time.
        """
        began = time.monotonic()
        deadline = began + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                while self._ear is None:
                    await self._subscribed.wait()
                while not self._ear.windows:
                    await self._ear.hear_more(deadline)
                return self._ear.time_by_now(0)
        except TimeoutError:
            detail = f"connected, but no media arrived within {timeout_s:g} s"
            raise Limit.FIRST_SOUND.ran_out(detail, began, timeout_s) from None

    async def read(self) -> Snapshot:
        """Read this client's statistics, and keep them.

        Raises:
            ProbeError: room_closed: the connection is gone.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(STATS_TIMEOUT_S):
                snapshot = Snapshot.of(await self.room.get_rtc_stats())
        except (RuntimeError, TimeoutError) as error:
            none = f"none within {STATS_TIMEOUT_S:g} s"
            why = none if isinstance(error, TimeoutError) else f"{error}"
            detail = one_line(f"no statistics of {self.identity}: {why}")
            if isinstance(error, TimeoutError):
                raise Limit.STATISTICS.ran_out(detail, began, STATS_TIMEOUT_S) from error
            failed = ProbeError(Reason.ROOM_CLOSED, detail)
            raise away(Limit.LOST, failed, time.monotonic()) from error
        self.snapshots.append(snapshot)
        return snapshot

    def check(self) -> None:
        """Go on only if there is hope.

        Raises:
            ProbeError: room_closed: the SDK has given the connection up.
        """
        if self.gone:
            raise self._lost_for_good()

    def _lost_for_good(self) -> ProbeError:
        """Return the error of a connection that the SDK has given up."""
        error = ProbeError(Reason.ROOM_CLOSED, gave_up(self.gone))
        return away(Limit.LOST, error, self._gone_at)

    def on_data(self, take: Callable[[rtc.DataPacket], None]) -> None:
        """Call this with every data message that comes."""
        self.room.on("data_received", take)

    async def leave(self) -> None:
        """Leave the room and free everything; safe to call at any time, raises nothing."""
        closing = [each.aclose for each in (self._ear, self._noise) if each is not None]
        await connection.leave(*closing, self.room.disconnect)

    def _on_reconnecting(self) -> None:
        if not self.connecting:
            self.outages.append(Outage(time.time()))

    def _on_reconnected(self) -> None:
        if self.connecting:
            self.outages[-1].back_s = time.time()

    def _on_disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        self.gone, self._gone_at = rtc.DisconnectReason.Name(reason).lower(), time.monotonic()

    def _listen(self, track: rtc.Track, *_: object) -> None:
        """Hear the first track: what nobody hears is not decoded, and one is enough for that."""
        if self._ear is None and isinstance(track, rtc.RemoteAudioTrack):
            self._ear = Ear(track)
            self._tasks.watch(self._ear.task)
            self._subscribed.set()
