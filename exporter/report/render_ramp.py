"""A ramp for people: how far it is, on stderr, and what it found."""

from typing import Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from exporter.outcome import RampProgress
from exporter.probes.ramp.judge import JudgedTier
from exporter.report.ramp import ProberCost, RampItem, RampReport
from exporter.report.render import STYLES, clean, console


class RampBar:
    """A progress bar with the current round trip; without a terminal, a line for each tier."""

    def __init__(self) -> None:
        self._console = console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[rtt]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._clients = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._bar.stop()

    def show(self, progress: RampProgress) -> None:
        """Show how far it is."""
        if not self._console.is_terminal:
            if progress.clients != self._clients:
                self._console.print(f"ramp: {progress.clients} clients")
            self._clients = progress.clients
            return
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("", total=1.0, rtt="")
        rtt = progress.round_trip_s
        self._bar.update(
            self._task,
            completed=progress.done,
            description=f"{progress.clients} clients",
            rtt="connecting" if rtt is None else f"rtt {rtt * 1000:.1f}ms",
        )


def print_ramp(report: RampReport) -> None:
    """Print a row for each tier, then the knee, and what the prober spent."""
    out = console()
    if report.tiers:
        out.print(tier_table([RampItem.of(tier) for tier in report.tiers]))
        for tier in report.tiers:
            for why in (*tier.broken, *tier.limits):
                out.print(f"{tier.clients} clients: {clean(why)}", soft_wrap=True)
        out.print(f"knee {report.knee.text}")
        out.print(_prober(report.tiers[-1]), soft_wrap=True)
    for finding in report.findings:
        out.print(f"{finding.verdict}: {clean(finding.text)}", soft_wrap=True)
    out.print(Text("RAMP: ").append(report.verdict, STYLES[report.verdict]))


def tier_table(items: list[RampItem]) -> Table:
    """Return a table with a row for each tier."""
    heads = "CLIENTS", "CONNECTED", "RTT P50", "P95", "MAX", "N", "LOSS", "QUALITY", "LIMIT"
    table = Table(*heads, box=None, pad_edge=False)
    for item in items:
        rtt = item.rtt_ms
        table.add_row(
            str(item.clients),
            str(item.connected),
            *(_ms(each) for each in (rtt.p50, rtt.p95, rtt.max)),
            str(rtt.n),
            "-" if item.loss_pct is None else f"{item.loss_pct:.1f}%",
            item.quality or "-",
            "prober" if item.limited else "target" if item.broken else "-",
        )
    return table


def _prober(tier: JudgedTier) -> str:
    cost = ProberCost.of(tier.clients, tier.summary.prober)
    if cost is None:
        return "prober: cost not known"
    processes = f"{cost.processes} process{'' if cost.processes == 1 else 'es'}"
    return (
        f"prober: {cost.cpu_per_client:.1%} of a CPU per client in {processes}; "
        f"{cost.cores:g} CPUs of this host sustain ~{cost.carries} clients"
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}ms"
