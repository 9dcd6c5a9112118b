"""The status page: plain HTML without scripts; every value is escaped."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from html import escape

from exporter import __version__
from exporter.outcome import Outcome
from exporter.probes import PROBES
from exporter.probes.latency.spec import LatencyConfig
from exporter.roster.types import Worker, WorkerStatus
from exporter.store.records import Remaining
from exporter.web.board import Board, Line

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }
table { border-collapse: collapse; margin-bottom: 2rem }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #ddd;
  vertical-align: top }
.PASS { color: #176b2c } .SLOW { color: #8a5a00 } .FAIL { color: #b3161b; font-weight: bold }
.UNKNOWN { color: #666 } .note { color: #b3161b }
"""
_LINKS = (
    *("/metrics", "/-/healthy", "/-/ready", "/api/v1/targets", "/api/v1/workers"),
    *("/api/v1/runs?outcome=failed", "/api/v1/openapi.json"),
)
_WATCHED = (
    *("Probe", "Agent", "Call type", "Scenario", "Verdict"),
    *("Last run", "Found", "Next run", "Left today"),
)
_FAILURES = ("When", "Probe", "Agent", "Reason", "Detail", "Run")


def _no_limits(_work_id: str) -> Remaining:
    return Remaining()


def status_page(
    board: Board,
    next_run: Callable[[str], datetime | None],
    now: datetime | None = None,
    *,
    remaining: Callable[[str], Remaining] = _no_limits,
    workers: Iterable[Worker] = (),
    notes: Iterable[str] = (),
) -> str:
    """Return the page.

    Args:
        board: What is watched and what came of it.
        next_run: When each work is due next, by its id.
        now: The wall clock, UTC.
        remaining: What each work has left of its budget, by its id.
        workers: Everyone on the roster.
        notes: What is wrong, one line each.
    """
    now = now or datetime.now(UTC)
    watched = (
        [*_watched(line, next_run(line.work.id), now), _cell(_left(remaining(line.work.id)))]
        for line in board.lines.values()
    )
    fleet = _fleet(workers)
    links = " ".join(f'<a href="{path}">{path}</a>' for path in _LINKS)
    failures = [_failure(outcome, now) for outcome in board.failures]
    server = escape(board.server)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        f"<title>voice-exporter: {server}</title><style>{_STYLE}</style>",
        "<h1>voice-exporter</h1>",
        f"<p>Version {escape(__version__)}, watching {server}.</p>",
        f"<p>{links}</p>",
        *(f'<p class="note">{escape(note)}</p>' for note in notes),
        "<h2>Watched</h2>",
        _table(_WATCHED, watched),
        "<h2>Workers</h2>",
        _table(("Agent", *WorkerStatus), fleet) if fleet else "<p>None is known.</p>",
        "<h2>Latest failures</h2>",
        _table(_FAILURES, failures) if failures else "<p>None since the start.</p>",
    ]
    return "\n".join(parts) + "\n"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "\n".join("<tr>" + "".join(row) + "</tr>" for row in rows)
    return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"


def _watched(line: Line, due: datetime | None, now: datetime) -> Iterable[str]:
    config = line.work.config
    is_call = isinstance(config, LatencyConfig)
    verdict = str(line.verdict)
    yield _cell(line.work.probe)
    yield _cell(line.work.agent_name or ("(any)" if is_call else ""))
    yield _cell(config.call_type if isinstance(config, LatencyConfig) else "")
    yield _cell(config.scenario if isinstance(config, LatencyConfig) else "")
    yield f'<td class="{escape(verdict)}">{escape(verdict)}</td>'
    yield _cell(_ago(line.last, now) if line.last else "not yet")
    yield _cell(_found(line) if line.last else "")
    yield _cell(f"in {max(0.0, (due - now).total_seconds()):.0f} s" if due else "")


def _left(remaining: Remaining) -> str:
    """Say what is left of a budget; nothing where there is no limit."""
    turns, seconds = remaining.turns, remaining.call_seconds
    parts = [f"{turns} turns"] if turns is not None else []
    parts += [f"{seconds:.0f} s of calls"] if seconds is not None else []
    return ", ".join(parts)


def _fleet(workers: Iterable[Worker]) -> list[list[str]]:
    """Count the workers of each agent by what they do."""
    counts = Counter((worker.agent_name, worker.status) for worker in workers)
    names = sorted({name for name, _ in counts})
    return [
        [_cell(name or "(any)"), *(_cell(str(counts[name, status])) for status in WorkerStatus)]
        for name in names
    ]


def _failure(outcome: Outcome, now: datetime) -> Iterable[str]:
    texts = (
        _ago(outcome, now),
        outcome.probe,
        outcome.agent_name,
        str(outcome.reason),
        outcome.detail,
        outcome.run_id,
    )
    return (_cell(text) for text in texts)


def _cell(text: str) -> str:
    return f"<td>{escape(text)}</td>"


def _ago(outcome: Outcome, now: datetime) -> str:
    """Say when a run began."""
    seconds = max(0.0, (now - outcome.started_at).total_seconds())
    return f"{outcome.started_at:%Y-%m-%d %H:%M:%S}Z, {seconds:.0f} s ago"


def _found(line: Line) -> str:
    """Say in a few words what the last run found, and what keeps it from PASS."""
    row, last = PROBES.get(line.work.probe), line.last
    if row is None or last is None:
        return ""
    said = [row.found(last)]
    said += [each.text for each in last.findings or () if each.text not in said]
    return "; ".join(filter(None, said))
