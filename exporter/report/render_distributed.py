"""A distributed ramp for people."""

from collections.abc import Sequence

from rich.text import Text

from exporter.distributed.prober import VantageReport
from exporter.probes.ramp.judge import JudgedTier
from exporter.report.distributed import DistributedReport
from exporter.report.render import STYLES, clean, console

_ARROW, _DOT = "->", " . "


def print_distributed(report: DistributedReport) -> None:
    """Print the sum, then each vantage, on a line each."""
    out, found = console(), report.found
    out.print(f"SFU  distributed: {len(found.vantages)} vantages", soft_wrap=True)
    tiers = _DOT.join(
        f"{each.tier.clients}({each.vantages}v){_ARROW} {_figures(each.tier, quality=True)}"
        for each in found.tiers
    )
    out.print(f"  combined: {tiers or '-'}   combined knee {report.knee.text}", soft_wrap=True)
    for each in found.vantages:
        line = f"  {clean(each.vantage):<12}: {_tiers(each.tiers)}"
        out.print(line + (f"   lost: {clean(each.lost)}" if each.lost else ""), soft_wrap=True)
    for tier in found.tiers:
        for why in (*tier.tier.broken, *tier.tier.limits):
            out.print(f"{tier.tier.clients} clients: {clean(why)}", soft_wrap=True)
    for finding in report.findings:
        out.print(f"{finding.verdict}: {clean(finding.text)}", soft_wrap=True)
    out.print(Text("VERDICT: ").append(report.verdict, STYLES[report.verdict]))


def print_vantage(report: VantageReport) -> None:
    """Print what this vantage has seen; the coordinator has the rest."""
    out = console()
    out.print(f"  {clean(report.vantage):<12}: {_tiers(report.tiers)}", soft_wrap=True)
    if report.error:
        out.print(f"did not come to the end: {clean(report.error)}", soft_wrap=True)


def _tiers(tiers: Sequence[JudgedTier]) -> str:
    return _DOT.join(f"{each.clients}{_ARROW} {_figures(each)}" for each in tiers) or "-"


def _figures(tier: JudgedTier, *, quality: bool = False) -> str:
    found = tier.summary
    rtt = "-" if found.rtt_tail_s is None else f"{found.rtt_tail_s * 1000:.1f}ms"
    loss = "-" if found.loss_ratio is None else f"{found.loss_ratio:.1%}"
    words = [rtt, loss, *([found.quality.capitalize() or "-"] if quality else [])]
    return " ".join([*words, *(["limited"] if tier.limited else [])])
