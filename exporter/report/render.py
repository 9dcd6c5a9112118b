"""Tables and lines for people: results on stdout, progress on stderr."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from exporter.outcome import Calibration, Components, Listing, Outcome, Turn, TurnOutcome, Verdict
from exporter.probes.latency.spec import LatencyConfig
from exporter.quantile import P95_NEEDS
from exporter.report.documents import agent_items
from exporter.report.latency import CallReport, LatencyReport
from exporter.roster.types import Worker, WorkerStatus

_PLAIN_WIDTH = 160
"""Where output is no terminal, lines are long rather than broken."""
STYLES = {
    Verdict.PASS: "green",
    Verdict.SLOW: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.UNKNOWN: "magenta",
}
_COMPONENTS = {
    "transcription": "transcription_s",
    "end of turn": "end_of_turn_s",
    "llm": "llm_s",
    "tts": "tts_s",
    "transport": "transport_s",
}
NONE_FOUND = "no agent is in a room; name one with --agent"
COST_NOTE = "each turn is a real agent turn and costs what its providers charge"
_MINUTE_S, _HOUR_S = 60, 3600


def console(*, stderr: bool = False) -> Console:
    """Return where to print; highlights nothing by itself."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


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


def print_latency(report: LatencyReport, *, label: str = "VERDICT") -> None:
    """Print what `latency` found: a row for each call, and below what is behind it.

    Args:
        report: What was found.
        label: Stands before the verdict.
    """
    out = console()
    if report.failure:
        out.print(f"agents could not be listed: {why(report.failure)}", soft_wrap=True)
    elif not report.calls:
        out.print(NONE_FOUND)
    else:
        out.print(_latency_table(report))
        for call in report.calls:
            for line in _call_lines(call):
                out.print(line, soft_wrap=True)
        for note in _notes(report):
            out.print(note, soft_wrap=True)
    out.print(Text(f"{label}: ").append(report.verdict, STYLES[report.verdict]))


def _latency_table(report: LatencyReport) -> Table:
    heads = (
        "AGENT",
        "CALL TYPE",
        "N",
        "E2E AVG",
        "P50",
        "P95",
        "MAX",
        "FLOOR",
        "TARGET",
        "VERDICT",
    )
    table = Table(*heads, box=None, pad_edge=False)
    floor = report.calibration
    for call in report.calls:
        stats = call.stats
        table.add_row(
            agent_label(call.config.agent_name),
            clean(call.config.call_type),
            str(stats.n),
            *map(seconds, (stats.avg_s, stats.p50_s, stats.p95_s, stats.max_s)),
            seconds(floor.floor_s if floor else None, 3),
            f"<{call.config.target_ms / 1000:g}s",
            Text(call.verdict, STYLES[call.verdict]),
        )
    return table


def agent_label(agent_name: str) -> str:
    """Return an agent's name for people; one that joins every room may have none."""
    return clean(agent_name) or "(unnamed)"


def _call_lines(call: CallReport) -> Iterable[str]:
    """Yield what is behind one row: the split, then every turn that has no measurement."""
    label = agent_label(call.config.agent_name)
    if call.components:
        yield f"{label}: {_split(call.components)}"
    elif call.stats.n:
        absent = call.result.split_absent or "the agent reported no components"
        yield f"{label}: no components: {clean(absent)}"
    for number, turn in enumerate(call.result.turns, 1):
        if turn.outcome is not TurnOutcome.REPLIED:
            yield f"{label}: {turn_line(number, turn)}"
    if call.untold:
        yield f"{label}: call failed: {why(call.outcome)}"


def _split(split: Components) -> str:
    return " · ".join(
        f"{name} {seconds(getattr(split, field))}" for name, field in _COMPONENTS.items()
    )


def turn_line(number: int, turn: Turn) -> str:
    """Describe one turn on one line."""
    head = f"turn {number}{' (warm-up)' if turn.warmup else ''}"
    if turn.outcome is TurnOutcome.REPLIED:
        return f"{head}: {seconds(turn.e2e_s)}"
    reason = f": {turn.reason}" if turn.reason and turn.outcome is TurnOutcome.FAILED else ""
    detail = f": {clean(turn.detail)}" if turn.detail else ""
    return f"{head} {turn.outcome}{reason}{detail}"


