"""The store as the daemon uses it: asynchronous, in memory first, and never in its way.

Everything is kept in memory first, and that memory answers whenever the file cannot. Writes go to
the file in their order, by one thread. While they fail (a full disk, a folder that has become
read-only) they wait, and are written once it works again.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from exporter.errors import ConfigError, StoreError, StoreInUse
from exporter.roster.types import Worker
from exporter.store.held import Held, Write
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
from exporter.store.waiting import WaitingWrite, WaitingWrites

log = logging.getLogger(__name__)

T = TypeVar("T")

BEGIN_WAIT_S = 5.0
"""A run waits so long for its reservation to be on the disk, then starts all the same."""
PRUNE_EVERY_S = 60.0
_FIRST_RETRY_S = 1.0
_LAST_RETRY_S = 60.0
REFRESH_S = 10.0
"""How old may be what is known here of a store that others write to as well; by the same time this
exporter is heard of there, and comes back after an outage."""
_RUNS_IN_MEMORY = 1000
_DAYS_TAKEN_OVER = 2
"""A day of any time zone that is not over began at most so long ago."""

OPERATIONS = (
    *("open", "begin", "end", "cancel", "calibration", "workers", "ramp"),
    *("calls", "evidence", "prune", "read", "lost"),
)
"""What may fail: the label `operation`; lost: the store had lost its data."""


class StoreWatch(Protocol):
    """Shows the store's state: metrics."""

    def up(self, works: bool) -> None:
        """Note whether the store can be written."""

    def failed(self, operation: str) -> None:
        """Count an operation that failed."""


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
        first_retry_s: float = _FIRST_RETRY_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._open_store = open_store
        self._watch = watch
        self.retention = retention
        self._on_left_open = on_left_open
        self.shared = shared
        self._clock = clock
        self._first_retry_s = self._retry_s = first_retry_s
        self._memory = SqliteStore()
        self._store: Store | None = None
        self._thread = ThreadPoolExecutor(1, "store")
        self._waiting = WaitingWrites(watch.failed)
        self._problem = ""
        self._in_step = False
        self._identity: str | None = None
        """Of the data that were last seen in the store; None: none yet."""
        self._begun: set[str] = set()
        """Runs that this exporter has under way; memory knows those of others as well."""
        self._latest: dict[tuple[str, str], Write] = {}
        """The last write of what is only ever replaced, by operation and subject."""
        self._taken_over_at = 0.0
        self._pruned_at = 0.0
        self._writer: asyncio.Task[None] | None = None

    @property
    def problem(self) -> str:
        """Why the store does not work, "" when it does."""
        if not self._problem:
            return ""
        return f"store: {self._problem}; history and budget are kept in memory"

    async def start(self) -> None:
        """Open the store, and take over what it knows of today.

        Raises:
            ConfigError: Another exporter has it.
        """
        if self._open_store is None:
            return
        try:
            await self._take_over()
        except StoreInUse as error:
            raise in_use(error) from None
        except StoreError as error:
            self._fail("open", error)
        else:
            self._watch.up(True)
        self._writer = asyncio.create_task(self._write_for_ever())

    async def aclose(self, grace: float = 2.0) -> None:
        """Write what waits, for so many seconds at most, and close the store."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
            with suppress(TimeoutError, StoreError):
                async with asyncio.timeout(grace):
                    await self._waiting.write_all(self._ask)
        if self._waiting:
            log.error("store was not completely written", extra={"writes_lost": len(self._waiting)})
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        await asyncio.wait([closing], timeout=grace)  # a disk may not answer
        self._thread.shutdown(wait=False)

    async def begin(self, run: OpenRun, limits: BudgetLimits = NO_BUDGET_LIMITS) -> bool:
        """Open a run and reserve its plan; returns once that is kept. Cancelled, it opens nothing.

        Returns:
            Whether it was opened; False: its plan is more than the limits leave.
        """
        asked = self.shared and not self._problem  # memory lacks what others have spent or settled
        if not self._memory.begin(run, NO_BUDGET_LIMITS if asked else limits):
            return False
        self._begun.add(run.run_id)

        def again(store: Store) -> bool:
            return store.begin(run)

        if self._problem:  # it begins: a store that refused it later would not count its cost
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
        if self._problem:  # one write for each, so that a later one takes its place
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
        if self._open_store is None:
            answer.set_result(None)
            return item
        self._waiting.add(item)
        return item

    async def _read(self, question: Callable[[Store], T]) -> T:
        if self._store is not None and not self._problem:
            try:
                return await self._ask(question)
            except StoreError as error:
                self._fail("read", error)
            except Exception as error:  # such as a row that this version cannot understand
                log.exception("store contains unreadable records")
                self._fail("read", StoreError(f"unexpected {type(error).__name__}"))
        return question(self._memory)

    async def _write_for_ever(self) -> None:
        while True:
            if self._problem:
                await asyncio.sleep(self._retry_s)
                last_s = REFRESH_S if self.shared else _LAST_RETRY_S
                self._retry_s = min(last_s, self._retry_s * 2)
            elif not self._waiting:
                await self._waiting.wait(REFRESH_S if self.shared else PRUNE_EVERY_S)
            operation = self._waiting.operation or "open"
            try:
                await self._waiting.write_all(self._ask)
                operation = "open"
                await self._take_over()
                operation = "prune"
                await self._prune()
                self._works()
            except StoreError as error:
                self._fail(operation, error)
            except Exception as error:
                log.exception("store failed with an unexpected error")
                self._fail(operation, StoreError(f"unexpected {type(error).__name__}"))

    async def _take_over(self) -> None:
        """Read what the store knew before this process, once after each time it was opened.

        One that is shared is read every `REFRESH_S`.
        """
        now = asyncio.get_running_loop().time()
        if self._in_step and not (self.shared and now - self._taken_over_at >= REFRESH_S):
            return
        since = self._since
        left, open_runs, spent, identity = await self._ask(
            lambda store: (
                store.left_open(),
                store.open_runs(),
                store.spent(since),
                store.identity(),  # last: what was read before it is of these data, or lost
            )
        )
        if not self.shared:
            known = {run.run_id for run in self._memory.open_runs()}
            left = tuple(run for run in left if run.run_id not in known)
        if left and (self.shared or not self._waiting):  # a shared store gives each only once
            self._on_left_open(left)
        if self._identity not in (None, identity):
            await self._mend_loss()
            self._identity = identity
            return  # read again next time: others write back as well
        self._identity = identity
        if self._waiting:
            return  # runs have begun or ended meanwhile: when these are written
        self._memory.restore(open_runs, spent, instead=self.shared)
        self._in_step, self._taken_over_at = True, now

    @property
    def _since(self) -> str:
        """The first day that is taken over."""
        return f"{self._clock() - timedelta(days=_DAYS_TAKEN_OVER):%Y-%m-%d}"

    async def _mend_loss(self) -> None:
        """Write back what memory holds; other exporters do the same with what they hold."""
        held = Held.of(self._memory, self._begun, self._since, tuple(self._latest.values()))
        await self._ask(held.write)
        self._watch.failed("lost")
        log.error(
            "store lost its data; wrote back what this exporter has in memory, the rest of the "
            "history is lost",
            extra={"runs": len(held.runs), "budgets": len(held.spent)},
        )

    async def _prune(self) -> None:
        """Delete a little of what is too old."""
        now = asyncio.get_running_loop().time()
        if self._pruned_at and now - self._pruned_at < PRUNE_EVERY_S:
            return
        moment = self._clock()
        retention = self.retention
        await self._ask(lambda store: store.prune(moment, retention))
        self._pruned_at = now

    async def _ask(self, question: Callable[[Store], T]) -> T:
        """Call the store, opened if it is not, in the thread.

        Raises:
            StoreError: It cannot be opened, read or written.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: question(self._opened()))

    def _opened(self) -> Store:
        """Return the store, opened if it is not; in the thread."""
        if self._store is None:
            assert self._open_store is not None  # noqa: S101 - nothing is written without
            self._store = self._open_store()
        return self._store

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _fail(self, operation: str, error: StoreError) -> None:
        """Note a failure, let nobody wait for the store, and begin with a fresh one next time."""
        self._watch.failed(operation)
        self._watch.up(False)
        if str(error) != self._problem:
            fields = {"operation": operation, "error": str(error)}
            log.error("store failed; continuing in memory", extra=fields)
        self._problem = str(error)
        self._in_step = False
        self._thread.submit(self._close)
        self._waiting.give_up()

    def _works(self) -> None:
        self._retry_s = self._first_retry_s
        self._watch.up(True)
        if self._problem:
            log.info("store works again")
        self._problem = ""


def in_use(error: StoreInUse) -> ConfigError:
    """Return what a person is to do who starts a second exporter on one folder."""
    return ConfigError(
        f"store.folder: {error}; expected a folder for this exporter only, or store.enabled: false"
    )


def _saving(documents: Mapping[str, str]) -> Callable[[Store], None]:
    return lambda store: store.save_calls(documents)
