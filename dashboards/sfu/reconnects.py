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
        "Time from losing a connection to the SDK reporting it as reconnected, mean of those that "
        "recovered",
    )
    silent = _broken(
        142,
        "Media gaps",
        "voice_media_gap_seconds",
        "The longest time without a packet at the receiver, mean: silence as heard by a caller",
    )
    return resumed, silent, _not_back()


def _broken(id_: int, title: str, histogram: str, meaning: str) -> Panel:
    card = Card(
        id_,
        title,
        f"{meaning}, by kind. Broken on purpose: signal, the WebSocket; full, the whole "
        "connection; migration, the server drops the participant. unprovoked: lost during a "
        f"baseline. From {histogram}; n, the lost connections of the window, on the right axis. "
        "Bad: above the time-out after which your callers hang up, or any that is unprovoked.",
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
        "Connections that did not recover",
        "Lost connections, on purpose or unprovoked, that did not recover in the window that ends "
        "at each point, by kind and reason. From voice_reconnect_failures_total. Bad: any.",
        empty="Every connection recovered",
    )
    lost = total("vantage, kind, reason", recent(f"voice_reconnect_failures_total{{{WAY}}}"))
    query = series(f"{lost} > 0", "{{kind}}: {{reason}} ({{vantage}})", RARE_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)
