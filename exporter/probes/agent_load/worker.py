"""A process of a load: `python -m exporter.probes.agent_load.worker`; it places calls."""

import asyncio
import base64
import pickle
import time

import psutil

from exporter.outcome import (
    CallResult,
    InterruptionOutcome,
    LoadCall,
    Outcome,
    ProberLoad,
    Reason,
    TurnOutcome,
)
from exporter.probe import Run
from exporter.probes.agent_load.messages import LOAD_ORDER, GetReady, LoadSetup, Placed, Ready
from exporter.probes.latency.measure import place_call
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.ramp.worker import run_process, tell
from exporter.rtc.lag import PERIOD_S, LagMonitor
from exporter.server_api import Server
from exporter.server_api.server import trust_in_sdk
from exporter.standstill import watching
from exporter.stats import quantile

_NOT_YIELDED = (InterruptionOutcome.TALKED_ON, InterruptionOutcome.RESUMED)


class LoadWorker:
    """The calls of this process, and its orders."""

    def __init__(self, setup: LoadSetup, out: int) -> None:
        self._server = Server(
            setup.url,
            setup.api_key,
            setup.api_secret,
            ca_file=setup.ca_file,
            e2ee_key=setup.e2ee_key,
        )
        trust_in_sdk(self._server)
        # From the parent alone, by the pipe that it has made: no one else can write there.
        self._config: LatencyConfig = pickle.loads(base64.b64decode(setup.config))  # noqa: S301
        self._out = out

    async def serve(self, orders: "asyncio.Queue[bytes]") -> None:
        """Do what is ordered, one order after the other, until cancelled."""
        with watching():
            while True:
                order = LOAD_ORDER.validate_json(await orders.get())
                if isinstance(order, GetReady):
                    tell(Ready(), self._out)
                else:
                    tell(await self._place(order.run_ids, order.within_s), self._out)

    async def leave(self) -> None:
        """Nothing is left: each call that is cancelled leaves by itself."""

    async def _place(self, run_ids: tuple[str, ...], within_s: float) -> Placed:
        lag = LagMonitor()
        lag.start()
        began, cpu_s = time.monotonic(), time.process_time()
        runs = [Run(each, self._server, began + within_s) for each in run_ids]
        outcomes = await asyncio.gather(*(place_call(self._config, run) for run in runs))
        ended = time.monotonic()
        lag.stop()
        looks = sorted(lag.late(began, ended))
        load = ProberLoad(
            clients=len(runs),
            cpu_cores=(time.process_time() - cpu_s) / max(ended - began, PERIOD_S),
            lag_s=quantile(looks, 0.99) if looks else ended - began,
            send_wait_s=None,
            sent_ratio=1.0,
            memory_bytes=psutil.Process().memory_info().rss,
        )
        return Placed(members=tuple(map(load_call, outcomes)), load=load)


def load_call(outcome: Outcome) -> LoadCall:
    """Return the figures of one call of a tier."""
    call = outcome.result if isinstance(outcome.result, CallResult) else None
    turns = [turn for turn in call.turns if not turn.warmup] if call else []
    failures = [turn.reason for turn in turns if turn.outcome is TurnOutcome.FAILED and turn.reason]
    voids = sum(turn.outcome is TurnOutcome.VOID for turn in turns)
    # Void turns are counted for themselves; a call that was spoiled before any is a failed one.
    known = (*failures, *((Reason.VOID,) if voids else ()))
    if outcome.reason is not None and outcome.reason not in known:
        failures.append(outcome.reason)
    taken = call.interruptions if call else ()
    return LoadCall(
        e2e_s=tuple(turn.answered_s for turn in turns if turn.answered_s is not None),
        failures=tuple(failures),
        voids=voids,
        yields_s=tuple(each.yield_s for each in taken if each.yield_s is not None),
        talked_on=sum(each.outcome in _NOT_YIELDED for each in taken),
        interruptions=len(taken),
        time_to_agent_s=call.time_to_agent_s if call else None,
    )


if __name__ == "__main__":
    run_process(lambda setup, out: LoadWorker(LoadSetup.model_validate_json(setup), out))
