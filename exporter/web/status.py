"""The status page: what is watched, the worst first, and why it is so."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from exporter import __version__
from exporter.colors import COMPONENTS
from exporter.outcome import Verdict, worst
from exporter.roster.types import Worker, WorkerStatus
from exporter.run.lane import LaneState
from exporter.store.records import Remaining
from exporter.web import strips, times
from exporter.web.rendering import template
from exporter.web.rows import Moment, RunRow, elsewhere_rows, outage_rows, run_rows, target_rows
from exporter.web.strips import WORST_FIRST
from exporter.web.watched import WatchList
from exporter.web.why import PART_WORDS, serving

STATUS = "status.html"
OUTAGES_SHOWN = 20
"""The others are folded."""
_ICONS = {Verdict.FAIL: "d1242f", Verdict.SLOW: "e69f00", Verdict.PASS: "2da44e"}
_GREY = "8c959f"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks for the page."""

    may_call: bool = False
    """A call that is asked for in a form of the page would be let in."""
    nonce: str = ""
    """Of the page's own style and script."""


@dataclass(frozen=True, slots=True)
class GroupView:
    """The group of exporters that share the targets, as this one sees it."""

    name: str
    member: str
    """This exporter."""
    members: int
    held: int
    """How many probes and targets this exporter runs."""
    elsewhere: Mapping[str, str]
    """By the id of each work that it does not run: who does, "" where nobody does."""


_WORDS: Mapping[str, object] = {
    "colors": COMPONENTS,
    "words": PART_WORDS,
    "strips": strips,
    "span": times.span,
    "plural": times.plural,
    "clock": times.clock,
    "statuses": tuple(WorkerStatus),
    "version": __version__,
}
"""What the template makes use of beside the values."""


def _no_limits(_work_id: str) -> Remaining:
    return Remaining()


def status_page(
    watched: WatchList,
    next_run: Callable[[str], datetime | None],
    now: datetime | None = None,
    *,
    remaining: Callable[[str], Remaining] = _no_limits,
    workers: Iterable[Worker] = (),
    notes: Iterable[str] = (),
    pools: Iterable[LaneState] = (),
    viewer: Viewer = Viewer(),
    group: GroupView | None = None,
) -> str:
    """Return the page.

    Args:
        watched: What is watched and what came of it.
        next_run: When each work is due next, by its id.
        now: The wall clock, UTC.
        remaining: What each work has left of its budget, by its id.
        workers: Everyone on the roster.
        notes: What is wrong, one line each.
        pools: The processes that run probes.
        viewer: Who asks.
        group: The exporters that share the targets; None: this one runs all of them.
    """
    everything, elsewhere = watched, group.elsewhere if group is not None else {}
    here = {name: line for name, line in watched.lines.items() if name not in elsewhere}
    watched = replace(watched, lines=here)
    now = now or datetime.now(UTC)
    workers = tuple(workers)
    listing = watched.lines.get("agents")
    services = serving(workers, listing.last if listing is not None else None)
    at = Moment(now, next_run, remaining, services)
    outages = outage_rows(watched)
    logged = {each.outage.last.run_id for each in outages[:OUTAGES_SHOWN] if each.log}
    targets = target_rows(watched, at, logged)
    runs = run_rows(watched, at)
    of_server = [run for run in runs if not run.subject]
    bad = [run for run in of_server if run.verdict is not Verdict.PASS and run.past.since]
    counts = _counts(row.verdict for row in targets)
    shown = {part.name for row in targets if row.split for part in row.split.parts}
    return template(STATUS).render(
        **_WORDS,
        server=watched.server,
        title=_title(watched.server, counts, bad),
        icon=_icon(counts, bad),
        now=now,
        notes=list(notes),
        counts=counts,
        targets=targets,
        shown_parts=[name for name in COMPONENTS if name in shown],
        bad_servers=bad,
        server_runs=of_server,
        target_runs=[run for run in runs if run.subject],
        workers=_fleet(workers),
        group=group,
        elsewhere=elsewhere_rows(everything, elsewhere),
        in_service=sum(each.in_service for each in services.values()),
        lost=sum(each.is_lost for each in workers),
        outages=outages[:OUTAGES_SHOWN],
        more_outages=outages[OUTAGES_SHOWN:],
        pools=list(pools),
        viewer=viewer,
    )


def _counts(verdicts: Iterable[Verdict]) -> list[tuple[Verdict, int]]:
    """Count the verdicts that occur, worst first."""
    found = Counter(verdicts)
    return [(verdict, found[verdict]) for verdict in WORST_FIRST if found[verdict]]


def _title(server: str, counts: Sequence[tuple[Verdict, int]], bad: Sequence[RunRow]) -> str:
    """Return what a tab shows: the bad ones first, and whether all is well."""
    some = [f"{count} {verdict}" for verdict, count in counts if verdict is not Verdict.PASS]
    some += [f"{run.probe} {run.verdict}" for run in bad]
    good = [f"{count} {verdict}" for verdict, count in counts] or ["no agents"]
    return f"{', '.join(some or good)} · {server}"


def _icon(counts: Sequence[tuple[Verdict, int]], bad: Sequence[RunRow]) -> str:
    verdicts = (*(verdict for verdict, _ in counts), *(run.verdict for run in bad))
    return _ICONS.get(worst(verdicts), _GREY)


def _fleet(workers: Iterable[Worker]) -> list[tuple[str, ...]]:
    """Count the workers of each agent by what they do."""
    counts = Counter((worker.agent_name, worker.status) for worker in workers)
    return [
        (name or "(any)", *(str(counts[name, status]) for status in WorkerStatus))
        for name in sorted({name for name, _ in counts})
    ]
