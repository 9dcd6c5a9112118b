"""Runs in progress and what was spent: exact over all exporters that share a Redis."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from uuid import uuid4

from pydantic import TypeAdapter

from exporter.store.records import (
    NO_BUDGET_LIMITS,
    BudgetLimits,
    OpenRun,
    RunRecord,
    Spending,
)
from exporter.store.redis.history import RUN, kinds
from exporter.store.redis.owners import Room
from exporter.store.redis.scripts import BEGIN, CANCEL, CLAIM, END, RESTORE

_OPEN_RUN = TypeAdapter(OpenRun)


class Ledger(Room):
    """Runs in progress, and sums of spending."""

    _identity = ""

    def identity(self) -> str:
        """Return what names the data: the first exporter that finds Redis empty makes it."""
        key = self._connection.key("identity")
        self._connection.ask("SET", key, uuid4().hex, "NX")
        self._identity = str(self._connection.ask("GET", key))
        return self._identity

    def begin(self, run: OpenRun, limits: BudgetLimits = NO_BUDGET_LIMITS) -> bool:
        """Open a run, unless its plan is more than is left.

        Raises:
            StoreError: Also where the sums of spending were lost since `identity` was asked for.
        """
        self._owners.beat()  # or another exporter could take this run for one that was left
        most = ("" if each is None else each for each in astuple(limits))
        words = (run.run_id, _document(run), self._owners.owner, *most, self._identity)
        return bool(self._connection.run(BEGIN, *words))

    def end(self, record: RunRecord, spent: Spending | None = None) -> None:
        """Close a run and keep it."""
        document = RUN.dump_json(record).decode()
        what = (record.run_id, document, record.started_at.timestamp(), *kinds(record))
        cost = ("", "", "") if spent is None else astuple(spent)
        self._connection.run(END, *what, record.agent_name, *cost)

    def cancel(self, run_id: str) -> None:
        """Forget a run that never started."""
        self._connection.run(CANCEL, run_id)

    def open_runs(self) -> tuple[OpenRun, ...]:
        """Return the open runs of all exporters, the oldest first."""
        documents = self._connection.ask("HVALS", self._connection.key("open"))
        return _in_order(map(_OPEN_RUN.validate_json, documents))

    def left_open(self) -> tuple[OpenRun, ...]:
        """Take over the runs of exporters that have died."""
        ids = self._owners.claim("open:owners", CLAIM)
        if not ids:
            return ()
        documents = self._connection.ask("HMGET", self._connection.key("open"), *ids)
        return _in_order(_OPEN_RUN.validate_json(each) for each in documents if each)

    def spent(self, since_day: str) -> Mapping[tuple[str, str], Spending]:
        """Return what all exporters together have spent from that day on."""
        found: dict[tuple[str, str], Spending] = {}
        for day in self._connection.ask("SMEMBERS", self._connection.key("days")):
            if day >= since_day:
                sums = self._connection.ask("HGETALL", self._connection.key(f"spent:{day}"))
                found |= {(target, day): spent for target, spent in _by_target(sums).items()}
        return found

    def prune_spent(self, first_day: str) -> None:
        """Delete the sums of the days before one."""
        for day in self._connection.ask("SMEMBERS", self._connection.key("days")):
            if day < first_day:
                self._connection.ask("DEL", self._connection.key(f"spent:{day}"))
                self._connection.ask("SREM", self._connection.key("days"), day)

    def restore(
        self, open_runs: Sequence[OpenRun], spent: Mapping[tuple[str, str], Spending]
    ) -> None:
        """Take over what another store knows; as of `SqliteStore.restore`."""
        key = self._connection.key
        for run in open_runs:
            if self._connection.ask("HEXISTS", key("runs"), run.run_id):
                continue
            self._connection.ask("HSET", key("open:owners"), run.run_id, self._owners.owner)
            self._connection.ask("HSET", key("open"), run.run_id, _document(run))
        for (target, day), each in spent.items():
            self._connection.run(RESTORE, day, target, *astuple(each))


def _document(run: OpenRun) -> str:
    return _OPEN_RUN.dump_json(run).decode()


def _in_order(runs: Iterable[OpenRun]) -> tuple[OpenRun, ...]:
    return tuple(sorted(runs, key=lambda run: (run.started_at, run.run_id)))


def _by_target(sums: Mapping[str, str]) -> dict[str, Spending]:
    """Return the sums of one day, whose fields are `turns TARGET`, `seconds TARGET` and so on."""
    targets = {field.partition(" ")[2] for field in sums}
    return {
        target: Spending(
            int(sums.get(f"turns {target}", 0)),
            float(sums.get(f"seconds {target}", 0)),
            int(sums.get(f"tokens {target}", 0)),
        )
        for target in targets
    }
