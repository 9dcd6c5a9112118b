"""The way to the SFU: what `sfu` and `sfu --preflight` print."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from rich.table import Table
from rich.text import Text

from exporter.outcome import Reconnect, SfuBaseline, Verdict, worst
from exporter.probes.ramp.judge import KneeKind
from exporter.probes.reach.spec import Item, ReachConfig, checklist
from exporter.probes.sfu.spec import SfuConfig
from exporter.report.printing import (
    STYLES,
    Judged,
    clean,
    console,
    ms,
    percent,
    print_findings,
    print_verdict,
    say,
    table,
)
from exporter.report.ramp import RampItem, RampReport, RoundTrips

_WORST_FIRST = ("lost", "poor", "good", "excellent")
_SILENCE_S = 1.0
"""Silence that is reported; shorter gaps show up in loss and jitter."""


@dataclass(frozen=True, slots=True)
class SfuReport(Judged[SfuConfig]):
    """One baseline, with its judgement."""

    @property
    def baseline(self) -> SfuBaseline | None:
        """What was measured, if anything was."""
        found = self.outcome.result
        return found if isinstance(found, SfuBaseline) else None


@dataclass(frozen=True, slots=True)
class ConnectPhases:
    """Milliseconds of each phase of a connection."""

    signal: float
    ice: float
    media: float


@dataclass(frozen=True, slots=True)
class BaselineItem:
    """One baseline: `baseline` of the document."""

    vantage: str
    rtt_ms: RoundTrips
    ice_rtt_ms: float | None
    jitter_ms: float | None
    """The larger of the two directions."""
    loss_up_pct: float | None
    loss_down_pct: float | None
    connect_ms: ConnectPhases
    transport: str
    candidate_type: str
    quality: str
    """The worst of the clients; "" if the server reported none."""
    floor_ms: float | None
    jitter_up_ms: float | None
    jitter_down_ms: float | None
    packets_up: int
    packets_down: int
    pings_lost: int
    pings_void: int
    concealed_pct: float | None
    reconnects: tuple[Reconnect, ...]

    @classmethod
    def of(cls, result: SfuBaseline) -> Self:
        """Describe a baseline."""
        connect, up, down = result.connect, result.loss_up, result.loss_down
        jitters = [each for each in (result.jitter_up_s, result.jitter_down_s) if each is not None]
        ice = result.ice_round_trips_s
        return cls(
            vantage=result.vantage,
            rtt_ms=RoundTrips.of(result.round_trips_s),
            ice_rtt_ms=statistics.median(ice) * 1000 if ice else None,
            jitter_ms=_milli(max(jitters, default=None)),
            loss_up_pct=up.ratio * 100 if up else None,
            loss_down_pct=down.ratio * 100 if down else None,
            connect_ms=ConnectPhases(
                connect.signal_s * 1000, connect.ice_s * 1000, connect.media_s * 1000
            ),
            transport=result.transport,
            candidate_type=result.candidate_type,
            quality=worst_quality(result.quality),
            floor_ms=_milli(result.floor_s),
            jitter_up_ms=_milli(result.jitter_up_s),
            jitter_down_ms=_milli(result.jitter_down_s),
            packets_up=up.packets if up else 0,
            packets_down=down.packets if down else 0,
            pings_lost=result.lost,
            pings_void=result.voids,
            concealed_pct=None if result.concealed is None else result.concealed * 100,
            reconnects=result.reconnects,
        )


@dataclass(frozen=True, slots=True)
class SfuDocument:
    """What `sfu --json` prints."""

    baseline: BaselineItem | None
    ramp: tuple[RampItem, ...]
    knee_clients: int | None
    """None unless a ramp found it; `knee` says why not."""
    knee: KneeKind | None
    """None without a ramp."""
    verdict: Verdict
    findings: tuple[str, ...]
    """What the verdict rests on, when it is not PASS."""
    loop_lag_ms: float | None
    """The largest lateness of the prober's event loop during the baseline."""

    @classmethod
    def of(cls, report: SfuReport, ramp: RampReport | None = None) -> Self:
        """Describe what `sfu` found, with or without a ramp."""
        findings = (*report.findings, *(ramp.findings if ramp else ()))
        return cls(
            baseline=BaselineItem.of(report.baseline) if report.baseline else None,
            ramp=tuple(RampItem.of(tier) for tier in ramp.tiers) if ramp else (),
            knee_clients=ramp.knee.clients if ramp else None,
            knee=ramp.knee.kind if ramp else None,
            verdict=worst((report.verdict, *((ramp.verdict,) if ramp else ()))),
            findings=tuple(map(str, findings)),
            loop_lag_ms=_milli(report.outcome.loop_lag_s),
        )


