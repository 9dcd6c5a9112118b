"""What must not stay: rooms of runs that have ended, and runs that never did.

A killed exporter leaves both. An agent that comes too late, or comes back after the server was
restarted, opens the room of an ended run anew and stays in it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from exporter.outcome import Listing, Outcome, Reason, Verdict
from exporter.probe import ROOM_PREFIX
from exporter.run.runner import LATE_AGENT_S
from exporter.store.buffered import BufferedStore
from exporter.store.records import OpenRun, RunRecord

log = logging.getLogger(__name__)

DETAIL = "the exporter ended during the run"
_FIRST_RETRY_S = 1.0
_LAST_RETRY_S = 30.0


class Leftovers:
    """Ends what an exporter before this one left open, and clears rooms of runs that have ended."""

    def __init__(
        self,
        delete_rooms: Callable[[str, tuple[str, ...]], Awaitable[str]],
        store: BufferedStore,
        on_forfeit: Callable[[OpenRun], None],
        *,
        late_agent_s: float = LATE_AGENT_S,
        first_retry_s: float = _FIRST_RETRY_S,
    ) -> None:
        """Set up.

        Args:
            delete_rooms: Deletes rooms by a run's id and by name; returns why it could not.
            store: The ledger.
            on_forfeit: Called with every run that is ended here: its reservation stays spent.
            late_agent_s: How long after its call an agent that took the job may still come.
            first_retry_s: Time to the second try where the server does not answer; it doubles.
        """
        self._delete_rooms = delete_rooms
        self._store = store
        self._on_forfeit = on_forfeit
        self._late_agent_s = late_agent_s
        self._first_retry_s = first_retry_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._clearing: set[str] = set()

    def take(self, runs: Sequence[OpenRun]) -> None:
        """Begin to end these runs."""
        if not runs:
            return
        log.warning("runs were left open by a previous process", extra={"runs": len(runs)})
        self._begin(self._end(tuple(runs)))

    def record(self, outcome: Outcome) -> None:
        """Clear rooms in which an agent is although their run has ended: a listener of listings."""
        if not isinstance(outcome.result, Listing):
            return
        rooms = outcome.result.probe_rooms
        runs = {room.removeprefix(ROOM_PREFIX) for room in rooms if room.startswith(ROOM_PREFIX)}
        for run_id in runs - self._clearing:
            self._clearing.add(run_id)
            self._begin(self._clear(run_id))

    async def aclose(self) -> None:
        """Leave what is not done to the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _clear(self, run_id: str) -> None:
        """Delete the room of a run, if it is known to have ended; the next listing tries again."""
        try:
            if await self._store.run(run_id) is None:
                return  # it is under way, or another exporter's
            problem = await self._delete_rooms(run_id, ())
            fields = {"run": run_id, "error": problem or None}
            log.info("agent was still in the room of an ended run", extra=fields)
        finally:
            self._clearing.discard(run_id)

    async def _end(self, runs: Sequence[OpenRun]) -> None:
        left = {run.run_id for run in runs}
        for run in runs:
            await self._delete(run, left)
        # Meanwhile an agent that took the job may have opened the room again.
        await asyncio.sleep(self._late_agent_s)
        for run in runs:
            await self._delete(run, left, named=False)
            self._store.end(_record(run))
            self._on_forfeit(run)

    async def _delete(self, run: OpenRun, left: set[str], *, named: bool = True) -> None:
        """Delete the rooms of a run, as often as it takes for the server to answer."""
        pause_s = self._first_retry_s
        while True:
            names = (run.room_name,) if named and run.room_name else ()
            if self._is_taken(run, left) and names:
                problem = "a new call uses the room"
            else:
                problem = await self._delete_rooms(run.run_id, names)
            if not problem:
                return
            fields = {"run": run.run_id, "error": problem}
            log.info("rooms of a killed run not deleted yet", extra=fields)
            await asyncio.sleep(pause_s)
            pause_s = min(_LAST_RETRY_S, pause_s * 2)

    def _is_taken(self, run: OpenRun, left: set[str]) -> bool:
        """Return whether a new call has the room, or is refused because it is still there."""
        others = (each for each in self._store.open_runs() if each.run_id not in left)
        return run.room_name in {each.room_name for each in others}


def _record(run: OpenRun) -> RunRecord:
    return RunRecord(
        run_id=run.run_id,
        probe=run.probe,
        agent_name=run.agent_name,
        call_type=run.call_type,
        scenario=run.scenario,
        started_at=run.started_at,
        duration_s=0.0,
        reason=Reason.PROBE_CRASHED,
        detail=DETAIL,
        verdict=Verdict.UNKNOWN,
    )
