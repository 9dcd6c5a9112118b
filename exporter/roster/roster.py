"""The one place where what is known of workers meets."""

from collections.abc import Callable
from time import time

from exporter.roster.types import Worker, WorkerReport


class Roster:
    """Merges what is known of workers. All methods belong to one thread; none does any I/O."""

    def __init__(self, *, max_workers: int = 10_000, clock: Callable[[], float] = time) -> None:
        self._max_workers = max_workers
        self._clock = clock
        self._workers: dict[str, Worker] = {}

    def heartbeat(self, report: WorkerReport) -> str | None:
        """Take a worker's report.

        Returns:
            Why it was refused, one line; None when it was taken.
        """
        raise NotImplementedError(report)

    def workers(self, now: float | None = None) -> tuple[Worker, ...]:
        """Return every worker with its status at that moment, by name and id.

        Args:
            now: Unix time; the roster's own clock if not given.
        """
        raise NotImplementedError(now)
