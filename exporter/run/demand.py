"""How many processes the scheduled runs want, and how many the host carries."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from exporter.probe import Probe
from exporter.run.scheduler import Work

CALLS_PER_CORE = 2
"""More calls at once make event loops late, and a lateness of 20 ms voids a turn."""
HEADROOM = 2
"""Processes for each that is in use on average: with one, every run would wait."""
LEAST = 2
"""So that a call never waits for a baseline of a minute, however few are wanted."""
MOST = 64


class Demand:
    """The processes that scheduled runs take on average: length over interval, summed up.

    What runs alone is left out: it is rare, and takes all processes however many there are.
    """

    def __init__(self, rows: Mapping[str, Probe[Any, Any]], cores: float) -> None:
        """Start without runs.

        Args:
            rows: The table of probes.
            cores: CPUs that this exporter may use.
        """
        self._rows = rows
        self._cores = cores
        self._shares: dict[str, float] = {}

    def add(self, work: Work) -> None:
        """Count this from now on; what has its id is counted anew."""
        row = self._rows[work.probe]
        if row.lane == "call" and not row.alone:
            self._shares[work.id] = row.usual_s(work.config) / work.interval_s

    def remove(self, work_id: str) -> None:
        """Count this no more, if it was counted."""
        self._shares.pop(work_id, None)

    @property
    def in_use(self) -> float:
        """Processes in use on average."""
        return math.fsum(self._shares.values())

    @property
    def wanted(self) -> int:
        """Processes that are wanted, so that a run seldom waits."""
        return min(MOST, max(LEAST, math.ceil(HEADROOM * self.in_use)))

    @property
    def carried(self) -> int:
        """Processes that the cores carry."""
        return min(MOST, max(LEAST, self._by_cores))

    @property
    def _by_cores(self) -> int:
        return math.floor(CALLS_PER_CORE * self._cores)

    @property
    def processes(self) -> int:
        """How many there should be."""
        return min(self.wanted, self.carried)

    def shortage(self, processes: int | None) -> str:
        """Return in one line what is wanted beyond what there is, with the arithmetic; "" if none.

        Args:
            processes: As configured; None: `auto`.
        """
        have = self.carried if processes is None else min(processes, self.carried)
        needed = HEADROOM * self.in_use
        if needed <= have:
            return ""
        bound = f", at least {LEAST}" if self._by_cores < LEAST else ""
        bound = f", at most {MOST}" if self._by_cores > MOST else bound
        cores = f"{CALLS_PER_CORE} x {self._cores:g} cores{bound}"
        host = f"this host carries {self.carried} ({cores})"
        there = host if have == self.carried else f"it is {processes}, and {host}"
        more = "more processes or " if have < self.carried else ""
        return (
            f"{len(self._shares)} targets and probes want {needed:.1f} processes ({HEADROOM} x "
            f"{self.in_use:.2f}, the sum of length / interval), but {there}; expected {more}longer "
            "intervals, fewer targets, more cores, or more exporters"
        )


class PoolSize:
    """Has the processes that are configured, or as many as what runs here wants."""

    def __init__(
        self, demand: Demand, configured: Callable[[], int | None], resize: Callable[[int], None]
    ) -> None:
        """Start with nothing that runs.

        Args:
            demand: Of what runs here.
            configured: How many processes there are to be; None: as many as are wanted.
            resize: Lets there be so many.
        """
        self._demand = demand
        self._configured = configured
        self._resize = resize

    def add(self, work: Work) -> None:
        """Follow a work that runs here from now on."""
        self._demand.add(work)
        self.fit()

    def remove(self, work_id: str) -> None:
        """Follow that it runs here no more."""
        self._demand.remove(work_id)
        self.fit()

    def fit(self) -> None:
        """Follow the configuration."""
        self._resize(self._configured() or self._demand.processes)