def _notes(report: LatencyReport) -> Iterable[str]:
    floor = report.calibration
    if floor:
        yield (
            f"floor: {seconds(floor.floor_s, 3)} (n {floor.n}, spread "
            f"{seconds(floor.spread_s, 3)}) is the method's own share; it is not subtracted"
        )
    elif report.floor:
        yield f"floor not measured: {why(report.floor)}"
    if any(0 < call.stats.n < P95_NEEDS for call in report.calls):
        yield f"p95 needs {P95_NEEDS} measured turns"


def why(outcome: Outcome) -> str:
    """Say why a run failed, on one line."""
    detail = f": {clean(outcome.detail)}" if outcome.detail else ""
    return f"{outcome.reason or 'it found nothing'}{detail}"


def print_agents(listing: Listing) -> None:
    """Print the agents in rooms, and the dispatched ones that did not come."""
    out = console()
    items = list(agent_items(listing))
    if items:
        table = Table("AGENT", "ROOM", "STATE", "HUMANS", "AGE", box=None, pad_edge=False)
        for item in items:
            name, room = agent_label(item.agent_name), clean(item.room)
            table.add_row(name, room, clean(item.state), str(item.humans), age(item.age_s))
        out.print(table)
        out.print()
    agents = _count(len(listing.agents), "agent")
    rooms = _count(len({agent.room for agent in listing.agents}), "room")
    pending = f", {len(listing.pending)} dispatched but absent" if listing.pending else ""
    out.print(f"{agents} active in {rooms}{pending}.")


def print_workers(workers: Sequence[Worker], now: float) -> None:
    """Print the workers that are known, `now` being Unix time, and how many do what."""
    out = console()
    if workers:
        heads = "AGENT", "WORKER", "STATUS", "JOBS", "LOAD", "VERSION", "SEEN"
        table = Table(*heads, box=None, pad_edge=False)
        for each in workers:
            table.add_row(
                agent_label(each.agent_name),
                clean(each.worker_id),
                each.status,
                "-" if each.active_jobs is None else str(each.active_jobs),
                "-" if each.load is None else f"{each.load:.2f}",
                clean(each.sdk_version) or "-",
                age(max(0.0, now - each.last_seen)),
            )
        out.print(table)
        out.print()
    counts = Counter(each.status for each in workers)
    parts = [f"{counts[status]} {status}" for status in WorkerStatus if counts[status]]
    detail = f" ({', '.join(parts)})" if parts else ""
    out.print(f"{_count(len(workers), 'worker')} registered{detail}.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def print_calibration(outcome: Outcome) -> None:
    """Print the floor of the method, or why it is not known."""
    found = outcome.result
    if not isinstance(found, Calibration):
        console().print(f"floor not measured: {why(outcome)}")
        return
    voids = f", {found.voids} void" if found.voids else ""
    console().print(
        f"floor {seconds(found.floor_s, 3)}  spread {seconds(found.spread_s, 3)}  "
        f"n {found.n}{voids}"
    )


class StderrProgress:
    """Progress on stderr: a line for each turn, and on a terminal what it is waiting for."""

    def __init__(self) -> None:
        self._console = console(stderr=True)
        self._status: Status | None = None
        self._config: LatencyConfig | None = None
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def doing(self, what: str) -> None:
        """Say what begins."""
        if not self._console.is_terminal:
            self._console.print(what)
        elif self._status:
            self._status.update(Text(what))
        else:
            self._status = self._console.status(Text(what))
            self._status.start()

    def calling(self, config: LatencyConfig) -> None:
        """Say which agent is called, and before the first call what calls cost."""
        if self._config is None:
            self._console.print(f"voice-exporter: {COST_NOTE}")
        self._config, self._done = config, 0
        self.doing(f"calling {agent_label(config.agent_name)} ({self._planned} turns)")

    def turn(self, turn: Turn) -> None:
        """Say how a turn ended."""
        self._done += 1
        name = agent_label(self._config.agent_name if self._config else "")
        self._console.print(f"{name} {turn_line(self._done, turn)}")
        if self._status and self._done < self._planned:
            self._status.update(Text(f"calling {name}, turn {self._done + 1} of {self._planned}"))

    def explain(self, report: LatencyReport) -> None:
        """Say what the JSON document has no place for."""
        if report.failure:
            self._console.print(f"agents could not be listed: {why(report.failure)}")
        elif not report.calls:
            self._console.print(NONE_FOUND)
        for call in report.calls:
            if call.untold:
                name = agent_label(call.config.agent_name)
                self._console.print(f"{name}: call failed: {why(call.outcome)}")

    @property
    def _planned(self) -> int:
        return self._config.trials + self._config.warmup if self._config else 0
