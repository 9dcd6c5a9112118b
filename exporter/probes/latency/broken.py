"""What calls whose connection was broken on purpose say on /metrics."""

from collections.abc import Iterator
from functools import partial

from exporter.outcome import CallReconnect, CallResult
from exporter.probes.reconnect.families import RECONNECT as OF_PAIRS
from exporter.series import Reading, family

_family = partial(family, "calls")
_NAMED: dict[str, tuple[str, ...]] = {"kind": ()}
"""Only a target that breaks calls has series: from its first break on."""

SECONDS = _family(
    "voice_call_reconnect_seconds",
    "histogram",
    "agent_name call_type scenario vantage kind",
    "Time from breaking the connection of a test call until the SDK reported it as reconnected "
    "(kind: signal full migration), or until the agent's media came again (kind: silence, its own "
    "length included). Those that came back in time. voice_reconnect_seconds has connections "
    "without an agent.",
    buckets=OF_PAIRS.buckets,
).of(**_NAMED)
CALLS = _family(
    "voice_call_reconnects_total",
    "counter",
    "agent_name call_type scenario vantage kind outcome",
    "Connections of test calls that were broken on purpose, by outcome: recovered (the next turn "
    "was answered), lost (not back in time, or the next turn was not answered), void (no turn "
    "tells). Kind: signal full migration silence.",
    outcome=("recovered", "lost", "void"),
).of(**_NAMED)
FAMILIES = (SECONDS, CALLS)


def readings(call: CallResult) -> Iterator[Reading]:
    """Show what became of each break."""
    for each in call.reconnects:
        yield CALLS.read(1, kind=each.kind, outcome=_outcome(each))
        if each.seconds is not None:
            yield SECONDS.read(each.seconds, kind=each.kind)


def _outcome(reconnect: CallReconnect) -> str:
    if reconnect.recovered is None:
        return "void"
    return "recovered" if reconnect.recovered else "lost"
