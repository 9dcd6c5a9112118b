"""Connections that broke: how long until they were back, and which were not."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.overrides import counted
from dashboards.panels import Card, graph
from dashboards.queries import RARE_STEP, mean, recent, series, total
from dashboards.sfu.series import WAY


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    resumed = _broken(
        141,
        "Time to reconnect",
        "voice_reconnect_seconds",
        "From the break to the SDK's word that it is connected again, mean of those that came back",
    )
    silent = _broken(
        142,
        "Media gaps",
        "voice_media_gap_seconds",
        "The longest time without a packet at the receiver, mean: what a caller hears as silence",
    )
    return resumed, silent, _not_back()


def _broken(id_: int, title: str, histogram: str, meaning: str) -> Panel:
    card = Card(
        id_,
        title,
        f"{meaning}, by what was broken on purpose: signal, the WebSocket; full, everything; "
        "migration, the server gives the participant up; unprovoked, lost during a baseline. "
        f"From {histogram}; n, the breaks of the window, on the right. Bad: above the time-out "
        "after which your callers hang up, or any that is unprovoked.",
        empty="Nothing was broken yet: reconnects are measured each hour",
    )
    by = "vantage, kind"
    breaks = total(by, recent(f"{histogram}_count{{{WAY}}}"))
    return graph(
        card,
        series(mean(histogram, by, WAY), "{{kind}} ({{vantage}})", RARE_STEP),
        series(breaks, "n {{kind}} ({{vantage}})", RARE_STEP),
        unit=Seconds,
        overrides=[counted("^n ")],
    )


def _not_back() -> Panel:
    card = Card(
        143,
        "Connections that did not come back",
        "Connections that were lost, on purpose or unprovoked, and did not come back, in the "
        "window that ends there, by kind and reason. From voice_reconnect_failures_total. "
        "Bad: any.",
        empty="Nothing was broken yet: reconnects are measured each hour",
    )
    lost = total("vantage, kind, reason", recent(f"voice_reconnect_failures_total{{{WAY}}}"))
    query = series(lost, "{{kind}}: {{reason}} ({{vantage}})", RARE_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)
