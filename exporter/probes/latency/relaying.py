"""A call by way of a relay on this host: started with it, ended with it, and blamed for itself."""

import asyncio

from exporter.errors import ProbeError
from exporter.outcome import LineCounts, LineDirection, Reason
from exporter.probe import Run
from exporter.probes.latency.relayed import NetworkLine
from exporter.rtc.relay.relay import Relay


async def start_relay(line: NetworkLine, run: Run, *, needed: bool = False) -> Relay | None:
    """Start the relay of a call; None where its line needs none.

    The run's id is the seed: what happened to the packets of a run can be had again.

    Args:
        line: Of the call.
        run: Of which the call is a part.
        needed: Start it for a good line too, as for a silence in the call.

    Raises:
        ProbeError: void: this host has no socket for it.
    """
    if not (needed or line.is_relayed):
        return None
    relay = Relay(run.server.url, line.impairment("up"), line.impairment("down"), seed=run.id)
    try:
        await asyncio.to_thread(relay.start)
    except OSError as error:
        detail = f"the line: no relay on this host: {error.strerror or error}"
        raise ProbeError(Reason.VOID, detail) from error
    return relay


def blamed(error: ProbeError, relay: Relay | None) -> ProbeError:
    """Return why a caller could not enter: void where it is the relay that cannot be used.

    The SDK asks a relay for an address once the server has let the caller in. If the server's
    media then answers nothing, a caller without a relay may well get through, by TCP for one.
    """
    if relay is None or error.reason is not Reason.CONNECT_FAILED:
        return error
    if not relay.allocated or relay.answered:
        return error
    detail = (
        "the line: no relay can be used here: the server's media did not answer by UDP from "
        f"{relay.own_host} ({error.detail})"
    )
    return ProbeError(Reason.VOID, detail)


def told(counts: LineCounts) -> str:
    """Return a line for people on what the relay did."""
    ways = (("up", counts.up), ("down", counts.down))
    return f"relay: {', '.join(_told(way, counted) for way, counted in ways)}"


def _told(way: str, counted: LineDirection) -> str:
    delay = f", held {counted.delay_p50_s * 1e3:.0f} ms" if counted.delay_p50_s is not None else ""
    return f"{way} dropped {counted.dropped} of {counted.packets} packets{delay}"
