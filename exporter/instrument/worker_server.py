"""What an `AgentServer` of livekit-agents tells of itself. It is only read, never called into."""

import math
import sys
from typing import Any

from exporter.instrument.report import Facts, status_of

_UNREGISTERED = "unregistered"
_LOAD_THRESHOLD = 0.7
"""Of livekit-agents in production, where the server does not tell its own."""


class ServerSource:
    """Reads an `AgentServer`, whose shape changes between releases: whatever lacks is unknown."""

    def __init__(self, agent_name: str, server: Any) -> None:
        self._agent_name = agent_name
        self._server = server

    def facts(self) -> Facts | None:
        """Return what the server tells; None until LiveKit has registered it."""
        worker_id = getattr(self._server, "id", None)
        if not isinstance(worker_id, str) or worker_id in ("", _UNREGISTERED):
            return None
        # A list that the worker's own thread changes: its length is one step.
        jobs = len(self._server.active_jobs)
        load = self._load()
        draining = bool(getattr(self._server, "draining", False))
        full = load is not None and load >= self._threshold()
        port = getattr(getattr(self._server, "worker_info", None), "http_port", None)
        return Facts(
            worker_id=worker_id,
            agent_name=self._agent_name,
            status=status_of(jobs, full=full, draining=draining),
            active_jobs=jobs,
            load=load,
            sdk_version=str(getattr(sys.modules.get("livekit.agents"), "__version__", "")),
            http_port=port or None,
        )

    def _load(self) -> float | None:
        load = getattr(self._server, "worker_load", getattr(self._server, "_worker_load", None))
        return float(load) if isinstance(load, int | float) and math.isfinite(load) else None

    def _threshold(self) -> float:
        """Return the load from which it takes no more jobs, which depends on how it was started."""
        threshold = getattr(self._server, "_load_threshold", _LOAD_THRESHOLD)
        if not isinstance(threshold, int | float):
            mode = "dev_default" if getattr(self._server, "_devmode", False) else "prod_default"
            threshold = getattr(threshold, mode, _LOAD_THRESHOLD)
        return float(threshold)
