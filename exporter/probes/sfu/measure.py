"""One baseline: what the network and the SFU do to two participants without any load."""

import asyncio
import statistics
import time
from collections.abc import Iterable
from dataclasses import replace

from exporter.errors import ProbeError, first_probe_error
from exporter.limits import Limit
from exporter.outcome import Loss, Outcome, Reason, Reconnect, SfuBaseline
from exporter.probe import Run
from exporter.probes.sfu.spec import CLEANUP_S, MAX_VOID, SfuConfig
from exporter.rtc.gaps import SILENCE_S, longest_gap, settled, silent_s, spans, unprovoked
from exporter.rtc.loss import concealed_ratio, loss_down, loss_up, reported_until
from exporter.rtc.pair import Pair, connected_pair, make_room
from exporter.rtc.pings import Pinger

CONNECT_TIMEOUT_S = 10.0
READ_PERIOD_S = 0.5
"""Time between two readings of the statistics."""


async def measure_baseline(config: SfuConfig, run: Run) -> Outcome:
    """Measure round trip, jitter, loss and connection times once."""
    taken: _Measurement | None = None

    async def take() -> None:
        nonlocal taken
        async with (
            make_room(run, f"voice-exporter-{run.id}") as room,
            connected_pair(
                run.server, room, tracks=config.tracks, timeout_s=CONNECT_TIMEOUT_S
            ) as pair,
        ):
            run.log("connected, media flows")
            taken = _Measurement(config, pair)
            await taken.take()

    ended = await run.within_deadline(take(), CLEANUP_S)
    result = taken.result() if taken else None
    if result and taken and (late := lost_by_us(result, taken.began)):
        ended, result = late, replace(result, reconnects=())
    for each in result.reconnects if result else ():
        run.log(each.text)
    reason, detail = _failure(result) if result else (None, "")
    return run.outcome(
        "sfu",
        result=result,
        ended=ended,
        reason=reason,
        detail=detail,
        loop_lag_s=taken.loop_lag_s if taken else None,
    )


def lost_by_us(result: SfuBaseline, began: float) -> ProbeError | None:
    """Return the `void` of a baseline whose connection was lost by a prober that stood still.

    Args:
        result: Of the baseline.
        began: When both were connected, on the monotonic clock.
    """
    took_s = time.monotonic() - began
    for each in result.reconnects:
        # It gave no sign and was given up, or it has not done its part to be back.
        limits = (Limit.LOST,) if each.reason is None else (Limit.LOST, Limit.BACK)
        for limit in limits:
            if late := limit.spoiled(each.text, began, took_s):
                return late
    return None


def _failure(result: SfuBaseline) -> tuple[Reason | None, str]:
    """Say why there is no round trip, where there is none."""
    if result.round_trips_s:
        return None, ""
    if result.lost:
        return Reason.NO_REPLY, f"none of {result.lost} data messages arrived"
    return Reason.VOID, "the prober: its event loop was late all the time"


class _Measurement:
    """The measurement, while both participants are connected."""

    def __init__(self, config: SfuConfig, pair: Pair) -> None:
        self._config = config
        self._pair = pair
        self._pinger = Pinger(pair.sender, pair.receiver, pair.lag)
        self._reconnects: tuple[Reconnect, ...] = ()
        self.began = time.monotonic()

    @property
    def loop_lag_s(self) -> float | None:
        """The largest lateness of the event loop so far."""
        return self._pair.lag.largest

    async def take(self) -> None:
        """Ping and count until there is enough of both, over connections that come back.

        Raises:
            ProbeError: room_closed: a connection was lost for good.
        """
        try:
            with first_probe_error():
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._ping())
                    group.create_task(self._count())
        finally:  # what the SDK says when the participants leave is none of it
            self._reconnects = unprovoked(
                self._pair.outages,
                spans(self._pair.receiver.snapshots),
                self._pair.sender.gone or self._pair.receiver.gone,
                time.time(),
            )

    async def _ping(self) -> None:
        while not self._pinged():
            began_s = time.time()
            try:
                await self._pinger.ping()
            except ProbeError:
                if not self._pair.lost_since(began_s):
                    raise
                await asyncio.sleep(READ_PERIOD_S)  # nothing can be sent, so nothing is lost

    def _pinged(self) -> bool:
        pings = self._pinger.result
        most = self._config.pings / (1 - MAX_VOID)
        return pings.answered >= self._config.pings or pings.sent >= most

    async def _count(self) -> None:
        """Read statistics until enough packets are accounted for in both directions.

        And as long as something else is under way: the other half of the measurement, or a break.
        """
        await self._pair.read()
        while not (self._pinged() and self._enough() and self._flows()):
            await asyncio.sleep(READ_PERIOD_S)
            await self._pair.read()

    def _flows(self) -> bool:
        """Tell whether media come. When they stop, the SDK takes 15 s to say why."""
        readings, outages = self._pair.receiver.snapshots, self._pair.outages
        if not readings or silent_s(readings[-1]) >= SILENCE_S:
            return False
        return not outages or settled(outages, spans(readings))

    def _enough(self) -> bool:
        up, down = self._losses()
        wanted = self._config.packets
        return bool(up and down and min(up.packets, down.packets) >= wanted)

    def _losses(self) -> tuple[Loss | None, Loss | None]:
        """Return what was lost up and down, over the same span of time."""
        sender, receiver = self._pair.sender.snapshots, self._pair.receiver.snapshots
        up = loss_up(sender)
        return up, loss_down(receiver, up, reported_until(sender))

    def result(self) -> SfuBaseline:
        """Return what was measured so far."""
        pings, sender, receiver = self._pinger.result, self._pair.sender, self._pair.receiver
        up, down = self._losses()
        last = sender.snapshots[-1] if sender.snapshots else None
        path = last.path if last else None
        udp = [each for each in last.offered if each.protocol == "udp"] if last else []
        return SfuBaseline(
            vantage=self._config.vantage,
            round_trips_s=pings.on_the_way_s,
            pings=pings.sent,
            lost=pings.lost,
            voids=pings.voids,
            floor_s=pings.floor_s,
            ice_round_trips_s=_ice_round_trips(self._pair),
            jitter_up_s=_median(
                each.jitter_s for snapshot in sender.snapshots for each in snapshot.reports
            ),
            jitter_down_s=_median(
                each.jitter_s for snapshot in receiver.snapshots for each in snapshot.received
            ),
            loss_up=up,
            loss_down=down,
            concealed=concealed_ratio(receiver.snapshots),
            connect=self._pair.connect,
            transport=path.transport if path else "",
            candidate_type=path.local.kind if path else "",
            quality=(("sender", sender.quality), ("receiver", receiver.quality)),
            udp_addresses=tuple(sorted({f"{each.address}:{each.port}" for each in udp})),
            media_gap_s=longest_gap(spans(receiver.snapshots), 0.0),
            reconnects=self._reconnects,
        )


def _ice_round_trips(pair: Pair) -> tuple[float, ...]:
    """Return the round trips of ICE connectivity checks, each once."""
    found: list[float] = []
    for client in (pair.sender, pair.receiver):
        answers = 0
        for snapshot in client.snapshots:
            if snapshot.path and snapshot.path.answers > answers:
                answers = snapshot.path.answers
                found.append(snapshot.path.round_trip_s)
    return tuple(found)


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return statistics.median(known) if known else None
