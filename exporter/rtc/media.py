"""The RTP of a call, read once at its end: by the caller, and by the agent that is asked for it."""

import asyncio
from dataclasses import replace

from livekit import rtc

from exporter.outcome import Media, MediaDirection
from exporter.rtc.loss import loss_up
from exporter.rtc.session_events import SessionEvents
from exporter.rtc.stats import STATS_TIMEOUT_S, Snapshot


async def media_of(room: rtc.Room, events: SessionEvents) -> Media | None:
    """Return what both sides have counted since the call began; None where our SDK tells nothing.

    Args:
        room: Of the caller, not yet left.
        events: By which the agent is asked.
    """
    ours, agents = await asyncio.gather(_own(room), events.ask_statistics(STATS_TIMEOUT_S))
    if ours is None or agents is None:
        return ours
    return replace(ours, agent_up=_up(agents), agent_down=_down(agents))


async def _own(room: rtc.Room) -> Media | None:
    try:
        async with asyncio.timeout(STATS_TIMEOUT_S):
            snapshot = Snapshot.of(await room.get_rtc_stats())
    except (RuntimeError, TimeoutError):  # the connection is gone: it has no statistics
        return None
    return Media(_up(snapshot), _down(snapshot))


def _up(snapshot: Snapshot) -> MediaDirection:
    loss = loss_up([snapshot])
    return MediaDirection(
        packets=loss.packets if loss else sum(each.packets for each in snapshot.sent),
        lost=loss.lost if loss else None,
        jitter_s=max((each.jitter_s for each in snapshot.reports), default=None),
    )


def _down(snapshot: Snapshot) -> MediaDirection:
    streams = snapshot.received
    lost = sum(max(0, each.lost) for each in streams)
    heard = sum(each.samples for each in streams)
    concealed = sum(max(0, each.concealed - each.concealed_silence) for each in streams)
    return MediaDirection(
        packets=sum(each.packets for each in streams) + lost,
        lost=lost if streams else None,
        jitter_s=max((each.jitter_s for each in streams), default=None),
        concealed_ratio=concealed / heard if heard else None,
    )
