"""Lets the pool follow what runs here."""

from collections.abc import Callable

from exporter.run.demand import Demand
from exporter.run.scheduler import Work


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
