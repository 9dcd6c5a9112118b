"""A call's connection that is broken on purpose, and how long it takes to come back."""

import asyncio
import time
from functools import partial
from typing import Protocol

from livekit import rtc

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import CallReconnect, Reason
from exporter.probes.latency.scenarios.config import BACK_S, ScenarioConfig
from exporter.probes.latency.scenarios.scene import Breaks
from exporter.probes.reconnect.measure import SCENARIOS
from exporter.rtc.client import provoked
from exporter.rtc.line import Received
from exporter.rtc.relay.relay import Relay
from exporter.server_api.errors import one_line

POLL_S = 0.02
"""Time between two looks whether media has come: as long as a packet."""


class Breakable(Protocol):
    """What is needed of a caller: `exporter.rtc.caller.Caller` is one."""

    @property
    def room(self) -> rtc.Room:
        """In which it is."""
        ...

    def check(self) -> None:
        """Raise the ProbeError with which the call has ended, if it has."""
        ...

    async def received(self) -> Received | None:
        """Read the counters of the agent's track; None where there is none."""
        ...


async def break_connection(caller: Breakable, kind: str, timeout_s: float) -> CallReconnect:
    """Let the SDK or the server break the connection, and wait until it is made again.

    To be called between two turns, from which on nothing is void. Within a turn it voids that one
    alone: the caller knows that its connection was lost.

    Args:
        caller: In the call.
        kind: signal, full or migration, as of the probe `reconnect`.
        timeout_s: After which it is not coming back.

    Raises:
        ProbeError: void: it could not be broken, or the prober stood still for too much of the
            time; or why the call ended.
    """
    back = asyncio.Event()
    caller.room.on("reconnected", back.set)
    began = time.monotonic()
    try:
        with provoked():
            await caller.room.simulate_scenario(SCENARIOS[kind])
            async with asyncio.timeout(timeout_s):
                await back.wait()
    except RuntimeError as error:
        detail = one_line(f"the connection could not be broken: {error}")
        raise ProbeError(Reason.VOID, detail) from error
    except TimeoutError:
        caller.check()
        if late := Limit.BACK.spoiled("the connection is not back", began, timeout_s):
            raise late from None
        return CallReconnect(kind)
    finally:
        caller.room.off("reconnected", back.set)
    return CallReconnect(kind, seconds=time.monotonic() - began)


async def fall_silent(
    caller: Breakable, relay: Relay, silence_s: float, timeout_s: float
) -> CallReconnect:
    """Let nothing through in both directions for a while, and wait for the agent's media.

    A short silence is no lost connection for the SDK: it says nothing, and media comes again by
    itself. So it is media that is waited for.

    Args:
        caller: In the call, by way of the relay.
        relay: Of the call.
        silence_s: How long.
        timeout_s: After the silence, when media is not coming back.

    Raises:
        ProbeError: Why the call ended; void: the prober stood still for too much of the time.
    """
    began = time.monotonic()
    relay.silence(silence_s)
    await asyncio.sleep(silence_s - POLL_S)
    before = await caller.received()
    while time.monotonic() < began + silence_s + timeout_s:
        await asyncio.sleep(POLL_S)
        caller.check()
        now = await caller.received()
        # Another count: also that of a track that came anew, which begins at 0.
        if now is not None and (before is None or now.packets != before.packets):
            return CallReconnect("silence", seconds=time.monotonic() - began)
    if late := Limit.MEDIA_BACK.spoiled(
        "the agent's media is not back", began, silence_s + timeout_s
    ):
        raise late
    return CallReconnect("silence")


def breaks_of(scenario: ScenarioConfig, caller: Breakable, relay: Relay | None) -> Breaks | None:
    """Return what breaks the connection of a call; None where nothing does.

    Args:
        scenario: Of the call.
        caller: In the call.
        relay: Of the call; a silence needs one.
    """
    if scenario.kind != "reconnect":
        return None
    if scenario.silence is not None and relay is not None:
        return partial(fall_silent, caller, relay, scenario.silence, BACK_S)
    return partial(break_connection, caller, scenario.breaks, BACK_S)
