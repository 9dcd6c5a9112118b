"""The series of single workers, which keep their text ready: see `exposition`."""

from collections.abc import Callable, Mapping

from exporter.metrics.table import ROWS
from exporter.roster.types import Worker, WorkerStatus

_VALUES: Mapping[str, Callable[[Worker], float | None]] = {
    "voice_worker_load_ratio": lambda worker: worker.load,
    "voice_worker_active_jobs": lambda worker: worker.active_jobs,
    "voice_worker_memory_bytes": lambda worker: worker.memory_bytes,
    "voice_worker_cpu_ratio": lambda worker: worker.cpu_ratio,
    "voice_worker_last_heartbeat_timestamp_seconds": lambda worker: worker.last_heartbeat,
}
_STATUS = "voice_worker_status"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class WorkerSeries:
    """Text of one line for each value of each worker.

    Written in one thread and read in another: each family is a dict whose values are strings, so
    copying them is one step of the interpreter.
    """

    def __init__(self, server: str) -> None:
        """Start without workers.

        Args:
            server: The label `server` of every series.
        """
        self._server = _escaped(server)
        self._lines: dict[str, dict[str, str]] = {name: {} for name in (_STATUS, *_VALUES)}

    def show(self, worker: Worker) -> None:
        """Show a worker as it is now; what is not known of it has no series."""
        head = f'agent_name="{_escaped(worker.agent_name)}",server="{self._server}"'
        tail = f'worker_id="{_escaped(worker.worker_id)}"'
        self._lines[_STATUS][worker.worker_id] = "".join(
            f'{_STATUS}{{{head},status="{status}",{tail}}} {float(worker.status is status)}\n'
            for status in WorkerStatus
        )
        for name, value_of in _VALUES.items():
            value = value_of(worker)
            if value is None:
                self._lines[name].pop(worker.worker_id, None)
            else:
                self._lines[name][worker.worker_id] = f"{name}{{{head},{tail}}} {float(value)!r}\n"

    def forget(self, worker_id: str) -> None:
        """Let the series of a worker go."""
        for lines in self._lines.values():
            lines.pop(worker_id, None)

    def text(self) -> str:
        """Return all families, those without a sample as well."""
        parts: list[str] = []
        for name, lines in self._lines.items():
            parts.append(f"# HELP {name} {ROWS[name].help}\n# TYPE {name} gauge\n")
            parts.extend(list(lines.values()))
        return "".join(parts)


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)
