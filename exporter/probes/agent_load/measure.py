"""The load on one agent: tier by tier, until a target breaks or the prober does."""

import asyncio
import base64
import pickle
from collections.abc import Sequence
from contextlib import AsyncExitStack

import psutil

from exporter.errors import ProbeError
from exporter.outcome import (
    AgentLoad,
    LoadCall,
    LoadTier,
    Outcome,
    ProberLoad,
    RampProgress,
    Reason,
    WorkerUse,
)
from exporter.probe import ROOM_PREFIX, Run
from exporter.probes.agent_load.judge import judge_tier
from exporter.probes.agent_load.messages import (
    LOAD_ANSWER,
    GetReady,
    LoadSetup,
    PlaceCalls,
    Placed,
)
from exporter.probes.agent_load.spec import START_S, AgentLoadConfig
from exporter.probes.ramp.judge import is_last
from exporter.probes.ramp.measure import CLEANUP_S
from exporter.probes.ramp.processes import MARGIN_S, ClientProcess, ProcessLost, cores
from exporter.roster.collector import fetch_workers
from exporter.roster.types import WorkerStatus

LOOK_S = 2.0
"""Between two looks at the progress, and at what the workers report."""


async def load(config: AgentLoadConfig, run: Run) -> Outcome:
    """Load the agent once."""
    tiers: list[LoadTier] = []
    ended = await run.within_deadline(_climb(config, run, tiers), CLEANUP_S)
    found = AgentLoad(tiers=tuple(tiers), **config.labels())
    return run.outcome("agent_load", result=found, ended=ended)


async def _climb(config: AgentLoadConfig, run: Run, tiers: list[LoadTier]) -> None:
    caller = _Callers(config, run)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(caller.stop)
        for index, calls in enumerate(config.calls):
            tiers.append(await caller.hold(calls, index / len(config.calls)))
            judged = judge_tier(tiers[-1], config.targets)
            run.log(f"{calls} calls: {judged.e2e.n} turns, {judged.voids} void")
            if is_last(judged):
                return


class _Callers:
    """The processes that call, which are kept from one tier to the next."""

    def __init__(self, config: AgentLoadConfig, run: Run) -> None:
        call, server = config.call(), run.server
        self._config, self._run, self._within_s = config, run, call.deadline
        self._setup = LoadSetup(
            url=server.url,
            api_key=server.api_key,
            api_secret=server.api_secret,
            ca_file=server.ca_file,
            e2ee_key=server.e2ee_key,
            config=base64.b64encode(pickle.dumps(call)).decode(),
        )
        self._processes: list[ClientProcess] = []
        self._placed = 0

    async def stop(self) -> None:
        """End all processes."""
        await asyncio.gather(*(process.stop() for process in self._processes))

    async def hold(self, calls: int, done: float) -> LoadTier:
        """Place so many calls at one time, and wait for their end."""
        shares = self._shares(calls)
        while len(self._processes) < len(shares):
            module = "exporter.probes.agent_load.worker"
            self._processes.append(ClientProcess(module, LOAD_ANSWER))
        used = self._processes[: len(shares)]
        await asyncio.gather(*map(self._get_ready, used))
        watch = asyncio.create_task(self._watch(calls, done))
        try:
            held = await asyncio.gather(*map(self._place, used, shares))
        finally:
            watch.cancel()
            (seen,) = await asyncio.gather(watch, return_exceptions=True)
        memory = psutil.virtual_memory()
        return LoadTier(
            calls=calls,
            members=tuple(member for members, _ in held for member in members),
            load=tuple(load for _, load in held if load is not None),
            cores=cores(),
            memory_free_ratio=memory.available / memory.total,
            worker=seen if isinstance(seen, WorkerUse) else None,
        )

    def _shares(self, calls: int) -> list[tuple[str, ...]]:
        """Return the ids of the calls of each process; the runner knows their rooms."""
        ids = [f"{self._run.id}-{self._placed + number}" for number in range(calls)]
        self._placed += calls
        for each in ids:
            self._run.on_room(f"{ROOM_PREFIX}{each}")
        size = self._config.calls_per_process
        return [tuple(ids[at : at + size]) for at in range(0, calls, size)]

    async def _get_ready(self, process: ClientProcess) -> None:
        try:
            await process.start(self._setup)
            await process.ask(GetReady(), START_S, lambda _: None)
        except ProcessLost as lost:  # its calls are missing in the tier
            self._run.log(str(lost))

    async def _place(
        self, process: ClientProcess, ids: tuple[str, ...]
    ) -> tuple[Sequence[LoadCall], ProberLoad | None]:
        order = PlaceCalls(run_ids=ids, within_s=self._within_s)
        try:
            answer = await process.ask(order, self._within_s + MARGIN_S, lambda _: None)
        except ProcessLost as lost:
            self._run.log(str(lost))
            return [LoadCall(failures=(Reason.PROBE_CRASHED,))] * len(ids), None
        assert isinstance(answer, Placed)  # noqa: S101 - the worker answers each order by its type
        return answer.members, answer.load

    async def _watch(self, calls: int, done: float) -> WorkerUse | None:
        """Tell the progress, and look at the workers, until cancelled; return the last look."""
        began, share = self._run.clock(), 1 / len(self._config.calls)
        use: WorkerUse | None = None
        try:
            while True:
                within = min(1.0, (self._run.clock() - began) / self._config.duration)
                self._run.on_progress(RampProgress(calls, done + within * share))
                use = await self._look(calls) or use
                await asyncio.sleep(LOOK_S)
        except asyncio.CancelledError:
            return use

    async def _look(self, calls: int) -> WorkerUse | None:
        """Return what the workers report while they have all the calls; None else."""
        collector = self._config.collector
        if collector is None:
            return None
        try:
            found = await fetch_workers(collector)
        except ProbeError as error:
            self._run.log(f"workers not known: {error}")
            return None
        own = [
            each
            for each in found
            if each.agent_name == self._config.agent_name
            and each.status is not WorkerStatus.OFFLINE
            and each.memory_bytes is not None
        ]
        jobs = sum(each.active_jobs or 0 for each in own)
        if jobs < calls:
            return None
        cpu = [each.cpu_ratio for each in own if each.cpu_ratio is not None]
        memory = float(sum(each.memory_bytes or 0 for each in own))
        return WorkerUse(jobs, memory, sum(cpu) if len(cpu) == len(own) else None)
