"""Real calls, as webhooks and agents report them: how they end, who waits, how long turns take."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import DateTimeFromNow, PercentUnit, Seconds, Short

from dashboards import live_turns
from dashboards.board import REAL_CALLS, Board, Section
from dashboards.panels import Card, graph, stat
from dashboards.queries import (
    CALL_STEP,
    increase,
    quantile,
    rate,
    recent,
    seen,
    series,
    total,
    value,
)
from dashboards.values import NONE_IS_GOOD, SOME_IS_ODD
from dashboards.variables import CALLED_AGENTS, SERVER

_SERVERS = 'server=~"$server"'
_AGENTS = f'{_SERVERS}, agent_name=~"$agent_name"'
_BY_AGENT = "server, agent_name"
_LEGEND = "{{agent_name}} ({{server}})"
_NONE = "No webhook has come, or no call has ended: docs/real-calls.md"


def board() -> Board:
    """Return the dashboard."""
    return Board(
        uid=REAL_CALLS,
        title="Voice / Real calls",
        text="Calls of real callers: how many, how they end, who waits in vain",
        variables=(SERVER, CALLED_AGENTS),
        alerts='server=~"$server|", agent_name=~"$agent_name|"',
        sections=(
            Section(100, "Now", _now()),
            Section(110, "Calls", (_ends(), _regions(), _durations())),
            Section(120, "Callers", (_waits(), _abandoned(), _short(), _transfers())),
            Section(130, "Connections", (_disconnects(), _telephone())),
            Section(140, "Webhooks", (_events(), _refused())),
            Section(150, "Turns, as the agents report them", live_turns.panels(_AGENTS)),
        ),
    )


def _now() -> tuple[Panel, ...]:
    calls = f"sum({increase(f'voice_calls_total{{{_AGENTS}}}')})"
    left = f"sum({increase(f'voice_callers_abandoned_total{{{_AGENTS}}}')})"
    opened = seen("server", f"voice_calls_open{{{_SERVERS}}}")
    last = f"max(voice_webhook_last_event_timestamp_seconds{{{_SERVERS}}}) * 1000"
    lost = f"sum({increase(f'voice_webhook_events_lost_total{{{_SERVERS}}}')})"
    return (
        stat(
            _card(
                101,
                "Open calls",
                "Rooms with a caller. From voice_calls_open. Bad: none at a busy hour.",
            ),
            value(f"sum({opened})"),
        ),
        stat(
            _card(
                102,
                "Calls that ended",
                "Over the time range. From voice_calls_total. Bad: far fewer than usual.",
            ),
            value(calls),
        ),
        stat(
            _card(
                103,
                "Abandoned",
                "Share of calls whose caller left before any agent could be "
                "heard, over the time range. From voice_callers_abandoned_total over "
                "voice_calls_total. Bad: any for long.",
            ),
            value(f"{left} / ({calls} > 0)"),
            unit=PercentUnit,
            colors=SOME_IS_ODD,
        ),
        stat(
            _card(
                104,
                "Last event",
                "When the last webhook event was accepted. From "
                "voice_webhook_last_event_timestamp_seconds. Bad: long ago, while there are "
                "calls.",
                width=8,
            ),
            value(last),
            unit=DateTimeFromNow,
        ),
        stat(
            _card(
                105,
                "Lost events",
                "Events that the server dropped, and ends of calls that "
                "never came, over the time range. From voice_webhook_events_lost_total. Bad: any: "
                "the figures have gaps.",
            ),
            value(lost),
            colors=NONE_IS_GOOD,
        ),
    )


def _card(id_: int, title: str, text: str, width: int = 4) -> Card:
    return Card(id_, title, text, empty=_NONE, width=width, height=4)


def _ends() -> Panel:
    card = Card(
        111,
        "Calls by the one who ended them",
        "Calls that ended in the window that ends at each point, by the first to leave: caller, "
        "agent, server (room deleted, participant removed, shutdown) or failure. From "
        "voice_calls_total. Bad: failure.",
        empty=_NONE,
        width=8,
    )
    ends = total(f"{_BY_AGENT}, ended_by", recent(f"voice_calls_total{{{_AGENTS}}}"))
    query = series(ends, "{{ended_by}}: {{agent_name}} ({{server}})", CALL_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)


def _regions() -> Panel:
    card = Card(
        112,
        "Failed calls by region",
        "Share of calls that ended with a failure, by the caller's region. From voice_calls_total. "
        "Bad: one region far above the others.",
        empty=_NONE,
        width=8,
    )
    failed = total("server, region", rate(f'voice_calls_total{{{_AGENTS}, ended_by="failure"}}'))
    calls = total("server, region", rate(f"voice_calls_total{{{_AGENTS}}}"))
    query = series(f"{failed} / ({calls} > 0)", "{{region}} ({{server}})", CALL_STEP)
    return graph(card, query, unit=PercentUnit)


def _durations() -> Panel:
    card = Card(
        113,
        "Duration of calls",
        "Median and 10th percentile of the duration of calls. From voice_call_duration_seconds. "
        "Bad: a sudden fall: callers give up.",
        empty=_NONE,
        width=8,
    )
    lengths = rate(f"voice_call_duration_seconds_bucket{{{_AGENTS}}}")
    return graph(
        card,
        series(quantile(0.5, _BY_AGENT, lengths), f"median {_LEGEND}", CALL_STEP),
        series(quantile(0.1, _BY_AGENT, lengths), f"p10 {_LEGEND}", CALL_STEP),
        unit=Seconds,
    )


def _waits() -> Panel:
    card = Card(
        121,
        "Wait for the agent",
        "From the caller's coming to the agent's published microphone track: median and p95. From "
        "voice_caller_wait_seconds, in whole seconds. Bad: more than a few seconds.",
        empty=_NONE,
        width=12,
    )
    waits = rate(f"voice_caller_wait_seconds_bucket{{{_AGENTS}}}")
    return graph(
        card,
        series(quantile(0.5, _BY_AGENT, waits), f"median {_LEGEND}", CALL_STEP),
        series(quantile(0.95, _BY_AGENT, waits), f"p95 {_LEGEND}", CALL_STEP),
        unit=Seconds,
    )


def _abandoned() -> Panel:
    text = (
        "Calls whose caller left before any agent could be heard, in the window that ends at each "
        "point. From voice_callers_abandoned_total. Bad: any for long. A call that no agent came "
        "to has no agent's name."
    )
    return _counts(122, "Abandoned calls", text, "voice_callers_abandoned_total")


def _short() -> Panel:
    text = (
        "Calls with an agent that were shorter than calls.short_below, in the window that ends at "
        "each point. From voice_short_calls_total. Bad: more than usual."
    )
    return _counts(123, "Short calls", text, "voice_short_calls_total")


def _transfers() -> Panel:
    text = (
        "Times an agent left a caller to another agent or person, in the window that ends at each "
        "point. From voice_transfers_total. Bad: far from usual."
    )
    return _counts(124, "Transfers", text, "voice_transfers_total")


def _counts(id_: int, title: str, text: str, name: str) -> Panel:
    counted = total(_BY_AGENT, recent(f"{name}{{{_AGENTS}}}"))
    card = Card(id_, title, text, empty=_NONE, width=12)
    query = series(counted, _LEGEND, CALL_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)


def _disconnects() -> Panel:
    card = Card(
        131,
        "Participants that left, by reason",
        "By kind and the server's reason, in the window that ends at each point. From "
        "voice_participant_disconnects_total. Bad: signal_close, connection_timeout, "
        "media_failure, join_failure, agent_error.",
        empty=_NONE,
        width=12,
    )
    left = recent(f"voice_participant_disconnects_total{{{_SERVERS}}}")
    query = series(
        total("server, kind, reason", left), "{{kind}}: {{reason}} ({{server}})", CALL_STEP
    )
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)


def _telephone() -> Panel:
    card = Card(
        132,
        "Telephone calls by trunk",
        "Calls by SIP trunk and last status, in the window that ends at each point. From "
        "voice_sip_calls_total. Bad: a trunk without calls, or with dialing as the last status.",
        empty="No call came by telephone",
        width=12,
    )
    calls = total("server, trunk, status", recent(f"voice_sip_calls_total{{{_SERVERS}}}"))
    query = series(calls, "{{trunk}}: {{status}} ({{server}})", CALL_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)


def _events() -> Panel:
    card = Card(
        141,
        "Webhook events",
        "Events accepted per second, by kind. From voice_webhook_events_total. Bad: none, while "
        "there are rooms.",
        empty="No webhook has come: docs/real-calls.md",
        width=12,
    )
    events = total("server, event", rate(f"voice_webhook_events_total{{{_SERVERS}}}"))
    return graph(card, series(events, "{{event}} ({{server}})"), unit=Short, is_stacked=True)


def _refused() -> Panel:
    card = Card(
        142,
        "Webhook deliveries without effect",
        "By reason, in the window that ends at each point. From "
        "voice_webhook_events_refused_total. Bad: signature (another key, or forged); duplicate "
        "and late are deliveries that the server repeated.",
        empty="No webhook has come: docs/real-calls.md",
        width=12,
    )
    refused = recent(f"voice_webhook_events_refused_total{{{_SERVERS}}}")
    query = series(total("server, reason", refused), "{{reason}} ({{server}})", CALL_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)
