"""What the ledger knows of the runs before this process, for the status page."""

from dataclasses import replace
from datetime import datetime, timedelta

from exporter.store.records import RunQuery, RunRecord
from exporter.web.sources import History

MOST_RUNS = 10_000
"""The strips of 200 targets; read in about a second, before anything is served."""
_AT_ONCE = 500
_SINCE = timedelta(days=2)


async def recall(history: History, now: datetime) -> list[RunRecord]:
    """Return the runs of the last days, the oldest first.

    Args:
        history: The ledger.
        now: The wall clock, UTC.
    """
    found: list[RunRecord] = []
    query = RunQuery(_AT_ONCE)
    while len(found) < MOST_RUNS:
        page = await history.runs(query)
        recent = [run for run in page if run.started_at >= now - _SINCE]
        found += recent
        if len(recent) < _AT_ONCE:
            break
        query = replace(query, before=recent[-1].started_at, before_id=recent[-1].run_id)
    return found[::-1]
