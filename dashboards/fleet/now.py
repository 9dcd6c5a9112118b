"""How many calls are in which state, whether the way to them works, and what fires."""

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.colors import BAD, DIM, GOOD, PLAIN, WARN
from dashboards.fleet.series import BY_CALL, CALLS, LATENCY, SERVERS
from dashboards.overrides import in_steps
from dashboards.panels import Card, stat
from dashboards.queries import value, verdict
from dashboards.values import VERDICTS, steps

FIRING = 'alertname=~"Voice.*", alertstate="firing"'
CONCERNED = 'server=~"$server|", agent_name=~"$agent_name|"'


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return *_verdicts(), _network(), _firing()


def _verdicts() -> tuple[Panel, ...]:
    texts = (
        (103, "FAIL", 3, "do not get an answer, or later than fail_ms", "any", BAD),
        (102, "SLOW", 2, "are answered later than their target, or badly", "any", WARN),
        (104, "UNKNOWN", 1, "have no measured turn", "any for a long time", DIM),
        (101, "PASS", 0, "are answered within their target", "none", GOOD),
    )
    verdicts = verdict(BY_CALL, f"{CALLS}, {LATENCY}")
    return tuple(
        stat(
            Card(
                id_,
                title,
                f"Number of targets (agent, call type and scenario) whose last calls {meaning}. "
                f"From voice_verdict. Bad: {bad}.",
                empty="No exporter is scraped",
                width=4,
                height=4,
            ),
            value(f"sum({verdicts} == bool {number})"),
            colors=steps(PLAIN, (1, color)),
        )
        for id_, title, number, meaning, bad, color in texts
    )


def _network() -> Panel:
    card = Card(
        105,
        "Network path to the SFU",
        "The worst verdict of baselines, transports and reconnects, over all servers and "
        "vantages. From voice_verdict. Bad: SLOW or FAIL, because they slow down every agent: "
        "the row on servers below names the cause.",
        empty="Not measured",
        width=4,
        height=4,
    )
    worst = verdict("server", f'{SERVERS}, check=~"sfu|reach|reconnect"')
    return stat(card, value(f"max({worst})"), words=VERDICTS)


def _firing() -> Panel:
    card = Card(
        106,
        "Firing alerts",
        "Firing alerts by severity, without the watchdog. From ALERTS, which Prometheus writes "
        "for its rules. Bad: pages; the table below lists all of them, pages first.",
        empty="The rules are not loaded",
        width=4,
        height=4,
    )
    severities = (("page", BAD), ("warning", WARN), ("ticket", DIM))
    counts = [
        value(f'count(ALERTS{{{FIRING}, severity="{each}", {CONCERNED}}}) or vector(0)', f"{each}s")
        for each, _ in severities
    ]
    colors = [in_steps(f"^{each}s$", steps(PLAIN, (1, color))) for each, color in severities]
    return stat(card, *counts, overrides=colors)
