"""What lost connections say on /metrics: broken on purpose, or lost during a baseline."""

from collections.abc import Iterable, Iterator
from functools import partial

from exporter.outcome import Outcome, Reason, Reconnect, SfuReconnects
from exporter.series import Family, Reading, family

_GAP_BUCKETS = (0.03, 0.06, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 20, 30, 60)

_family = partial(family, "sfu")

RECONNECT = _family(
    "voice_reconnect_seconds",
    "histogram",
    "vantage kind",
    "Time from losing a connection to the SDK reporting it as reconnected. Kinds broken on "
    "purpose: signal, the WebSocket is closed; full, the whole connection is rebuilt; migration, "
    "the server drops the participant. Kind unprovoked: lost during a baseline, measured from the "
    "last media packet before the silence.",
    buckets=_GAP_BUCKETS,
)
GAP = _family(
    "voice_media_gap_seconds",
    "histogram",
    "vantage kind",
    "Longest time without a media packet at the receiver, from losing a connection until media "
    "flows again. A packet carries 20 ms. Kind: signal full migration unprovoked.",
    buckets=_GAP_BUCKETS,
)
FAILURES = _family(
    "voice_reconnect_failures_total",
    "counter",
    "vantage kind reason",
    "Lost connections of the prober that did not recover, by reason: connect_failed, not "
    "reconnected; no_audio_track, reconnected without media; room_closed, the SDK gave up; "
    "api_failed, the connection could not be broken.",
)


def of_breaks(kinds: tuple[str, ...], reasons: tuple[Reason, ...]) -> tuple[Family, ...]:
    """Return the families of connections that were lost, as one probe writes them.

    Args:
        kinds: Of breaks that this probe sees, and no other.
        reasons: Why a connection may not have come back.
    """
    return RECONNECT.of(kind=kinds), GAP.of(kind=kinds), FAILURES.of(kind=kinds, reason=reasons)


FAMILIES = of_breaks(
    ("signal", "full", "migration"),
    (Reason.API_FAILED, Reason.CONNECT_FAILED, Reason.NO_AUDIO_TRACK, Reason.ROOM_CLOSED),
)


def readings(_config: object, outcome: Outcome) -> Iterator[Reading]:
    """Show connections that were broken on purpose."""
    if isinstance(outcome.result, SfuReconnects):
        yield from readings_of_breaks(outcome.result.reconnects)


def readings_of_breaks(reconnects: Iterable[Reconnect]) -> Iterator[Reading]:
    """Show what came of breaks: times of those that came back, reasons of the others."""
    for each in reconnects:
        if each.is_void:
            continue
        if each.reason is not None:
            yield FAILURES.read(1, kind=each.kind, reason=each.reason)
            continue
        if each.resume_s is not None:
            yield RECONNECT.read(each.resume_s, kind=each.kind)
        if each.media_gap_s is not None:
            yield GAP.read(each.media_gap_s, kind=each.kind)
