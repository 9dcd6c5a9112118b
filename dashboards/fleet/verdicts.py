"""What fires, worst first, and how verdicts changed."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import DateTimeFromNow

from dashboards.fleet.now import CONCERNED, FIRING
from dashboards.fleet.series import (
    BY_CALL,
    CALL_LEGEND,
    CALLS,
    LATENCY,
    OPEN_AGENT,
    OPEN_SFU,
)
from dashboards.panels import Card, timeline
from dashboards.queries import column, series, verdict
from dashboards.tables import Field, table
from dashboards.values import SEVERITIES, VERDICTS


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _timeline(), _alerts()


def _alerts() -> Panel:
    card = Card(
        121,
        "Alerts",
        "Firing alerts, pages first. From ALERTS_FOR_STATE, which Prometheus writes for its "
        "rules, with the start time of each condition. Bad: severity page. alerts/runbooks has a "
        "page for each alert with the first steps.",
        empty="No alert fires",
        width=24,
    )
    labels = "alertname, severity, server, agent_name, call_type, vantage"
    fires = " or ".join(
        f'{number} * max by ({labels}) (ALERTS{{{FIRING}, severity="{severity}", {CONCERNED}}})'
        for number, severity in enumerate(("ticket", "warning", "page"))
    )
    began = f"max by ({labels}) (ALERTS_FOR_STATE) * 1000"
    fields = [
        Field("Severity", "worst", words=SEVERITIES, width=90),
        Field("Alert", "alertname", width=230, grows=True),
        Field("Agent", "agent_name", url=OPEN_AGENT, width=190),
        Field("Call type", "call_type", width=130),
        Field("Vantage", "vantage", url=OPEN_SFU, width=130),
        Field("Server", "server", width=130),
        Field("Since", "since", DateTimeFromNow, width=150),
    ]
    columns = [column("worst", fires), column("since", f"{began} and ({fires})")]
    return table(card, columns, fields, worst="Severity")


def _timeline() -> Panel:
    card = Card(
        122,
        "Verdicts",
        "Verdict of the last calls of each target. From voice_verdict. Bad: "
        "FAIL: no answer, or later than fail_ms on average; SLOW: later than the target on "
        "average; UNKNOWN: not measured, or the prober itself was late.",
        empty="No agent is called",
        width=24,
        height=10,
    )
    verdicts = verdict(BY_CALL, f"{CALLS}, {LATENCY}")
    return timeline(card, series(verdicts, CALL_LEGEND), words=VERDICTS)
