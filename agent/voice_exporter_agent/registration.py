"""`register_worker`: checks what it is given and starts the heartbeats; never harms the worker."""

import atexit
import logging
import math
import multiprocessing
import os
import sys
from typing import Any

from voice_exporter_agent.collector import ArgumentError, collector_at
from voice_exporter_agent.heartbeats import Heartbeats
from voice_exporter_agent.worker import Cohort, PageSource, ServerSource

log = logging.getLogger(__name__)

_SHORTEST_INTERVAL_S = 1.0
_LONGEST = 64
_REGIONS = (
    *("VOICE_EXPORTER_REGION", "FLY_REGION", "AWS_REGION"),
    *("RAILWAY_REPLICA_REGION", "KOYEB_REGION"),
)
"""Our own variable, then those that platforms set for each instance."""


class WorkerHandle:
    """What `register_worker` returns."""

    def __init__(self, heartbeats: Heartbeats | None) -> None:
        self._heartbeats = heartbeats

    def close(self) -> None:
        """Report that the worker leaves, and stop; takes 2 s at most. Never raises."""
        heartbeats, self._heartbeats = self._heartbeats, None
        if heartbeats is not None:
            atexit.unregister(self.close)
            heartbeats.close()


def register_worker(
    agent_name: str,
    collector: str | None = None,
    token: str | None = None,
    interval: float = 15,
    server: Any = None,
    *,
    region: str | None = None,
    version: str = "",
) -> WorkerHandle:
    """Report this worker to an exporter, from now until the process ends.

    Call it at the top of the program, once. Job processes import that program as well: there it
    does nothing, nor where `dev` runs the worker below a process that reloads it. It starts one
    thread, takes no time, and raises nothing: a mistake is one line in the log, after which the
    worker runs as if it had not been called.

    With `server` the exporter learns everything. Without it the worker's own HTTP page is found
    among the ports that this process listens on, and shows the active jobs and the load. Then
    these are unknown: the id that LiveKit gave the worker, so its jobs in rooms are not linked to
    it; whether it drains; and its own load threshold, which is taken to be 0.7. Until the page
    answers, and before LiveKit has registered the `server`, no heartbeat is sent.

    Args:
        agent_name: Name that the worker registers with; "" if it joins every room.
        collector: Address of the exporter, `http://HOST:9465`; else
            `VOICE_EXPORTER_COLLECTOR_URL`.
        token: The exporter's `web.token`; else `VOICE_EXPORTER_TOKEN`, else the content of the
            file `VOICE_EXPORTER_TOKEN_FILE`. Never logged.
        interval: Seconds between two heartbeats, at least 1. After 45 s of silence the exporter
            takes a worker for offline, unless its `workers.offline_after` differs.
        server: The worker's `AgentServer`.
        region: Where the worker runs; else `VOICE_EXPORTER_REGION`, or the variable of the
            platform: `FLY_REGION`, `AWS_REGION`, `RAILWAY_REPLICA_REGION`, `KOYEB_REGION`.
        version: Of your agent, to compare releases. At most 64 characters, as the region.

    Returns:
        A handle; closing it reports that the worker leaves, as the end of the process does.
    """
    try:
        if _is_helper():
            log.debug("not the worker's main process: nothing is reported")
            return WorkerHandle(None)
        cohort = Cohort(_short("version", version), _short("region", _region(region)))
        heartbeats = _make(agent_name, collector, token, interval, server, cohort=cohort)
        handle = WorkerHandle(heartbeats)
        atexit.register(handle.close)
        heartbeats.start()
    except Exception as error:  # noqa: BLE001 - a worker must not fail for its observer
        # Our own words, or the kind of an error that nobody expected; no traceback, which would
        # hold the arguments.
        why = str(error) if isinstance(error, ArgumentError) else type(error).__name__
        log.error("worker is not reported to the exporter: %s", why)  # noqa: TRY400
        return WorkerHandle(None)
    return handle


def _is_helper() -> bool:
    """Return whether this process is one that the worker started, not the worker itself.

    The command line shows it while the program is imported again, when there is no parent process
    yet; also for the process from which jobs are forked, which never has one.
    """
    started_by = "from multiprocessing."
    return multiprocessing.parent_process() is not None or any(
        argument.startswith(started_by) for argument in sys.orig_argv
    )


def _region(given: str | None) -> str:
    if given is not None:
        return given
    return next((os.environ[name] for name in _REGIONS if os.environ.get(name)), "")


def _short(name: str, text: object) -> str:
    """Return text that fits a label.

    Raises:
        ArgumentError: It does not.
    """
    if not isinstance(text, str) or len(text.strip()) > _LONGEST or not text.strip().isprintable():
        raise ArgumentError(f"{name} is not short text; expected at most {_LONGEST} characters")
    return text.strip()


def _make(
    agent_name: object,
    collector: str | None,
    token: str | None,
    interval: object,
    server: Any,
    *,
    cohort: Cohort,
) -> Heartbeats:
    """Check the arguments and put the parts together.

    Raises:
        ArgumentError: One is wrong.
    """
    if not isinstance(agent_name, str):
        raise ArgumentError("agent_name is not text; expected the name the worker registers with")
    if not isinstance(interval, int | float) or not _SHORTEST_INTERVAL_S <= interval < math.inf:
        raise ArgumentError("interval is too short; expected at least 1 second")
    at = collector_at(collector, token)
    source = PageSource(agent_name) if server is None else ServerSource(agent_name, server)
    return Heartbeats(at, source, float(interval), cohort=cohort)
