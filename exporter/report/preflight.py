"""The production checklist: what `preflight` prints."""

from dataclasses import dataclass
from typing import Self

from rich.text import Text

from exporter.outcome import Outcome, Verdict
from exporter.probes.preflight.spec import UNSEEN, Checked, Checklist
from exporter.report.printing import (
    STYLES,
    Timestamp,
    clean,
    console,
    print_verdict,
    say,
    table,
    why,
)


@dataclass(frozen=True, slots=True)
class PreflightDocument:
    """What `preflight --json` prints."""

    run_at: Timestamp
    server: str
    preflight: tuple[Checked, ...]
    """In the order of the checklist."""
    unseen: tuple[str, ...]
    """What no check can see."""
    verdict: Verdict
    detail: str
    """Why the run ended early; "" where it did not."""

    @classmethod
    def of(cls, server: str, outcome: Outcome) -> Self:
        """Describe a checklist."""
        found = outcome.result if isinstance(outcome.result, Checklist) else Checklist(())
        return cls(
            run_at=outcome.started_at,
            server=server,
            preflight=found.items,
            unseen=UNSEEN,
            verdict=outcome.verdict,
            detail=why(outcome) if outcome.reason else "",
        )


def print_checklist(document: PreflightDocument) -> None:
    """Print a line for each check, what to do, what is not seen, and the verdict."""
    out = console()
    rows = [
        (
            each.check,
            Text(each.verdict, STYLES[each.verdict]),
            str(each.n or "-"),
            clean(each.measured) + (f"; {clean(each.todo)}" if each.todo else ""),
        )
        for each in document.preflight
    ]
    if rows:
        out.print(table(("CHECK", "VERDICT", "N", "MEASURED, AND WHAT TO DO"), rows))
    else:
        say(out, document.detail)
    out.print("not seen from here:")
    for each in document.unseen:
        say(out, f"  {each}")
    print_verdict(document.verdict)