def worst_quality(told: Iterable[tuple[str, str]]) -> str:
    """Return the worst of what LiveKit says of its clients' connections, or ""."""
    words = {quality for _, quality in told}
    return next((word for word in _WORST_FIRST if word in words), "")


def _milli(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def print_sfu(report: SfuReport, *, label: str = "VERDICT") -> None:
    """Print what `sfu` found, then what is not well about it."""
    print_baseline(report)
    print_findings(report.findings)
    print_verdict(report.verdict, label)


def print_baseline(report: SfuReport) -> None:
    """Print what was measured, if anything was."""
    out = console()
    if report.baseline:
        item = BaselineItem.of(report.baseline)
        out.print(_table(item))
        for line in _lines(item):
            say(out, line)
        if (report.baseline.media_gap_s or 0.0) >= _SILENCE_S:
            say(out, f"silence: no packet for {report.baseline.media_gap_s:.2f} s")


def _table(item: BaselineItem) -> Table:
    heads = "VANTAGE", "RTT P50", "P95", "MAX", "LOSS UP", "DOWN", "JITTER", "BY", "QUALITY"
    rtt = item.rtt_ms
    row = (
        clean(item.vantage),
        *map(ms, (rtt.p50, rtt.p95, rtt.max)),
        percent(item.loss_up_pct),
        percent(item.loss_down_pct),
        ms(item.jitter_ms),
        item.transport or "-",
        item.quality or "-",
    )
    return table(heads, [row])


def _lines(item: BaselineItem) -> Iterable[str]:
    """Yield what is behind the row: sizes of the samples, phases, the probe's own share."""
    connect = item.connect_ms
    yield f"round trip over {item.rtt_ms.n} data messages · ICE {ms(item.ice_rtt_ms)}"
    yield (
        f"loss over {item.packets_up} packets up, {item.packets_down} down · concealed "
        f"{percent(item.concealed_pct)} · data messages lost {item.pings_lost}, "
        f"void {item.pings_void}"
    )
    yield (
        f"connect: signal {ms(connect.signal)} · ice {ms(connect.ice)} · media "
        f"{ms(connect.media)} · {item.candidate_type or 'unknown'} candidate"
    )
    if item.floor_ms is not None:
        yield (
            f"floor: {ms(item.floor_ms)} of each message is spent in this process; it is subtracted"
        )


@dataclass(frozen=True, slots=True)
class PreflightReport(Judged[ReachConfig]):
    """One round over all ways, with its judgement."""

    @property
    def items(self) -> tuple[Item, ...]:
        """The checklist."""
        return checklist(self.config, self.outcome)


@dataclass(frozen=True, slots=True)
class PreflightDocument:
    """What `sfu --preflight --json` prints."""

    preflight: tuple[Item, ...]
    verdict: Verdict

    @classmethod
    def of(cls, report: PreflightReport) -> Self:
        """Describe a checklist."""
        return cls(report.items, report.verdict)


def print_preflight(report: PreflightReport) -> None:
    """Print the checklist, then the verdict."""
    found = Table("CHECK", "VERDICT", "", box=None, pad_edge=False)
    for item in report.items:
        found.add_row(item.check, Text(item.verdict, STYLES[item.verdict]), clean(item.detail))
    console().print(found)
    print_verdict(report.verdict)
