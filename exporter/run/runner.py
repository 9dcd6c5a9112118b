"""Run probes in processes of their own, under a hard deadline.

The real-time SDK leaks, can crash natively, and cannot be used after a fork: so every probe runs
in a spawned process, which is recycled after some runs and killed when it does not end. A process
that dies or hangs costs its own Outcome and nothing else.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

from pebble import ProcessExpired
from pydantic import BaseModel

from exporter import logs
from exporter.evidence.keeper import Keeper
from exporter.outcome import CallResult, Outcome, RampProgress, Reason, Turn
from exporter.probe import ROOM_PREFIX, Probe
from exporter.probes.latency.spec import as_target
from exporter.run import process
from exporter.run.lane import Lane, LaneState, PoolWatch
from exporter.run.leash import Leash
from exporter.run.pool import Slot
from exporter.run.process import Order, ProbeTable
from exporter.run.watch import Callbacks, Ended, Watch, death
from exporter.server_api import Server

log = logging.getLogger(__name__)

PROBES_TABLE = ProbeTable("exporter.probes", "PROBES")
LATE_AGENT_S = 30.0
"""How long after its call an agent that took the job may still come."""
_RECOVERY_S = 15.0
"""For a process that passed its deadline to be killed and another to be started, at most."""
_SIGN_OF_LIFE_S = 10.0
_DELETE_S = 30.0
"""To delete rooms, and to start the process that does: on a busy machine that takes long."""


def new_run_id() -> str:
    """Return an id that no other run has."""
    return secrets.token_hex(8)


async def _at_once() -> None:
    """Begin without asking anyone."""


class Runner:
    """Runs probes in two lanes of processes: long calls, and short questions to the server API.

    Used inside one event loop. `aclose` must be called; it ends what still runs.
    """

    def __init__(
        self,
        server: Server,
        *,
        processes: int = 2,
        recycle_after: int = 20,
        grace: float = 5.0,
        table: ProbeTable = PROBES_TABLE,
        delete_rooms: Callable[[Server, tuple[str, ...], str], None] = process.delete_leftovers,
        log_setup: logs.LogSetup | None = None,
        keeper: Keeper | None = None,
        watch: PoolWatch | None = None,
    ) -> None:
        """Set up the lanes; no process is started before it is needed.

        Args:
            server: What the probes probe.
            processes: Calls that run at the same time.
            recycle_after: Runs after which a process is replaced.
            grace: Seconds after its deadline at which a run is killed.
            table: The probes.
            delete_rooms: Run in the api lane after a call that could not clean up by itself.
            log_setup: How the probe processes log.
            keeper: Keeps calls to be seen and heard; none are if None.
            watch: Is told of waits, of processes in use, and of those that died.
        """
        self._server = server
        self._keeper = keeper
        self._grace = grace
        self._table = table
        self._delete_rooms = delete_rooms
        setup = log_setup or logs.LogSetup(secrets=server.secrets)
        self._log_setup = setup
        self._pool_watch = watch or PoolWatch()
        self._lanes = {
            "call": Lane("call", lambda: Slot(recycle_after, setup), processes, watch),
            # Two, so that neither the deletion of rooms nor a sign of life waits for a listing.
            "api": Lane("api", lambda: Slot(recycle_after * 10, setup), 2, watch),
        }
        self._runs: set[asyncio.Task[Any]] = set()
        self._taken: dict[Slot, float] = {}
        """Slots in use, and when at last they must be back, on the monotonic clock."""
        self._recoveries: set[asyncio.Task[None]] = set()
        self._closing = False
        self._calls_ended = asyncio.Event()

    async def run(
        self,
        probe: str,
        config: BaseModel,
        run_id: str | None = None,
        *,
        soon: bool = False,
        on_start: Callable[[], Awaitable[None]] | None = None,
        on_turn: Callable[[Turn], None] | None = None,
        on_progress: Callable[[RampProgress], None] | None = None,
        before: Callable[[], object] | None = None,
        leash: Leash | None = None,
    ) -> Outcome:
        """Run one probe and return what it found, judged; a run that fails has a reason.

        Waits for a free process first, and for all of them where the probe runs alone; the
        deadline counts from when it has one. Cancelling the call kills the run.

        Args:
            probe: A name in the table.
            config: The probe's own configuration, with its `deadline` in seconds.
            run_id: From `new_run_id`, if it must be known before the run; otherwise generated.
            soon: Its last run failed: it waits in a queue of its own.
            on_start: Awaited once there is a process; what it raises ends the run before it begins.
            on_turn: Called in this loop with every turn, as it ends.
            on_progress: Called in this loop with the progress of a ramp.
            before: Called once there is a process; returns what the run gets as `Run.before`.
            leash: Ends the run in its process, also while this one stands still; None: nothing.

        Raises:
            RuntimeError: The runner was closed.
        """
        if self._closing:
            raise RuntimeError("the runner is closed")
        order = partial(self._order, probe, config, run_id or new_run_id(), before)
        row = self._table.load()[probe]
        task = asyncio.current_task()
        if task is not None:
            self._runs.add(task)
        try:
            outcome = await self._run_in(
                row,
                order,
                on_start or _at_once,
                Callbacks(on_turn, on_progress, self._keeper),
                leash,
                soon=soon,
            )
        finally:
            if task is not None:
                self._runs.discard(task)
        try:
            outcome = row.judged(config, outcome)
        except Exception:
            # What was measured is not lost with its verdict, which stays UNKNOWN.
            log.exception("run could not be judged", extra={"run": outcome.run_id})
        target = as_target(config)
        if self._keeper is not None and target is not None:
            await self._keeper.settle(outcome, target.target_ms / 1000)
        return outcome

    async def delete_rooms(self, run_id: str, names: tuple[str, ...] = ()) -> str:
        """Delete the rooms of a run that has ended, of whichever exporter it was.

        Args:
            run_id: Rooms that are named after it go.
            names: Further rooms.

        Returns:
            Why rooms may be left, "" when there are none.
        """
        prefix = ROOM_PREFIX + run_id
        api = self._lanes["api"]
        slot = await api.take()
        try:
            await slot.call(self._delete_rooms, self._server, names, prefix, limit=_DELETE_S)
        except Exception as error:  # noqa: BLE001 - any error is logged and the work goes on
            return logs.redact(process.describe(error), self._secrets())
        finally:
            api.give_back(slot)
        return ""

    def reconfigure(self, server: Server, log_setup: logs.LogSetup) -> None:
        """Give these to every run from the next on: credentials and the level of logs change."""
        self._server = server
        self._log_setup = log_setup

    def resize(self, processes: int) -> None:
        """Run so many calls at the same time from now on; those under way are not ended."""
        if not self._closing:
            self._lanes["call"].resize(processes)

    def states(self) -> tuple[LaneState, ...]:
        """Return every lane as of now."""
        return tuple(lane.state for lane in self._lanes.values())

    async def check(self) -> str:
        """Return why probes cannot run, "" when they can: asks a process for a sign of life."""
        now = time.monotonic()
        if any(now > back_by for back_by in self._taken.values()):
            return "a probe process does not exit after its run ended"
        slot = self._lanes["api"].take_now()
        if slot is None:
            return ""  # a run is under way, and is not overdue
        try:
            await slot.call(process.ready, limit=_SIGN_OF_LIFE_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, no probe can run
            return f"cannot start a probe process: {process.describe(error)}"
        else:
            return ""
        finally:
            self._lanes["api"].give_back(slot)

    async def aclose(self, grace: float = 8.0) -> None:
        """Cancel the runs under way, delete their rooms and stop every process.

        Args:
            grace: Seconds after which it stops waiting for the server to delete rooms. A process
                gets three of them to leave by itself.
        """
        self._closing = True
        until = time.monotonic() + grace
        runs = self._runs - {asyncio.current_task()}
        for run in runs:
            run.cancel()
        if runs:
            await asyncio.wait(runs)
        await self._lanes["call"].aclose()
        self._calls_ended.set()
        if self._recoveries:
            left = max(0.1, until - time.monotonic())
            _, late = await asyncio.wait(self._recoveries, timeout=left)
            for task in late:
                task.cancel()
        await self._lanes["api"].aclose()

    async def _run_in(
        self,
        row: Probe[Any, Any],
        make_order: Callable[[], Order],
        on_start: Callable[[], Awaitable[None]],
        callbacks: Callbacks,
        leash: Leash | None,
        *,
        soon: bool,
    ) -> Outcome:
        """Run an order in a free slot of its lane, and see to the slot afterwards."""
        lane = self._lanes[row.lane]
        slot = await lane.take(alone=row.alone, soon=soon)
        try:
            await on_start()
            order = make_order()  # only now: credentials may have changed during the wait
        except BaseException:
            lane.give_back(slot)
            raise
        watch = Watch(order, slot, callbacks)
        self._taken[slot] = watch.started + order.kill_s + _RECOVERY_S
        unharmed = False
        try:
            with leash.on(slot.lease) if leash else nullcontext():
                outcome = await self._execute(slot, watch)
            unharmed = True
            if _may_come_late(outcome):
                self._later(self._sweep(order))
        except Ended as end:
            self._pool_watch.crashed(lane.name)
            outcome = watch.failed(logs.redact(str(end), self._secrets()))
        except asyncio.CancelledError:
            watch.is_given_up = True
            raise
        finally:
            watch.stop()
            if unharmed:
                self._give_back(lane, slot)
            else:
                self._recover(lane, slot, watch)
        return outcome

    def _give_back(self, lane: Lane, slot: Slot) -> None:
        self._taken.pop(slot, None)
        lane.give_back(slot)

    def _order(
        self, probe: str, config: BaseModel, run_id: str, before: Callable[[], object] | None
    ) -> Order:
        deadline: float = getattr(config, "deadline")  # noqa: B009 - every probe's model has it
        is_call = self._keeper is not None and as_target(config) is not None
        return Order(
            run_id=run_id,
            table=self._table,
            probe=probe,
            config=config,
            server=self._server,
            deadline_s=deadline,
            kill_s=deadline + self._grace,
            log=self._log_setup,
            keep=self._keeper.order(run_id) if self._keeper and is_call else None,
            before=before() if before else None,
        )

    def _secrets(self) -> tuple[str, ...]:
        return *self._server.secrets, *self._log_setup.secrets

    async def _execute(self, slot: Slot, watch: Watch) -> Outcome:
        """Run the order in the slot.

        Raises:
            Ended: The run did not end by itself.
        """
        order = watch.order
        try:
            return await slot.call(process.run_probe, order, limit=order.kill_s)
        except TimeoutError:
            # A probe that hears of its deadline ends by itself, with a reason of its own.
            detail = f"killed {self._grace:g} s after its deadline of {order.deadline_s:g} s"
            raise Ended(detail) from None
        except ProcessExpired as error:
            raise Ended(death(error.exitcode)) from None
        except BrokenProcessPool:
            raise Ended("the probe process died") from None
        except Exception as error:  # noqa: BLE001 - such as a result that does not pickle
            raise Ended(process.describe(error)) from None

    async def _sweep(self, order: Order) -> None:
        """Delete the room again once an agent that came too late has opened it anew.

        Only a room of the run's own name: one that the target names may be the next call's.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(LATE_AGENT_S):
                await self._calls_ended.wait()
        await self._clean_up(order, ())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._recoveries.add(task)
        task.add_done_callback(self._recoveries.discard)

    def _recover(self, lane: Lane, slot: Slot, watch: Watch) -> None:
        """Give the slot back once its old process is gone, and delete what the run left."""
        self._later(self._recovery(lane, slot, watch))

    async def _recovery(self, lane: Lane, slot: Slot, watch: Watch) -> None:
        if self._closing:
            await self._calls_ended.wait()
        else:
            await slot.recover()
            self._give_back(lane, slot)
        if watch.is_given_up and self._keeper is not None:
            await self._keeper.forget(watch.order.run_id)
        if lane is self._lanes["call"]:
            await self._clean_up(watch.order, tuple(watch.rooms))

    async def _clean_up(self, order: Order, names: tuple[str, ...]) -> None:
        """Delete the rooms of a call that could not do so; empty ones also close by themselves."""
        if problem := await self.delete_rooms(order.run_id, names):
            fields = {"run": order.run_id, "probe": order.probe, "error": problem}
            log.warning("rooms of an ended call not deleted", extra=fields)


def _may_come_late(outcome: Outcome) -> bool:
    """Return whether an agent may come to the room of a call that did not meet it in time.

    Also of one in which the prober stood still for too long to say whose fault that was.
    """
    if outcome.reason is Reason.JOIN_TIMEOUT:
        return True
    call = outcome.result if isinstance(outcome.result, CallResult) else None
    return outcome.reason is Reason.VOID and call is not None and call.time_to_agent_s is None
