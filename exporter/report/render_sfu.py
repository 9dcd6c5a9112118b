"""The table of a baseline for people."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from exporter.report.render import STYLES, clean, console
from exporter.report.sfu import BaselineItem, SfuReport

_SILENCE_S = 1.0
"""Silence worth a line; shorter gaps are what loss and jitter tell."""


def print_sfu(report: SfuReport, *, label: str = "VERDICT") -> None:
    """Print what `sfu` found, then what is not well about it.

    Args:
        report: What was found.
        label: Stands before the verdict.
    """
    out = console()
    if report.baseline:
        item = BaselineItem.of(report.baseline)
        out.print(_table(item))
        for line in _lines(item):
            out.print(line, soft_wrap=True)
        if (report.baseline.media_gap_s or 0.0) >= _SILENCE_S:
            out.print(f"silence: no packet came for {report.baseline.media_gap_s:.2f} s")
    for finding in report.findings:
        out.print(f"{finding.verdict}: {clean(finding.text)}", soft_wrap=True)
    out.print(Text(f"{label}: ").append(report.verdict, STYLES[report.verdict]))


def _table(item: BaselineItem) -> Table:
    heads = "VANTAGE", "RTT P50", "P95", "MAX", "N", "ICE RTT", "LOSS UP", "DOWN", "JITTER", "BY"
    table = Table(*heads, "QUALITY", box=None, pad_edge=False)
    rtt = item.rtt_ms
    table.add_row(
        clean(item.vantage),
        *map(_ms, (rtt.p50, rtt.p95, rtt.max)),
        str(rtt.n),
        _ms(item.ice_rtt_ms),
        _percent(item.loss_up_pct),
        _percent(item.loss_down_pct),
        _ms(item.jitter_ms),
        item.transport or "-",
        item.quality or "-",
    )
    return table


def _lines(item: BaselineItem) -> Iterable[str]:
    """Yield what is behind the row: sizes of the samples, phases, the probe's own share."""
    connect = item.connect_ms
    yield (
        f"loss over {item.packets_up} packets up, {item.packets_down} down · concealed "
        f"{_percent(item.concealed_pct)} · data messages lost {item.pings_lost}, "
        f"void {item.pings_void}"
    )
    yield (
        f"connect: signal {_ms(connect.signal)} · ice {_ms(connect.ice)} · media "
        f"{_ms(connect.media)} · {item.candidate_type or 'unknown'} candidate"
    )
    if item.floor_ms is not None:
        yield f"floor: {_ms(item.floor_ms)} of each message is this process; it is taken off"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}ms"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}%"
