"""The rows of the status page, as its template has them."""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from exporter.outcome import Verdict, tokens
from exporter.probes import PROBES
from exporter.probes.latency.spec import LatencyConfig, as_target
from exporter.store.records import Remaining, RunRecord
from exporter.web import strips, times
from exporter.web.past import Outage, Past, PastRun
from exporter.web.strips import WORST_FIRST, Split, Strip
from exporter.web.watched import Asked, Watched, WatchList, target_id
from exporter.web.why import Serving, Why, why

LOG_LINES_SHOWN = 60
"""The end of a failed run's log; all of it is on the page of the run."""
RECOVERED = timedelta(hours=1)
"""For so long a target that is PASS again says since when."""
_NO_SERVICE = Serving()


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target, as the template has it."""

    target: LatencyConfig
    verdict: Verdict
    took_s: float | None
    """None where the last call was not measured: what the one before took says nothing now."""
    split: Split | None
    strip: Strip | None
    why: Why
    past: Past
    tells_since: bool
    known: PastRun | None
    """The last call that says something about the agent, where the last one of all does not."""
    run_id: str
    """Of the last call, "" before the first."""
    log_id: str
    """Of the call whose log is on the page, "" where there is none."""
    due: str
    asked: Asked | None
    asked_ago: str
    call: str
    """Where a call is asked for."""

    @property
    def other_names(self) -> str:
        """Its call type and scenario, where they are not the usual ones."""
        return _other_names(self.target)


@dataclass(frozen=True, slots=True)
class RunRow:
    """The last run of a probe, as the template has it."""

    probe: str
    subject: tuple[str, ...]
    verdict: Verdict
    past: Past
    last: str
    text: str
    finding: str
    """What of it is worst."""
    due: str
    budget: str


@dataclass(frozen=True, slots=True)
class OutageRow:
    """Failures of one reason, as the template has them."""

    probe: str
    subject: str
    outage: Outage
    detail: str
    log: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """What the rows are made with, besides what is watched."""

    now: datetime
    """The wall clock, UTC."""
    next_run: Callable[[str], datetime | None]
    """When each work is due next, by its id."""
    remaining: Callable[[str], Remaining]
    """What each work has left of its budget, by its id."""
    services: Mapping[str, Serving]
    """Who serves each agent."""

    def due(self, work_id: str) -> str:
        """Say in which time a work is due; nothing where it is not."""
        due = self.next_run(work_id)
        if due is None:
            return ""
        left_s = (due - self.now).total_seconds()
        return f"in {times.span(left_s)}" if left_s >= 1 else "now"

    def ago(self, at: datetime) -> str:
        """Say how long ago something was."""
        return f"{times.span((self.now - at).total_seconds())} ago"


def target_rows(watched: WatchList, at: Moment, logged: Container[str]) -> list[TargetRow]:
    """Return the rows of all targets: the worst first, and of those what pages someone.

    Args:
        watched: What is watched.
        at: When.
        logged: The runs whose log is on the page.
    """
    rows = [
        _target_row(line, target, at, logged)
        for line in watched.lines.values()
        if (target := as_target(line.work.config)) is not None
    ]

    def order(row: TargetRow) -> tuple[int, bool, tuple[str, str, str]]:
        return WORST_FIRST.index(row.verdict), row.target.page_on == "none", row.target.key

    return sorted(rows, key=order)


def _target_row(
    line: Watched,
    target: LatencyConfig,
    at: Moment,
    logged: Container[str],
) -> TargetRow:
    last = line.last
    run = PastRun.of(RunRecord.of(last)) if last is not None else None
    log = [each.last.run_id for each in line.past.outages][:1] if last and not last.ok else []
    asked = line.asked
    return TargetRow(
        target=target,
        verdict=line.verdict,
        took_s=run.took_s if run is not None else None,
        split=strips.split(run.parts if run is not None else None),
        strip=strips.strip(line.past.runs, target.target_ms / 1000),
        why=why(target, last, line.past, at.services.get(target.agent_name, _NO_SERVICE)),
        past=line.past,
        tells_since=last is not None and _tells_since(line, at.now),
        known=_known(line.past) if line.verdict is Verdict.UNKNOWN else None,
        run_id=run.run_id if run is not None else "",
        log_id=next((each for each in log if each in logged), ""),
        due=at.due(line.work.id),
        asked=asked,
        asked_ago=at.ago(asked.at) if asked is not None else "",
        call=f"./call?target={quote(target_id(target), safe='')}",
    )


def _known(past: Past) -> PastRun | None:
    told = (run for run in reversed(past.runs) if run.verdict is not Verdict.UNKNOWN)
    return next(told, None)


def _tells_since(line: Watched, now: datetime) -> bool:
    """Return whether it matters since when: it is bad, or has just become well."""
    past = line.past
    if past.since is None:
        return False
    recovered = past.has_changed and now - past.since < RECOVERED
    return line.verdict is not Verdict.PASS or recovered


def run_rows(watched: WatchList, at: Moment) -> list[RunRow]:
    """Return the last runs of all that is watched, the worst first."""
    rows = [_run_row(line, at) for line in watched.lines.values()]
    return sorted(rows, key=lambda row: (WORST_FIRST.index(row.verdict), row.probe, row.subject))


def _run_row(line: Watched, at: Moment) -> RunRow:
    target = as_target(line.work.config)
    return RunRow(
        probe=line.work.probe,
        subject=() if target is None else (target.agent_name or "(any)", *target.key[1:]),
        verdict=line.verdict,
        past=line.past,
        last=at.ago(line.last.started_at) if line.last else "not yet",
        text=_result_text(line),
        finding=_finding(line),
        due=at.due(line.work.id),
        budget=_left(at.remaining(line.work.id)),
    )


def _left(remaining: Remaining) -> str:
    """Say what is left of a budget; nothing where there is no limit."""
    turns, seconds = remaining.turns, remaining.call_seconds
    parts = [times.plural(turns, "turn")] if turns is not None else []
    parts += [f"{times.span(seconds)} of calls"] if seconds is not None else []
    parts += [f"{remaining.tokens} tokens"] if remaining.tokens is not None else []
    return ", ".join(parts)


def elsewhere_rows(watched: WatchList, holders: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what other exporters run, each with its holder: what nobody runs comes first.

    Args:
        watched: What is watched.
        holders: By the id of a work who runs it, "" where nobody does.
    """
    found = [
        (_subject(line) or line.work.probe, holders[name])
        for name, line in watched.lines.items()
        if name in holders
    ]
    return sorted(found, key=lambda row: (row[1] != "", row))


