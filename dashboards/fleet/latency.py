"""Latency against its target: all of them as a grid, the worst as lines."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import PercentUnit

from dashboards.fleet.series import (
    BY_CALL,
    CALL_LEGEND,
    CALLS,
    OBJECTIVE,
    share_of_target,
    within,
)
from dashboards.overrides import dashed
from dashboards.panels import Card, graph, grid
from dashboards.queries import CALL_STEP, increase, rate, series
from dashboards.values import SHARE_OF_LIMIT

_WITHIN = f"voice_turns_within_target_total{{{CALLS}}}"
_JUDGED = f'voice_turns_total{{{CALLS}, outcome!="void"}}'
_WORST = 5


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _grid(), _worst(), _slo()


def _grid() -> Panel:
    card = Card(
        131,
        "Last call, as a share of the target",
        "Mean latency of the last call of each target, divided by its configured target, over "
        "time. From voice_last_call_latency_seconds and voice_target_latency_seconds. Bad: red: "
        "callers wait longer than the target. A gap: the call failed.",
        empty="No turn was measured",
        width=24,
        height=10,
    )
    query = series(share_of_target(), CALL_LEGEND, CALL_STEP)
    return grid(card, query, unit=PercentUnit, colors=SHARE_OF_LIMIT)


def _worst() -> Panel:
    card = Card(
        132,
        "The five slowest now, as a share of the target",
        "The same of the five that are furthest above their target at the end of the time range. "
        "From voice_last_call_latency_seconds and voice_target_latency_seconds. Bad: above 100 %.",
        empty="No turn was measured",
        width=12,
    )
    now = f"topk({_WORST}, {share_of_target(' @ end()')})"
    query = series(
        f"{share_of_target()} and on ({BY_CALL}) {now}",
        CALL_LEGEND,
        CALL_STEP,
    )
    return graph(card, query, unit=PercentUnit, limit=1)


def _slo() -> Panel:
    card = Card(
        133,
        "The five with the fewest turns within target",
        "Share of turns answered within the target, of the five targets with the smallest share "
        "over the time range. Failed turns count as late, void turns do not count. From "
        "voice_turns_within_target_total over voice_turns_total. Bad: below the objective, the "
        "dashed line: the error budget shrinks.",
        empty="No turn was measured",
        width=12,
    )
    least = within(_at_end(_WITHIN), _at_end(_JUDGED))
    share = within(rate(_WITHIN), rate(_JUDGED))
    worst = f"{share} and on ({BY_CALL}) bottomk({_WORST}, {least})"
    return graph(
        card,
        series(worst, CALL_LEGEND, CALL_STEP),
        series(OBJECTIVE, "objective ({{server}})"),
        unit=PercentUnit,
        overrides=[dashed("^objective")],
    )


def _at_end(counter: str) -> str:
    """Return the increase over the time range, the same at every point."""
    return increase(counter).replace("]", "] @ end()")
