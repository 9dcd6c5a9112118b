"""What an exporter that was killed has left: rooms of its calls, and runs that never ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from exporter.outcome import Reason, Verdict
from exporter.run.runner import LATE_AGENT_S
from exporter.store.keeper import Keeper
from exporter.store.records import OpenRun, RunRecord

log = logging.getLogger(__name__)

DETAIL = "the exporter ended during the run"
_FIRST_RETRY_S = 1.0
_LAST_RETRY_S = 30.0


class Leftovers:
    """Ends, one after the other, the runs that an exporter before this one left open."""

    def __init__(
        self,
        delete_rooms: Callable[[str, tuple[str, ...]], Awaitable[str]],
        keeper: Keeper,
        on_forfeit: Callable[[OpenRun], None],
        *,
        late_agent_s: float = LATE_AGENT_S,
        first_retry_s: float = _FIRST_RETRY_S,
    ) -> None:
        """Set up.

        Args:
            delete_rooms: Deletes rooms by a run's id and by name; returns why it could not.
            keeper: The ledger.
            on_forfeit: Called with every run that is ended here: its reservation stays spent.
            late_agent_s: How long after its call an agent that took the job may still come.
            first_retry_s: Time to the second try where the server does not answer; it doubles.
        """
        self._delete_rooms = delete_rooms
        self._keeper = keeper
        self._on_forfeit = on_forfeit
        self._late_agent_s = late_agent_s
        self._first_retry_s = first_retry_s
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, runs: Sequence[OpenRun]) -> None:
        """Begin to end these runs."""
        if not runs:
            return
        log.warning(
            "runs were left open by the exporter before this one", extra={"runs": len(runs)}
        )
        task = asyncio.create_task(self._end(tuple(runs)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Leave what is not done to the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _end(self, runs: Sequence[OpenRun]) -> None:
        left = {run.run_id for run in runs}
        for run in runs:
            await self._delete(run, left)
        # Meanwhile an agent that took the job may have opened the room again.
        await asyncio.sleep(self._late_agent_s)
        for run in runs:
            await self._delete(run, left, named=False)
            self._keeper.end(_record(run))
            self._on_forfeit(run)

    async def _delete(self, run: OpenRun, left: set[str], *, named: bool = True) -> None:
        """Delete the rooms of a run, as often as it takes for the server to answer."""
        pause_s = self._first_retry_s
        while True:
            names = self._free_name(run, left) if named else ()
            problem = await self._delete_rooms(run.run_id, names)
            if not problem:
                return
            fields = {"run": run.run_id, "error": problem}
            log.info("rooms of a killed run not deleted yet", extra=fields)
            await asyncio.sleep(pause_s)
            pause_s = min(_LAST_RETRY_S, pause_s * 2)

    def _free_name(self, run: OpenRun, left: set[str]) -> tuple[str, ...]:
        """Return the name that the target gives its rooms, unless a new call has that room."""
        others = (each for each in self._keeper.open_runs() if each.run_id not in left)
        taken = {each.room_name for each in others}
        return (run.room_name,) if run.room_name and run.room_name not in taken else ()


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
