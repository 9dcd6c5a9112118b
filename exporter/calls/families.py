"""What the calls that ended say on /metrics."""

from collections.abc import Iterator
from functools import partial
from itertools import product

from exporter.calls.call import Call
from exporter.series import Family, Reading, family

ENDED_BY = ("caller", "agent", "server", "failure")
SIP_STATUSES = ("active", "automation", "dialing", "hangup", "ringing", "other")
EVENTS = (
    *("room_started", "room_finished"),
    *("participant_joined", "participant_left", "participant_connection_aborted"),
    *("track_published", "track_unpublished"),
    *("egress_started", "egress_updated", "egress_ended"),
    *("ingress_started", "ingress_ended", "other"),
)
"""Values of the label `event`; those of a newer server are `other`."""
REFUSALS = ("signature", "content_type", "too_large", "body", "duplicate", "late")

_family = partial(family, "real calls")

CALLS = _family(
    "voice_calls_total",
    "counter",
    "agent_name ended_by region",
    "Real calls that ended, from webhooks: sessions of a room in which a human was. By the agent "
    "that spoke first and by the first to leave: caller, agent, server (room deleted, participant "
    "removed, shutdown) or failure (a connection was lost, an agent failed). Regions beyond the "
    "first 50 are `other`. Rooms of probes do not count.",
    ended_by=ENDED_BY,
)
DURATION = _family(
    "voice_call_duration_seconds",
    "histogram",
    "agent_name",
    "Duration of real calls: from the caller's coming until the caller or the last agent left. "
    "Webhooks have whole seconds.",
    buckets=(5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200),
)
WAIT = _family(
    "voice_caller_wait_seconds",
    "histogram",
    "agent_name",
    "From the caller's coming until the first agent published its microphone's track, 0 if it was "
    "there before, of real calls. Webhooks have whole seconds.",
    buckets=(0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 60),
)
ABANDONED = _family(
    "voice_callers_abandoned_total",
    "counter",
    "agent_name",
    "Real calls whose caller left before any agent had published a microphone track. Outbound "
    "telephone calls that nobody picked up do not count.",
)
SHORT = _family(
    "voice_short_calls_total",
    "counter",
    "agent_name",
    "Real calls with an agent that lasted for less than calls.short_below.",
)
TRANSFERS = _family(
    "voice_transfers_total",
    "counter",
    "agent_name",
    "Times an agent left a caller who stayed to another agent or person that came after it.",
)
DISCONNECTS = _family(
    "voice_participant_disconnects_total",
    "counter",
    "kind reason",
    "Participants that left rooms of real calls, by kind and by the server's reason, counted when "
    "the call has ended.",
    reason=(),
)
SIP = _family(
    "voice_sip_calls_total",
    "counter",
    "trunk status",
    "Real calls by telephone, by the id of the SIP trunk and by the last sip.callStatus. Trunks "
    "beyond the first 50 are `other`.",
    trunk=(),
    status=SIP_STATUSES,
)
ACCEPTED = _family(
    "voice_webhook_events_total",
    "counter",
    "event",
    "Webhook events accepted, those of probes' rooms included.",
    event=EVENTS,
)
REFUSED = _family(
    "voice_webhook_events_refused_total",
    "counter",
    "reason",
    "Webhook deliveries that changed nothing: signature (not of this server's key, another body, "
    "too old), content_type, too_large, body (no event), duplicate (its id was taken), late (its "
    "call was counted already). The last two are answered as taken, or the server would repeat "
    "them.",
    reason=REFUSALS,
)
LOST = _family(
    "voice_webhook_events_lost_total",
    "counter",
    "",
    "Webhook events lost: those that the server says it dropped, and the end of calls of which "
    "nothing was heard for a day.",
)
LAST = _family(
    "voice_webhook_last_event_timestamp_seconds",
    "gauge",
    "",
    "Unix time at which the last webhook event was accepted. Absent before the first; with "
    "webhooks.expected the time of the start until then.",
)
OPEN = _family(
    "voice_calls_open",
    "gauge",
    "",
    "Rooms with real calls that have not ended, from webhooks.",
)

OF_AGENTS = (CALLS, DURATION, WAIT, ABANDONED, SHORT, TRANSFERS)
FAMILIES = (*OF_AGENTS, DISCONNECTS, SIP, ACCEPTED, REFUSED, LOST, LAST, OPEN)


def figures(call: Call, short_below_s: float) -> Iterator[Reading]:
    """Yield what a call that ended says; nothing if it was no call, or a probe's.

    Args:
        call: Of which no more events are expected.
        short_below_s: Below this duration it is short.
    """
    if not call.is_real:
        return
    name = call.agent_name
    yield CALLS.read(1, agent_name=name, ended_by=call.ended_by, region=call.region)
    yield DURATION.read(call.duration_s, agent_name=name)
    if call.wait_s is not None:
        yield WAIT.read(call.wait_s, agent_name=name)
    if call.was_abandoned:
        yield ABANDONED.read(1, agent_name=name)
    elif call.agents and call.duration_s < short_below_s:
        yield SHORT.read(1, agent_name=name)
    if call.transfers:
        yield TRANSFERS.read(call.transfers, agent_name=name)
    for person in call.people.values():
        if person.gone_at is not None:
            yield DISCONNECTS.read(1, kind=person.kind, reason=person.reason)
    if call.caller[0].kind == "sip":
        last = call.caller[-1]
        status = last.sip_status if last.sip_status in SIP_STATUSES else "other"
        yield SIP.read(1, trunk=last.trunk, status=status)


def zeros(agent_name: str, region: str = "") -> Iterator[tuple[Family, tuple[str, ...]]]:
    """Yield the series of an agent that must exist before its first call ends."""
    for each in OF_AGENTS:
        if each is CALLS:
            ends = product((agent_name,), ENDED_BY, (region,))
            yield from ((each, labels) for labels in ends)
        else:
            yield each, (agent_name,)
