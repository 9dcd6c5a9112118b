"""Runs that have ended: a document of each, and sets of ids by start, to read and prune them."""

import json
import logging
from collections.abc import Iterable, Iterator
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from exporter.store.records import Retention, RunQuery, RunRecord
from exporter.store.redis.owners import Room
from exporter.store.redis.scripts import DROP

log = logging.getLogger(__name__)

RUN = TypeAdapter(RunRecord)
PRUNED_AT_ONCE = 500
_READ_AT_ONCE = 500


def kinds(record: RunRecord) -> tuple[str, str]:
    """Return in which of the two sets a run is, and in which it is not."""
    return ("ok", "failed") if record.reason is None else ("failed", "ok")


class History(Room):
    """Reads and prunes ended runs; `Ledger.end` writes them."""

    def runs(self, query: RunQuery) -> tuple[RunRecord, ...]:
        """Return ended runs, the newest first."""
        found: list[RunRecord] = []
        for record in self._matching(query):
            if len(found) == query.limit:
                break
            found.append(record)
        return tuple(found)

    def run(self, run_id: str) -> RunRecord | None:
        """Return one ended run."""
        document = self._connection.ask("HGET", self._connection.key("runs"), run_id)
        return None if document is None else RUN.validate_json(document)

    def prune_runs(self, now: datetime, retention: Retention) -> int:
        """Delete some of what is older than it is kept; return how many went."""
        left = PRUNED_AT_ONCE
        for kind, kept_s in (("ok", retention.successes_s), ("failed", retention.failures_s)):
            before = f"({now.timestamp() - kept_s!r}"
            left -= self._drop(
                self._connection.ask(
                    "ZRANGEBYSCORE", self._by_start(f":{kind}"), "-inf", before, "LIMIT", 0, left
                )
            )
        count = self._connection.ask("ZCARD", self._by_start())
        for kind in ("ok", "failed"):
            if (more := min(left, count - retention.max_runs)) > 0:
                oldest = self._connection.ask("ZRANGE", self._by_start(f":{kind}"), 0, more - 1)
                gone = self._drop(oldest)
                left, count = left - gone, count - gone
        return PRUNED_AT_ONCE - left

    def _matching(self, query: RunQuery) -> Iterator[RunRecord]:
        before = (query.before.timestamp(), query.before_id) if query.before else None
        for record in self._newest_first(query):
            if before and (record.started_at.timestamp(), record.run_id) >= before:
                continue
            if _is_meant(record, query):
                yield record

    def _newest_first(self, query: RunQuery) -> Iterator[RunRecord]:
        """Yield what the narrowest set of ids has that were begun by then."""
        if query.agent_name is not None:
            key = self._by_start(f":agent:{query.agent_name}")
        elif query.failed is not None:
            key = self._by_start(":failed" if query.failed else ":ok")
        else:
            key = self._by_start()
        latest = "+inf" if query.before is None else repr(query.before.timestamp())
        count = min(_READ_AT_ONCE, query.limit)
        offset = 0
        while True:
            ids = self._connection.ask(
                "ZREVRANGEBYSCORE", key, latest, "-inf", "LIMIT", offset, count
            )
            yield from _readable(self._documents(ids))
            if len(ids) < count:
                return
            offset += count

    def _documents(self, ids: list[str]) -> Iterator[str]:
        """Yield the documents of runs; one that was pruned meanwhile has none."""
        if ids:
            key = self._connection.key("runs")
            yield from filter(None, self._connection.ask("HMGET", key, *ids))

    def _drop(self, ids: list[str]) -> int:
        words = [
            word
            for document in self._documents(ids)
            if (run := json.loads(document))
            for word in (run["run_id"], run["agent_name"])
        ]
        if words:
            self._connection.run(DROP, *words)
        return len(ids)

    def _by_start(self, kind: str = "") -> str:
        return self._connection.key(f"runs:by_start{kind}")


def _is_meant(record: RunRecord, query: RunQuery) -> bool:
    return (
        query.failed in (None, record.reason is not None)
        and query.probe in (None, record.probe)
        and query.call_type in (None, record.call_type)
        and query.scenario in (None, record.scenario)
        and (query.verdicts is None or record.verdict in query.verdicts)
    )


def _readable(documents: Iterable[str]) -> Iterator[RunRecord]:
    """Yield the runs that this version understands: a newer exporter may write here, too."""
    unread = 0
    for document in documents:
        try:
            yield RUN.validate_json(document)
        except ValidationError:
            unread += 1
    if unread:
        log.warning("runs of another version cannot be read", extra={"runs": unread})
