"""Every metric in one table: those of the probes, and those that no probe has for itself.

To add one: a family in the folder of its probe, a reading, then `make docs` for the docs and
`python -m tests.golden_metrics` for the golden page. Names are never changed: dashboards, alerts
and other people's queries use them.
"""

from typing import get_args

from exporter.calls.families import FAMILIES as OF_REAL_CALLS
from exporter.metrics.common import OF_EVERY_PROBE
from exporter.metrics.live_families import FAMILIES as OF_LIVE_TURNS
from exporter.metrics.own_families import BUDGETS, EXPORTER, LEASES, WORKERS
from exporter.probes import PROBES
from exporter.series import Family, Group

_OF_PROBES = (family for probe in PROBES.values() for family in probe.families)
_BY_NAME: dict[str, Family] = {}
for _family in (
    *(*_OF_PROBES, *OF_EVERY_PROBE, *BUDGETS),
    *(*OF_REAL_CALLS, *OF_LIVE_TURNS, *WORKERS, *EXPORTER, *LEASES),
):
    _BY_NAME.setdefault(_family.name, _family)

TABLE = tuple(sorted(_BY_NAME.values(), key=lambda family: get_args(Group).index(family.group)))
"""Every metric of the exporter, in the order of the page; process_* and python_* follow."""

ROWS = {family.name: family for family in TABLE}
"""The same by name."""
