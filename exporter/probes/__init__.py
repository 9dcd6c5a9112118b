"""The table of probes and the one seam between them and everything else.

A probe is one coroutine `(its own frozen config, Run) -> Outcome`. It touches no registry, no
store and no global. It returns what it found, with a reason where it failed; whatever escapes
it is mapped by the runner, so that a listener always gets an Outcome.

To add one: a file here with its config model and its coroutine, one row below, its series in
`exporter.metrics.table`, one test file.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from exporter.outcome import Outcome
from exporter.probes.agents import AgentsConfig, probe_agents
from exporter.probes.calibrate import CalibrateConfig, probe_calibrate
from exporter.probes.latency import LatencyConfig, probe_latency
from exporter.probes.ramp import RampConfig, probe_ramp
from exporter.probes.reach import ReachConfig, probe_reach
from exporter.probes.reconnect import ReconnectConfig, probe_reconnect
from exporter.probes.run import Run
from exporter.probes.sfu import SfuConfig, probe_sfu
from exporter.probes.workers import WorkersConfig, probe_workers


@dataclass(frozen=True, slots=True)
class Probe:
    """One row of the table."""

    config: type[BaseModel]
    """The frozen model that the coroutine takes."""
    coroutine: Callable[[Any, Run], Awaitable[Outcome]]
    lane: Literal["call", "api"]
    """Which processes run it: a listing of seconds must not wait behind calls of minutes."""


PROBES: dict[str, Probe] = {
    "latency": Probe(LatencyConfig, probe_latency, "call"),
    "agents": Probe(AgentsConfig, probe_agents, "api"),
    "workers": Probe(WorkersConfig, probe_workers, "api"),
    "calibrate": Probe(CalibrateConfig, probe_calibrate, "call"),
    "sfu": Probe(SfuConfig, probe_sfu, "call"),
    "ramp": Probe(RampConfig, probe_ramp, "call"),
    "reach": Probe(ReachConfig, probe_reach, "call"),
    "reconnect": Probe(ReconnectConfig, probe_reconnect, "call"),
}
"""Every probe by its name, which is also the label `probe`."""
