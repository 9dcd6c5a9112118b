"""The store as the daemon uses it: asynchronous, in memory first, and never in its way.

Everything is kept in memory first, and that memory answers whenever the file cannot. Writes go to
the file in their order, by one thread. While they fail (a full disk, a folder that has become
read-only) they wait, and are written once it works again.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from exporter.errors import ConfigError, StoreError, StoreInUse
from exporter.roster.types import Worker
from exporter.store import taken_over
from exporter.store.opened import FIRST_RETRY_S, OpenedStore, StoreWatch
from exporter.store.protocol import Store
from exporter.store.records import (
    NO_BUDGET_LIMITS,
    BudgetLimits,
    CalibrationRecord,
    EvidencePlace,
    OpenRun,
    Retention,
    RunQuery,
    RunRecord,
    Spending,
)
from exporter.store.sqlite import SqliteStore
from exporter.store.taken_over import TakenOver
from exporter.store.waiting import WaitingWrite, WaitingWrites

log = logging.getLogger(__name__)

T = TypeVar("T")

BEGIN_WAIT_S = 5.0
"""A run waits so long for its reservation to be on the disk, then starts all the same."""
PRUNE_EVERY_S = 60.0
_LAST_RETRY_S = 60.0
_RUNS_IN_MEMORY = 1000
OPERATIONS = (
    *("open", "begin", "end", "cancel", "calibration", "workers", "ramp"),
    *("calls", "evidence", "prune", "read", "lost"),
)
"""What may fail: the label `operation`; lost: the store had lost its data."""


class BufferedStore:
    """A store behind a queue. Every method belongs to the event loop, and none raises.

    `start` must be called first, `aclose` last; nothing is opened before.

    Args:
        open_store: Opens the store, in the thread; None: memory is all that there is.
        watch: Shows failures.
        retention: How long runs are kept.
        on_left_open: Called with the runs that are open in the store and not of this process, or of
            an exporter that has died.
        shared: Other exporters write to the store as well: it alone knows what is spent.
        first_retry_s: Time after a failure to the first new try; it doubles from then on.
        clock: The wall clock.
    """

    def __init__(
        self,
        open_store: Callable[[], Store] | None,
        watch: StoreWatch,
        *,
        retention: Retention = Retention(),  # noqa: B008 - it is frozen
        on_left_open: Callable[[Sequence[OpenRun]], None] = lambda _runs: None,
        shared: bool = False,
        first_retry_s: float = FIRST_RETRY_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.retention = retention
        self.shared = shared
        self._clock = clock
        self._memory = SqliteStore()
        self._waiting = WaitingWrites(watch.failed)
        last_retry_s = taken_over.REFRESH_S if shared else _LAST_RETRY_S
        self._store = OpenedStore(open_store, watch, first_retry_s, last_retry_s)
        self._taken_over = TakenOver(
            self._memory,
            self._store,
            watch,
            on_left_open=on_left_open,
            shared=shared,
            clock=clock,
        )
        self._begun, self._latest = self._taken_over.begun, self._taken_over.latest
        self._pruned_at = 0.0
        self._writer: asyncio.Task[None] | None = None

    @property
    def problem(self) -> str:
        """Why the store does not work, "" when it does."""
        why = self._store.problem
        return f"store: {why}; history and budget are kept in memory" if why else ""

    async def start(self) -> None:
        """Open the store, and take over what it knows of today.

        Raises:
            ConfigError: Another exporter has it.
        """
        if not self._store.is_configured:
            return
        try:
            await self._taken_over.update(self._waiting)
        except StoreInUse as error:
            raise in_use(error) from None
        except StoreError as error:
            self._fail("open", error)
        else:
            self._store.works()
        self._writer = asyncio.create_task(self._write_for_ever())

    async def aclose(self, grace: float = 2.0) -> None:
        """Write what waits, for so many seconds at most, and close the store."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
            with suppress(TimeoutError, StoreError):
                async with asyncio.timeout(grace):
                    await self._waiting.write_all(self._store.ask)
        if self._waiting:
            log.error("store was not completely written", extra={"writes_lost": len(self._waiting)})
        await self._store.aclose(grace)

    async def begin(self, run: OpenRun, limits: BudgetLimits = NO_BUDGET_LIMITS) -> bool:
        """Open a run and reserve its plan; returns once that is kept. Cancelled, it opens nothing.

        Returns:
            Whether it was opened; False: its plan is more than the limits leave.
        """
        # Memory lacks what others have spent or settled.
        asked = self.shared and not self._store.problem
        if not self._memory.begin(run, NO_BUDGET_LIMITS if asked else limits):
            return False
        self._begun.add(run.run_id)

        def again(store: Store) -> bool:
            return store.begin(run)

        if self._store.problem:  # it begins: a store that refused it later would not count its cost
            self._queue("begin", again, again)
            return True
        write = self._queue("begin", lambda store: store.begin(run, limits), again)
        answer = await self._answer(write, run.run_id)
        if answer is None and asked:
            answer = limits.allow(self._memory.spent_on(run.target, run.day))
            if not answer:
                self.cancel(run.run_id)
        elif answer is False:
            self._begun.discard(run.run_id)
            self._memory.cancel(run.run_id)
        return answer is not False

    async def _answer(self, write: WaitingWrite, run_id: str) -> bool | None:
        """Return what the store says to a run that begins; None: it does not answer."""
        try:
            async with asyncio.timeout(BEGIN_WAIT_S):
                return await asyncio.shield(write.answer)
        except TimeoutError:
            write.first = write.again
            self._fail("begin", StoreError(f"no answer within {BEGIN_WAIT_S:g} s"))
            return None
        except asyncio.CancelledError:
            self.cancel(run_id)
            raise

    def end(self, record: RunRecord, spent: Spending | None = None) -> None:
        """Close a run, keep it, and settle what it cost; see `Store.end`."""
        self._begun.discard(record.run_id)
        self._write("end", lambda store: store.end(record, spent))
        self._memory.prune(self._clock(), replace(self.retention, max_runs=_RUNS_IN_MEMORY))

    def cancel(self, run_id: str) -> None:
        """Forget an open run that never started."""
        self._begun.discard(run_id)
        self._write("cancel", lambda store: store.cancel(run_id))

    def add_calibration(self, calibration: CalibrationRecord) -> None:
        """Keep a calibration."""
        self._write("calibration", lambda store: store.add_calibration(calibration))

    def save_evidence(
        self, place: EvidencePlace, run_ids: Collection[str], before: Collection[str]
    ) -> None:
        """Note which calls this exporter keeps to be seen and heard.

        Args:
            place: Of this exporter.
            run_ids: All of them.
            before: Those of the call of this before.
        """
        all_of_them = tuple(run_ids)
        new, gone = set(run_ids) - set(before), set(before) - set(run_ids)
        self._latest["evidence", ""] = lambda store: store.save_evidence(place, all_of_them)
        self._write("evidence", lambda store: store.save_evidence(place, new, gone))

    def save_workers(self, workers: Sequence[Worker]) -> None:
        """Keep the roster as it is now."""
        rows = tuple(workers)
        write = self._latest["workers", ""] = lambda store: store.save_workers(rows)
        self._replace("workers", "", write)

    def save_ramp(self, vantage: str, document: str) -> None:
        """Keep the last ramp of a vantage."""
        write = self._latest["ramp", vantage] = lambda store: store.save_ramp(vantage, document)
        self._replace("ramp", vantage, write)

    def forget_ramp(self, vantage: str) -> None:
        """Keep no ramp of a vantage any longer."""
        self._latest.pop(("ramp", vantage), None)
        self._replace("ramp", vantage, lambda store: store.forget_ramp(vantage))

    async def save_calls(self, documents: Mapping[str, str]) -> None:
        """Keep real calls; returns once they are kept, or at once while the store fails."""
        if self._store.problem:  # one write for each, so that a later one takes its place
            for sid in documents:
                self._replace("calls", sid, _saving({sid: documents[sid]}))
            return
        saving = _saving(documents)
        saving(self._memory)
        write = self._queue("calls", saving, saving)
        with suppress(TimeoutError):
            async with asyncio.timeout(BEGIN_WAIT_S):
                await asyncio.shield(write.answer)

    def forget_calls(self, room_sids: Sequence[str]) -> None:
        """Keep these calls no longer."""
        gone = tuple(room_sids)
        self._write("calls", lambda store: store.forget_calls(gone))

    def spent_on(self, target: str, day: str) -> Spending:
        """Return what was spent or is reserved on one target and day."""
        return self._memory.spent_on(target, day)

    def open_runs(self) -> tuple[OpenRun, ...]:
        """Return the runs that were opened and have not ended."""
        return self._memory.open_runs()

    async def runs(self, query: RunQuery) -> tuple[RunRecord, ...]:
        """Return ended runs, the newest first; while the store fails, those of this process."""
        return await self._read(lambda store: store.runs(query))

    async def run(self, run_id: str) -> RunRecord | None:
        """Return one ended run."""
        return await self._read(lambda store: store.run(run_id))

    async def evidence(self, run_id: str) -> EvidencePlace | None:
        """Return which exporter keeps a call to be seen and heard."""
        return await self._read(lambda store: store.evidence(run_id))

    async def workers(self) -> tuple[Worker, ...]:
        """Return the roster that was last kept."""
        return await self._read(lambda store: store.workers())

    async def ramps(self) -> tuple[str, ...]:
        """Return the last ramp of each vantage."""
        return await self._read(lambda store: store.ramps())

    async def calls(self) -> Mapping[str, str]:
        """Return the real calls that are kept, by the ids of their rooms' sessions."""
        return await self._read(lambda store: store.calls())

    def _write(self, operation: str, write: Callable[[Store], None], subject: str = "") -> None:
        """Write to memory, and to the file when its turn comes."""
        try:
            write(self._memory)
        except (StoreError, UnicodeError):  # such as half a character, which no column takes
            log.exception("record cannot be stored")
        self._queue(operation, write, write, subject)

    def _replace(self, operation: str, subject: str, write: Callable[[Store], None]) -> None:
        """Write what takes the place of the write before it.

        One that waits is out of date: an outage of days must not pile up rosters of a fleet, nor
        push what is kept once out of the queue.

        Args:
            operation: Of which writes of the same subject replace one another.
            subject: What is written, of several; "" where there is one.
            write: Does it.
        """
        self._waiting.forget(operation, subject)
        self._write(operation, write, subject)

    def _queue(
        self,
        operation: str,
        write: Callable[[Store], bool | None],
        again: Callable[[Store], bool | None],
        subject: str = "",
    ) -> WaitingWrite:
        """Put a write for the file at the end of the queue."""
        answer = asyncio.get_running_loop().create_future()
        item = WaitingWrite(operation, write, again, answer, subject)
        if not self._store.is_configured:
            answer.set_result(None)
            return item
        self._waiting.add(item)
        return item

    async def _read(self, question: Callable[[Store], T]) -> T:
        if self._store.is_open:
            try:
                return await self._store.ask(question)
            except StoreError as error:
                self._fail("read", error)
            except Exception as error:  # such as a row that this version cannot understand
                log.exception("store contains unreadable records")
                self._fail("read", StoreError(f"unexpected {type(error).__name__}"))
        return question(self._memory)

    async def _write_for_ever(self) -> None:
        while True:
            if self._store.problem:
                await self._store.wait_to_retry()
            elif not self._waiting:
                await self._waiting.wait(taken_over.REFRESH_S if self.shared else PRUNE_EVERY_S)
            operation = self._waiting.operation or "open"
            try:
                await self._waiting.write_all(self._store.ask)
                operation = "open"
                await self._taken_over.update(self._waiting)
                operation = "prune"
                await self._prune()
                self._store.works()
            except StoreError as error:
                self._fail(operation, error)
            except Exception as error:
                log.exception("store failed with an unexpected error")
                self._fail(operation, StoreError(f"unexpected {type(error).__name__}"))

    async def _prune(self) -> None:
        """Delete a little of what is too old."""
        now = asyncio.get_running_loop().time()
        if self._pruned_at and now - self._pruned_at < PRUNE_EVERY_S:
            return
        moment = self._clock()
        retention = self.retention
        await self._store.ask(lambda store: store.prune(moment, retention))
        self._pruned_at = now

    def _fail(self, operation: str, error: StoreError) -> None:
        """Note a failure, let nobody wait for the store, and begin with a fresh one next time."""
        self._store.failed(operation, error)
        self._taken_over.expire()
        self._waiting.give_up()


def in_use(error: StoreInUse) -> ConfigError:
    """Return what a person is to do who starts a second exporter on one folder."""
    return ConfigError(
        f"store.folder: {error}; expected a folder for this exporter only, or store.enabled: false"
    )


def _saving(documents: Mapping[str, str]) -> Callable[[Store], None]:
    return lambda store: store.save_calls(documents)
