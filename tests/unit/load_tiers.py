"""Tiers of calls as a load on an agent would return them."""

from typing import Any

from exporter.outcome import AgentLoad, LoadCall, LoadTier, Outcome, ProberLoad, WorkerUse
from tests.unit.calls import WHEN

IDLE = ProberLoad(clients=1, cpu_cores=0.1, lag_s=0.001, send_wait_s=None, sent_ratio=1.0)


def tier(
    calls: int, e2e_ms: float = 900, load: ProberLoad = IDLE, used: bool = True, **changes: Any
) -> LoadTier:
    """Return a tier whose calls are all alike, on workers that take 50 MB and a tenth of a core."""
    parts: dict[str, Any] = {"e2e_s": (e2e_ms / 1000,) * 10, "time_to_agent_s": 0.3}
    member = LoadCall(**(parts | changes))
    use = WorkerUse(calls, 200e6 + 50e6 * calls, 0.1 * calls) if used else None
    return LoadTier(calls, (member,) * calls, (load,), cores=2.0, worker=use)


def loaded(*tiers: LoadTier) -> Outcome:
    """Return the outcome of a load with these tiers, which nobody has judged."""
    found = AgentLoad("sales", "default", "default", tiers)
    return Outcome("agent_load", "", WHEN, 300.0, result=found)
