"""Tables of figures, each with its n and the bound that it is held to."""

from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(slots=True)
class Report:
    """Prints tables, and knows whether every bound held."""

    console: Console = field(default_factory=lambda: Console(width=110))
    held: bool = True

    def say(self, line: str) -> None:
        """Print one line."""
        self.console.print(line, highlight=False)

    def table(self, title: str, *columns: str) -> Table:
        """Begin a table; all columns but the first stand to the right."""
        table = Table(title=title, title_justify="left")
        for column in columns:
            table.add_column(column, justify="left" if column == columns[0] else "right")
        return table

    def figures(self, title: str) -> "Figures":
        """Begin a table of figures with bounds."""
        return Figures(self, self.table(title, "figure", "n", "value", "bound", "holds"))


@dataclass(frozen=True, slots=True)
class Figures:
    """A table of figures."""

    report: Report
    table: Table

    def add(self, what: str, n: int, value: str) -> None:
        """Add a figure without a bound."""
        self.table.add_row(what, str(n) if n else "", value, "", "")

    def check(self, what: str, n: int, value: str, *, bound: str, holds: Any) -> None:
        """Add a figure that has a bound, which holds or does not."""
        self.report.held = self.report.held and bool(holds)
        self.table.add_row(what, str(n), value, bound, "yes" if holds else "NO")

    def show(self) -> None:
        """Print it."""
        self.report.console.print(self.table)
