"""Ramps of clients: what `sfu --load` prints, and how far one is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from exporter.outcome import RampProgress
from exporter.probes.ramp.figures import RampFigures
from exporter.probes.ramp.judge import JudgedTier, Knee
from exporter.probes.ramp.spec import RampConfig, figures_of, judged_tiers, ramp_knee
from exporter.probes.ramp.summary import Prober
from exporter.report.printing import (
    Judged,
    clean,
    console,
    ms,
    percent,
    print_findings,
    print_verdict,
    say,
)
from exporter.stats import p95, quantile


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """Statistics of round trips, in milliseconds; `None` where n allows no value."""

    p50: float | None
    p95: float | None
    """None below 20 samples."""
    max: float | None
    n: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Compute the statistics of round trips in seconds."""
        values = sorted(each * 1000 for each in seconds)
        if not values:
            return cls(None, None, None, 0)
        return cls(quantile(values, 0.5), p95(values), values[-1], len(values))


@dataclass(frozen=True, slots=True)
class RampReport(Judged[RampConfig]):
    """One ramp, with its judgement."""

    @property
    def tiers(self) -> tuple[JudgedTier, ...]:
        """The tiers as far as it came."""
        return judged_tiers(self.config, self.outcome)

    @property
    def knee(self) -> Knee:
        """The knee, or why there is none."""
        return ramp_knee(self.config, self.outcome)

    @property
    def figures(self) -> RampFigures | None:
        """What an exporter shows of it; None if no tier was measured."""
        return figures_of(self.config, self.outcome)


@dataclass(frozen=True, slots=True)
class ProberCost:
    """What a tier cost the prober."""

    cpu_per_client: float
    """Share of one CPU."""
    memory_per_client_bytes: int
    """Resident, that of the processes themselves included."""
    processes: int
    cores: float
    carries: int
    """Clients that would take all CPUs, at this cost of each."""

    @classmethod
    def of(cls, clients: int, prober: Prober) -> Self | None:
        """Compute it; None if nothing is known."""
        if not clients or prober.cpu_cores <= 0:
            return None
        each = prober.cpu_cores / clients
        memory = prober.memory_bytes // clients
        return cls(each, memory, prober.processes, prober.cores, int(prober.cores / each))


@dataclass(frozen=True, slots=True)
class RampItem:
    """One level of a ramp: of `ramp` in the document."""

    clients: int
    rtt_ms: RoundTrips
    loss_pct: float | None
    """Of the audio, from client to client."""
    quality: str
    limited: bool
    """The prober was the limit, not the SFU."""
    connected: int
    """Clients that were connected to the end."""
    broken: tuple[str, ...]
    """Targets that did not hold."""
    limits: tuple[str, ...]
    """What of the prober was at its limit."""
    sent_kbps: float | None
    """Kilobits of audio a second that a client sent, on average, with the headers of RTP."""
    received_kbps: float | None
    """The same of what came to a client."""
    prober: ProberCost | None
    """What the tier cost the prober; null if nothing is known."""

    @classmethod
    def of(cls, tier: JudgedTier) -> Self:
        """Describe one tier."""
        found = tier.summary
        times = (found.rtt_p50_s, found.rtt_p95_s, found.rtt_max_s)
        p50, p95, most = (None if each is None else each * 1000 for each in times)
        return cls(
            clients=tier.clients,
            rtt_ms=RoundTrips(p50, p95, most, found.pings),
            loss_pct=None if found.loss_ratio is None else found.loss_ratio * 100,
            quality=found.quality,
            limited=tier.limited,
            connected=found.connected,
            broken=tier.broken,
            limits=tier.limits,
            sent_kbps=found.sent_kbps,
            received_kbps=found.received_kbps,
            prober=ProberCost.of(found.connected, found.prober),
        )


def print_ramp(report: RampReport) -> None:
    """Print a row for each tier, then the knee, and what the prober spent."""
    out = console()
    if report.tiers:
        out.print(tier_table([RampItem.of(tier) for tier in report.tiers]))
        for tier in report.tiers:
            for why in (*tier.broken, *tier.limits):
                say(out, f"{tier.clients} clients: {clean(why)}")
        out.print(f"knee {report.knee.text}")
        say(out, _prober(report.tiers[-1]))
    print_findings(report.findings)
    print_verdict(report.verdict, "RAMP")


def tier_table(items: list[RampItem]) -> Table:
    """Return a table with a row for each tier."""
    heads = "CLIENTS", "CONNECTED", "RTT P50", "P95", "MAX", "N", "LOSS", "KBPS", "QUALITY", "LIMIT"
    table = Table(*heads, box=None, pad_edge=False)
    for item in items:
        rtt = item.rtt_ms
        table.add_row(
            str(item.clients),
            str(item.connected),
            *map(ms, (rtt.p50, rtt.p95, rtt.max)),
            str(rtt.n),
            percent(item.loss_pct),
            "-" if item.sent_kbps is None else f"{item.sent_kbps:.0f}",
            item.quality or "-",
            "prober" if item.limited else "target" if item.broken else "-",
        )
    return table


def _prober(tier: JudgedTier) -> str:
    cost = ProberCost.of(tier.summary.connected, tier.summary.prober)
    if cost is None:
        return "prober: cost unknown"
    processes = f"{cost.processes} process{'' if cost.processes == 1 else 'es'}"
    return (
        f"prober: {cost.cpu_per_client:.1%} of a CPU and "
        f"{cost.memory_per_client_bytes / 1e6:.0f} MB per client in {processes}; "
        f"{cost.cores:g} CPUs of this host sustain ~{cost.carries} clients"
    )


class RampBar:
    """A progress bar with the current round trip; without a terminal, a line for each tier.

    Args:
        name: What is under way.
        unit: Of its tiers.
        waiting: Shown while no round trip is known.
    """

    def __init__(
        self, name: str = "ramp", unit: str = "clients", waiting: str = "connecting"
    ) -> None:
        self._name, self._unit, self._waiting = name, unit, waiting
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
                self._console.print(f"{self._name}: {progress.clients} {self._unit}")
            self._clients = progress.clients
            return
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("", total=1.0, rtt="")
        rtt = progress.round_trip_s
        self._bar.update(
            self._task,
            completed=progress.done,
            description=f"{progress.clients} {self._unit}",
            rtt=self._waiting if rtt is None else f"rtt {rtt * 1000:.1f}ms",
        )
