"""The first table: every target with its verdict, and what explains it."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.prometheus import Dataquery
from grafana_foundation_sdk.models.units import DateTimeFromNow, PercentUnit, Seconds

from dashboards import colors
from dashboards.colors import WARN
from dashboards.fleet.series import (
    AGENTS,
    BY_AGENT,
    BY_CALL,
    CALLS,
    FAILED,
    LATENCY,
    OPEN_AGENT,
    SERVERS,
    TARGETS,
    last_call,
    share_of_target,
    within,
)
from dashboards.links import last_failed_run
from dashboards.panels import Card
from dashboards.queries import column, increase, pages, seen, spread, verdict
from dashboards.tables import Field, share, table
from dashboards.values import NONE_IS_BAD, VERDICTS, painted, steps
from exporter.colors import COMPONENTS


def panels() -> tuple[Panel, ...]:
    """Return the panel of the row."""
    card = Card(
        111,
        "Agents by call type and scenario",
        "The verdict of the last calls, since when it holds, and why: the reason of the last run "
        "if it failed, its latency against the target if it did not, and the component that took "
        "most of it. Within: share of turns over the time range that were answered in time, "
        "failed turns included, void turns not. In service: workers that are idle, busy or full. "
        "Waiting: dispatches that no agent has joined for. From voice_verdict, "
        "voice_verdict_since_timestamp_seconds, voice_probe_last_run_failed, "
        "voice_last_call_latency_seconds, voice_last_call_component_seconds, voice_turns_*, "
        "voice_workers and voice_dispatches_pending. Bad: FAIL and SLOW, which come first. A click "
        "on an agent opens its dashboard, a click on a reason its last failed call.",
        empty="No agent is called",
        width=24,
        height=14,
    )
    return (table(card, _columns(), _fields(), worst="Verdict"),)


def _columns() -> list[Dataquery]:
    target = f"voice_turns_within_target_total{{{CALLS}}}"
    judged = f'voice_turns_total{{{CALLS}, outcome!="void"}}'
    parts = f"max by ({BY_CALL}, component) (voice_last_call_component_seconds{{{CALLS}}})"
    since = f"voice_verdict_since_timestamp_seconds{{{CALLS}, {LATENCY}}}"
    in_service = seen(BY_AGENT, f"agent:voice_workers_in_service:max{{{AGENTS}}}")
    waiting = seen(BY_AGENT, f"voice_dispatches_pending{{{AGENTS}}}")
    return [
        column("verdict", verdict(BY_CALL, f"{CALLS}, {LATENCY}")),
        column("since", f"1000 * {seen(BY_CALL, since)}"),
        column("why", f"topk by ({BY_CALL}) (1, {seen(f'{BY_CALL}, reason', FAILED)})"),
        column("last", last_call()),
        column("share", share_of_target()),
        column("slowest", f"topk by ({BY_CALL}) (1, {parts})"),
        column("within", within(increase(target), increase(judged))),
        column("in service", spread(BY_AGENT, in_service, TARGETS, BY_CALL)),
        column("waiting", spread(BY_AGENT, waiting, TARGETS, BY_CALL)),
        column("pages", pages(SERVERS, TARGETS, BY_CALL)),
    ]


def _fields() -> list[Field]:
    last_failed = last_failed_run(
        "${__data.fields.Pages:raw}",
        agent_name="${__data.fields.Agent}",
        call_type='${__data.fields["Call type"]}',
        scenario="${__data.fields.Scenario}",
    )
    parts, reasons = painted(COMPONENTS), painted(colors.REASONS)
    return [
        Field("Agent", "agent_name", url=OPEN_AGENT, width=130, grows=True),
        Field("Call type", "call_type", width=85),
        Field("Scenario", "scenario", width=80),
        Field("Server", "server", width=75),
        Field("Verdict", "verdict", words=VERDICTS, width=80),
        Field("Since", "since", DateTimeFromNow, width=95),
        Field("Reason", "reason", words=reasons, url=last_failed, width=105),
        Field("Last call", "last", Seconds, decimals=2, width=75),
        share("Of target", "share", width=95),
        Field("Slowest part", "component", words=parts, width=100),
        Field("Took", "slowest", Seconds, decimals=2, width=65),
        Field("Within", "within", PercentUnit, decimals=1, width=70),
        Field("In service", "in service", colors=NONE_IS_BAD, width=85),
        Field("Waiting", "waiting", colors=steps(colors.PLAIN, (1, WARN)), width=70),
        Field("Pages", "url", is_hidden=True, width=0),
    ]
