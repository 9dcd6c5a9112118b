"""A dashboard out of sections: places on the grid, links to the others, alerts as annotations."""

from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import (
    AnnotationContainer,
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardDashboardTemplating,
    DashboardDashboardTime,
    DashboardLink,
    DashboardLinkType,
    GridPos,
    Panel,
    RowPanel,
)

from dashboards.queries import PROMETHEUS, series
from dashboards.variables import Variable, carried, models

COLUMNS = 24
_ALERT_STEP = "60s"
FLEET, AGENT, SFU, EXPORTER = "voice-fleet", "voice-agent", "voice-sfu", "voice-exporter"
REAL_CALLS = "voice-real-calls"
"""What the dashboards are known by; alerts and people's bookmarks have them."""


@dataclass(frozen=True, slots=True)
class Section:
    """A row with its title, and the panels under it, from left to right."""

    id: int
    title: str
    panels: tuple[Panel, ...]
    repeat: str | None = None
    """The variable for each of whose values the section is there once."""
    is_folded: bool = False
    """Whether it is opened by a click: what is looked at after the cause is known, or rarely."""


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard, before it is put into Grafana's form."""

    uid: str
    title: str
    text: str
    variables: tuple[Variable, ...]
    alerts: str
    """Matchers of the alerts that concern it."""
    sections: tuple[Section, ...]


def build(board: Board, others: tuple[Board, ...]) -> Dashboard:
    """Return the dashboard in Grafana's form, with links to the others."""
    return Dashboard(
        uid=board.uid,
        title=board.title,
        description=board.text,
        tags=["voice-exporter"],
        editable=True,
        graph_tooltip=DashboardCursorSync.CROSSHAIR,
        time=DashboardDashboardTime("now-1h", "now"),
        refresh="30s",
        version=1,
        templating=DashboardDashboardTemplating(models(board.variables)),
        annotations=AnnotationContainer([_alerts(board.alerts)]),
        links=[_link(board, other) for other in others],
        panels=_placed(board.sections),
    )


def _placed(sections: tuple[Section, ...]) -> list[Panel | RowPanel]:
    """Put the panels onto the grid; a line of them ends where the next one has no place."""
    placed: list[Panel | RowPanel] = []
    top = 0
    for section in sections:
        place = GridPos(x=0, y=top, w=COLUMNS, h=1)
        row = RowPanel(section.is_folded, section.title, None, place, section.id)
        row.repeat = section.repeat
        placed.append(row)
        end = _fill(section.panels, top + 1)
        if section.is_folded:
            row.panels = [*section.panels]
            top += 1
        else:
            placed += section.panels
            top = end
    return placed


def _fill(panels: tuple[Panel, ...], top: int) -> int:
    """Place one section's panels from this height on; return where it ends."""
    left = tallest = 0
    for panel in panels:
        size = panel.grid_pos or GridPos()
        if left + size.w > COLUMNS:
            top, left, tallest = top + tallest, 0, 0
        panel.grid_pos = GridPos(h=size.h, w=size.w, x=left, y=top)
        left, tallest = left + size.w, max(tallest, size.h)
    return top + tallest


def _alerts(matchers: str) -> AnnotationQuery:
    """Return the spans in which alerts fire, as Prometheus remembers them."""
    always = 'alertname=~"Voice.*", alertstate="firing", severity!="none"'
    expr = f"ALERTS{{{always}, {matchers}}}"
    return AnnotationQuery(
        name="Alerts",
        datasource=PROMETHEUS,
        enable=True,
        icon_color="red",
        expr=expr,  # older Grafanas read these two
        step=_ALERT_STEP,
        target=series(expr, "", _ALERT_STEP),
        title_format="{{alertname}}",
        text_format="{{severity}} {{agent_name}}",
        tag_keys="severity,server",
    )


def _link(here: Board, there: Board) -> DashboardLink:
    return DashboardLink(
        title=there.title,
        type_val=DashboardLinkType.LINK,
        icon="dashboard",
        tooltip=there.text,
        url=f"/d/{there.uid}?{carried(here.variables, there.variables)}",
        keep_time=True,
    )
