"""Ramps from several hosts: what `sfu --coordinator` and `sfu --report-to` print."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from exporter.distributed.combine import combined_knee
from exporter.distributed.prober import VantageReport
from exporter.distributed.session import DistributedRamp
from exporter.outcome import Finding, Verdict, worst
from exporter.probes.ramp.figures import RampFigures
from exporter.probes.ramp.judge import JudgedTier, Knee, KneeKind
from exporter.probes.ramp.spec import RampConfig
from exporter.report.printing import clean, console, print_findings, print_verdict, say
from exporter.report.ramp import RampItem

ALL_VANTAGES = "combined"
"""The label `vantage` of several hosts together, unless --vantage gives another."""
_ARROW, _DOT = "->", " . "


@dataclass(frozen=True, slots=True)
class DistributedReport:
    """One distributed ramp, with its judgement."""

    config: RampConfig
    ramp: DistributedRamp
    started_at: datetime

    @property
    def knee(self) -> Knee:
        """The knee in clients of all vantages together, or why there is none."""
        return combined_knee(self.ramp.tiers, complete=self.ramp.complete)

    @property
    def figures(self) -> RampFigures | None:
        """What an exporter shows of all vantages together; None if no tier was measured."""
        tiers = [each.tier for each in self.ramp.tiers]
        if not tiers:
            return None
        vantage = self.config.vantage or ALL_VANTAGES
        return RampFigures.of(vantage, self.started_at, tiers, self.knee)

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings; PASS where there are none."""
        findings = self.findings
        return worst(each.verdict for each in findings) if findings else Verdict.PASS

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is not well about it."""
        return tuple(self._findings())

    def _findings(self) -> Iterator[Finding]:
        ramp, kind = self.ramp, self.knee.kind
        if not ramp.tiers:
            yield Finding(Verdict.FAIL, "no tier was measured")
        if ramp.missing:
            text = f"{ramp.missing} expected vantages never registered"
            yield Finding(Verdict.UNKNOWN, text)
        for each in ramp.vantages:
            if each.lost:
                yield Finding(Verdict.UNKNOWN, f"vantage {each.vantage} was lost: {each.lost}")
        if kind is KneeKind.BELOW_FIRST:
            for why in ramp.tiers[0].tier.broken:
                yield Finding(Verdict.SLOW, why)
        elif kind is KneeKind.LIMITED and ramp.tiers[0].tier.limited:
            for why in ramp.tiers[0].tier.limits:
                yield Finding(Verdict.UNKNOWN, why)


@dataclass(frozen=True, slots=True)
class CombinedItem:
    """One tier of all vantages together: of `ramp` in the document."""

    vantages: int
    tier: RampItem


@dataclass(frozen=True, slots=True)
class VantageItem:
    """One vantage."""

    vantage: str
    ramp: tuple[RampItem, ...]
    lost: str | None
    """Why it did not come to the end."""


@dataclass(frozen=True, slots=True)
class DistributedDocument:
    """What `sfu --coordinator --json` prints."""

    vantages: tuple[VantageItem, ...]
    combined: tuple[CombinedItem, ...]
    """Clients are the sum, the rest is the worst that any vantage saw."""
    missing: int
    """Vantages that were expected and never came."""
    knee_clients: int | None
    knee: KneeKind
    verdict: Verdict
    findings: tuple[str, ...]

    @classmethod
    def of(cls, report: DistributedReport) -> Self:
        """Describe what was found."""
        ramp = report.ramp
        return cls(
            vantages=tuple(
                VantageItem(each.vantage, tuple(map(RampItem.of, each.tiers)), each.lost or None)
                for each in ramp.vantages
            ),
            combined=tuple(
                CombinedItem(each.vantages, RampItem.of(each.tier)) for each in ramp.tiers
            ),
            missing=ramp.missing,
            knee_clients=report.knee.clients,
            knee=report.knee.kind,
            verdict=report.verdict,
            findings=tuple(map(str, report.findings)),
        )


@dataclass(frozen=True, slots=True)
class VantageDocument:
    """What `sfu --report-to --json` prints: its own part; the coordinator has the rest."""

    vantage: str
    ramp: tuple[RampItem, ...]
    error: str | None
    """Why it did not come to the end."""

    @classmethod
    def of(cls, report: VantageReport) -> Self:
        """Describe what one vantage has measured."""
        ramp = tuple(map(RampItem.of, report.tiers))
        return cls(report.vantage, ramp, report.error or None)


def print_distributed(report: DistributedReport) -> None:
    """Print the sum, then each vantage, on a line each."""
    out, ramp = console(), report.ramp
    say(out, f"SFU  distributed: {len(ramp.vantages)} vantages")
    tiers = _DOT.join(
        f"{each.tier.clients}({each.vantages}v){_ARROW} {_figures(each.tier, quality=True)}"
        for each in ramp.tiers
    )
    say(out, f"  combined: {tiers or '-'}   combined knee {report.knee.text}")
    for each in ramp.vantages:
        line = f"  {clean(each.vantage):<12}: {_tiers(each.tiers)}"
        say(out, line + (f"   lost: {clean(each.lost)}" if each.lost else ""))
    for tier in ramp.tiers:
        for why in (*tier.tier.broken, *tier.tier.limits):
            say(out, f"{tier.tier.clients} clients: {clean(why)}")
    print_findings(report.findings)
    print_verdict(report.verdict)


def print_vantage(report: VantageReport) -> None:
    """Print what this vantage has seen; the coordinator has the rest."""
    out = console()
    say(out, f"  {clean(report.vantage):<12}: {_tiers(report.tiers)}")
    if report.error:
        say(out, f"not completed: {clean(report.error)}")


def _tiers(tiers: Sequence[JudgedTier]) -> str:
    return _DOT.join(f"{each.clients}{_ARROW} {_figures(each)}" for each in tiers) or "-"


def _figures(tier: JudgedTier, *, quality: bool = False) -> str:
    ramp = tier.summary
    rtt = "-" if ramp.rtt_tail_s is None else f"{ramp.rtt_tail_s * 1000:.1f}ms"
    loss = "-" if ramp.loss_ratio is None else f"{ramp.loss_ratio:.1%}"
    words = [rtt, loss, *([ramp.quality.capitalize() or "-"] if quality else [])]
    return " ".join([*words, *(["limited"] if tier.limited else [])])
