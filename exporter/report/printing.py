"""What all commands print with: a terminal, the same words for the same figures, and JSON."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import PlainSerializer, TypeAdapter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.config.values import ProbeSection
from exporter.outcome import Finding, Outcome, Verdict

C = TypeVar("C", bound=ProbeSection)

_DIGITS = 6
"""Decimals of a second: a microsecond is far below what is measured."""
_PLAIN_WIDTH = 160
"""Where output is no terminal, lines are long rather than broken."""
STYLES = {
    Verdict.PASS: "green",
    Verdict.SLOW: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.UNKNOWN: "magenta",
}
_MINUTE_S, _HOUR_S = 60, 3600


def _to_the_second(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Timestamp = Annotated[datetime, PlainSerializer(_to_the_second)]
"""A moment, which a document has as UTC in RFC 3339, to the second."""


@dataclass(frozen=True, slots=True)
class Judged(Generic[C]):
    """One run, with its judgement."""

    config: C
    outcome: Outcome

    @property
    def verdict(self) -> Verdict:
        """The judgement by the thresholds."""
        return self.outcome.verdict

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the judgement rests on, when it is not PASS."""
        return self.outcome.findings or ()


def to_json(document: object) -> str:
    """Return a document as JSON: keys in the order of its class, seconds to a microsecond."""
    plain = TypeAdapter(type(document)).dump_python(document, mode="json")
    return json.dumps(_rounded(plain), indent=2, allow_nan=False)


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value


def console(*, stderr: bool = False) -> Console:
    """Return where to print; highlights nothing by itself."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def say(out: Console, text: str) -> None:
    """Print prose: wrapped at words on a terminal, and one line where others read it."""
    out.print(text, soft_wrap=not out.is_terminal)


def table(heads: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> Table:
    """Return a table without the columns that say nothing: `-` or nothing in each row."""
    silent = {
        at for at in range(len(heads)) if rows and all(str(row[at]) in ("-", "") for row in rows)
    }
    kept = [at for at in range(len(heads)) if at not in silent]
    found = Table(box=None, pad_edge=False)
    for at in kept:
        found.add_column(heads[at], overflow="fold")
    for row in rows:
        found.add_row(*(row[at] for at in kept))
    return found


def clean(text: str) -> str:
    """Return text from elsewhere without what would steer a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def seconds(value: float | None, digits: int = 2) -> str:
    """Write seconds, or `-` for what is not known."""
    return "-" if value is None else f"{value:.{digits}f}s"


def age(value: float) -> str:
    """Write an age roughly: `42s`, `5m`, `3h`."""
    if value < _MINUTE_S:
        return f"{value:.0f}s"
    return f"{value // _MINUTE_S:.0f}m" if value < _HOUR_S else f"{value // _HOUR_S:.0f}h"


def agent_label(agent_name: str) -> str:
    """Return an agent's name for people; one that joins every room may have none."""
    return clean(agent_name) or "(unnamed)"


def why(outcome: Outcome) -> str:
    """Say why a run failed, on one line."""
    detail = f": {clean(outcome.detail)}" if outcome.detail else ""
    return f"{outcome.reason or 'no result'}{detail}"


def ms(value: float | None) -> str:
    """Write milliseconds, or `-` for what is not known."""
    return "-" if value is None else f"{value:.1f}ms"


def percent(value: float | None) -> str:
    """Write a percentage, or `-` for what is not known."""
    return "-" if value is None else f"{value:.1f}%"


def print_findings(findings: Iterable[Finding]) -> None:
    """Print what keeps a verdict from PASS, a line each."""
    for finding in findings:
        say(console(), clean(str(finding)))


def print_verdict(verdict: Verdict, label: str = "VERDICT") -> None:
    """Print the last line of a report."""
    console().print(Text(f"{label}: ").append(verdict, STYLES[verdict]))
