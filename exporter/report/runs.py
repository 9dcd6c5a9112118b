"""Runs that have ended: what `runs` and `runs show` print."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from exporter.evidence.detail import RunDetail
from exporter.report.latency import turn_line
from exporter.report.printing import STYLES, agent_label, clean, console, seconds
from exporter.stats import Stats
from exporter.store.records import RunRecord


@dataclass(frozen=True, slots=True)
class RunsDocument:
    """What `runs --json` prints: the newest first."""

    runs: tuple[RunRecord, ...]


def print_runs(runs: Sequence[RunRecord]) -> None:
    """Print a row for each run."""
    out = console()
    if not runs:
        out.print("no such run has ended yet")
        return
    table = Table("RUN", "STARTED (UTC)", "PROBE", "AGENT", "E2E AVG", "VERDICT", "REASON")
    table.box, table.pad_edge = None, False
    for run in runs:
        table.add_row(
            clean(run.run_id),
            f"{run.started_at:%Y-%m-%d %H:%M:%S}",
            clean(run.probe),
            agent_label(run.agent_name) if run.probe == "latency" else "",
            seconds(Stats.of(run.turns).avg_s),
            Text(run.verdict, STYLES[run.verdict]),
            str(run.reason or run.cause or ""),
        )
    out.print(table)


def print_run(run: RunDetail) -> None:
    """Print one run: its turns, its log, and what is kept of it."""
    out = console()
    print_runs([run])
    lines = [f"{run.reason}: {run.detail}"] if run.reason else []
    lines += map(str, run.further_findings)
    lines += [turn_line(number, turn) for number, turn in enumerate(run.turns, 1)]
    lines += run.log
    if run.evidence is not None:
        sound = ", with sound" if run.evidence.sound else ""
        lines.append(f"kept: {run.evidence.length_s:.1f} s{sound}")
    for line in lines:
        out.print(clean(line), soft_wrap=True)
