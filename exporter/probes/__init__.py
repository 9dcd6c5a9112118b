"""The table of probes.

A probe is one folder and one row. `spec.py` is light: its configuration, its judge, its summary,
its row. `measure.py` does the work: one coroutine `(its own frozen config, Run) -> Outcome`, in a
process of its own. It touches no registry, no store and no global. It returns what it found, with
a reason where it failed; whatever escapes it is mapped by the runner, so that a listener always
gets an Outcome.

To add one: its folder, its row below, its series in `exporter.metrics.table`, one test file.
"""

from typing import Any

from exporter.probe import Probe
from exporter.probes.agent_load.spec import PROBE as AGENT_LOAD
from exporter.probes.agents.spec import PROBE as AGENTS
from exporter.probes.calibrate.spec import PROBE as CALIBRATE
from exporter.probes.latency.spec import PROBE as LATENCY
from exporter.probes.ramp.spec import PROBE as RAMP
from exporter.probes.reach.spec import PROBE as REACH
from exporter.probes.reconnect.spec import PROBE as RECONNECT
from exporter.probes.sfu.spec import PROBE as SFU
from exporter.probes.workers.spec import PROBE as WORKERS

_ROWS: tuple[Probe[Any, Any], ...] = (
    *(LATENCY, AGENTS, WORKERS, CALIBRATE),
    *(SFU, REACH, RECONNECT, RAMP, AGENT_LOAD),
)
PROBES: dict[str, Probe[Any, Any]] = {row.name: row for row in _ROWS}
"""Every probe by its name, which is also the label `probe`."""
