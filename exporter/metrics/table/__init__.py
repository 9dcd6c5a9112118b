"""Every metric in one table; the registry is built from it.

    row       what a metric is made of
    calls     what a caller has of an agent
    probes    how the runs of every probe went, their budgets and verdicts
    rooms     agents and rooms, as they are listed
    workers   who takes the jobs: all together, then each by itself
    sfu       the way to the SFU, its reconnects included
    ramp      how many clients the SFU takes
    exporter  the exporter itself

To add one: a row in the file of its group, a line in the recorder that writes it, then `make docs`
for the docs and `python -m tests.golden_metrics` for the golden page. Names are never changed:
dashboards, alerts and other people's queries use them.
"""

from exporter.metrics.table.calls import CALLS
from exporter.metrics.table.exporter import EXPORTER
from exporter.metrics.table.probes import PROBES
from exporter.metrics.table.ramp import RAMP
from exporter.metrics.table.rooms import ROOMS
from exporter.metrics.table.row import Row
from exporter.metrics.table.sfu import SFU
from exporter.metrics.table.workers import WORKERS

__all__ = ["ROWS", "TABLE", "Row"]

TABLE = (*CALLS, *PROBES, *ROOMS, *WORKERS, *SFU, *RAMP, *EXPORTER)
"""Every metric of the exporter, in the order of the page, beside process_* and python_*."""

ROWS = {row.name: row for row in TABLE}
"""The same by name."""