def outage_rows(watched: WatchList) -> list[OutageRow]:
    """Return the failures of all that is watched, those that failed last before the others."""
    found = [
        OutageRow(
            line.work.probe,
            _subject(line),
            outage,
            "; ".join(filter(None, (outage.detail, *_conditions(outage.last)))),
            outage.last.log[-LOG_LINES_SHOWN:],
        )
        for line in watched.lines.values()
        for outage in line.past.outages
    ]
    return sorted(found, key=lambda row: row.outage.last.started_at, reverse=True)


def _subject(line: Watched) -> str:
    """Name the target, without the parts that are as usual."""
    target = as_target(line.work.config)
    if target is None:
        return ""
    return " / ".join(filter(None, (target.agent_name or "(any)", _other_names(target))))


def _other_names(target: LatencyConfig) -> str:
    return " / ".join(each for each in (target.call_type, target.scenario) if each != "default")


def _result_text(line: Watched) -> str:
    """Return the result of the last run, its findings, and what it was measured under."""
    row, last = PROBES.get(line.work.probe), line.last
    if row is None or last is None:
        return ""
    said = [row.text(last)]
    said += [each.text for each in last.findings or () if each.text not in said]
    return "; ".join(filter(None, (*said, *_conditions(RunRecord.of(last)))))


def _finding(line: Watched) -> str:
    """Return the first of the findings that make the verdict."""
    found = (line.last.findings or ()) if line.last else ()
    return next((each.text for each in found if each.verdict is line.verdict), "")


def _conditions(run: RunRecord) -> Iterator[str]:
    """Say how late the prober was, how deep its jitter buffer, what it used: what is known."""
    known = (("loop lag", run.loop_lag_s), ("jitter buffer", run.jitter_buffer_s))
    yield from (f"{name} {s * 1000:.0f} ms" for name, s in known if s is not None)
    if run.usage:
        yield f"{tokens(run.usage)} tokens"
