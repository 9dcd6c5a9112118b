"""What a run may cost, and who pays for it: of every probe whose calls are charged to a budget."""

from dataclasses import dataclass

from pydantic import BaseModel

from exporter.probes.agent_load.spec import AgentLoadConfig
from exporter.probes.latency.spec import LatencyConfig
from exporter.store.records import Spending


@dataclass(frozen=True, slots=True)
class Charge:
    """The most that one run costs."""

    target: LatencyConfig
    """How each of its calls is made; its budget pays."""
    plan: Spending
    """The sum over its calls."""


def charge_of(config: BaseModel) -> Charge | None:
    """Return what a run with this configuration may cost; None: nothing that a budget pays for."""
    if isinstance(config, LatencyConfig):
        return Charge(config, Spending(*config.most))
    if isinstance(config, AgentLoadConfig):
        call = config.call()
        turns, seconds = call.most
        calls = sum(config.calls)
        return Charge(call, Spending(calls * turns, calls * seconds))
    return None
