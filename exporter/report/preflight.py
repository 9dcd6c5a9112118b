"""The checklist of `sfu --preflight`, for people and as a document."""

from dataclasses import dataclass
from typing import Self

from rich.table import Table
from rich.text import Text

from exporter.outcome import Outcome, Verdict
from exporter.probes.reach.spec import Item, ReachConfig, checklist
from exporter.report.render import STYLES, clean, console


@dataclass(frozen=True, slots=True)
class PreflightReport:
    """One round over all ways, with its judgement."""

    config: ReachConfig
    outcome: Outcome

    @property
    def items(self) -> tuple[Item, ...]:
        """The checklist."""
        return checklist(self.config, self.outcome)

    @property
    def verdict(self) -> Verdict:
        """The worst of the checklist."""
        return self.outcome.verdict


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
    out = console()
    table = Table("CHECK", "VERDICT", "", box=None, pad_edge=False)
    for item in report.items:
        table.add_row(item.check, Text(item.verdict, STYLES[item.verdict]), clean(item.detail))
    out.print(table)
    out.print(Text("VERDICT: ").append(report.verdict, STYLES[report.verdict]))
