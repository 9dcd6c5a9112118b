"""`attach`: reports the turns of a session; never harms the agent."""

import asyncio
import atexit
import logging
import sys
import threading
from collections.abc import Callable
from inspect import signature
from typing import Any
from weakref import WeakSet

from voice_exporter_agent.collector import ArgumentError, Collector, collector_at
from voice_exporter_agent.delivery import Delivery
from voice_exporter_agent.turns import Emitter, Report, SessionTurns

log = logging.getLogger(__name__)

PROBE_ROOMS = "voice-exporter-"
"""Rooms of probes begin so."""
PROBE_ATTRIBUTE = "voice-exporter.probe"
"""What a probe has in other rooms."""
FLUSH_S = 1.0
"""For the last reports of a call, when its job ends."""
_LONGEST_NAME = 256
_LONGEST_CALL_TYPE = 128


def attach(
    session: Emitter,
    call_type: str = "default",
    agent_name: str | None = None,
    collector: str | None = None,
    token: str | None = None,
) -> None:
    """Report the turns of a session to an exporter, until the session closes.

    Call it in the entrypoint, before or after `session.start`. It reads figures from the events
    of the session (livekit-agents 1.5 and later), never words. Reports are sent by one thread for
    each process; it takes no time of the session, and raises nothing: a mistake, or an exporter
    that is away, is one line in the log. Calls of probes are not reported.

    Args:
        session: An `AgentSession`.
        call_type: The label of that name.
        agent_name: Name that the worker registers with; else that of the job.
        collector: Address of the exporter, `http://HOST:9465`; else
            `VOICE_EXPORTER_COLLECTOR_URL`.
        token: The exporter's `web.token`; else `VOICE_EXPORTER_TOKEN`, else the content of the
            file `VOICE_EXPORTER_TOKEN_FILE`. Never logged.
    """
    try:
        _attach(session, call_type, agent_name, collector_at(collector, token))
    except Exception as error:  # noqa: BLE001 - an agent must not fail for its observer
        why = str(error) if isinstance(error, ArgumentError) else type(error).__name__
        log.error("turns are not reported to the exporter: %s", why)  # noqa: TRY400 - one line


_attached: WeakSet[Emitter] = WeakSet()
_deliveries: dict[Collector, Delivery] = {}
_lock = threading.Lock()


def _attach(session: Emitter, call_type: str, agent_name: str | None, at: Collector) -> None:
    """Check the names, and put the parts together.

    Raises:
        ArgumentError: One of them is wrong.
    """
    job = _job()
    of_job: Any = getattr(getattr(job, "job", None), "agent_name", None)
    name = of_job if agent_name is None else agent_name
    if not _is_label(name, _LONGEST_NAME):
        raise ArgumentError("the agent's name is not known; expected agent_name=, or a job")
    if not _is_label(call_type, _LONGEST_CALL_TYPE, least=1):
        raise ArgumentError(f"call_type: expected 1 to {_LONGEST_CALL_TYPE} printable characters")
    with _lock:
        if session in _attached:
            raise ArgumentError("the session is attached already; expected one attach for each")
        delivery = _delivery(at)
        if job is not None:
            _flush_at_end(job, delivery)
        turns = SessionTurns(
            Report(name, call_type),
            lambda report: delivery.offer(report.encode()),
            lambda: _is_probe(job),
        )
        turns.follow(session, _guarded)
        _attached.add(session)  # now that nothing can fail any more


def _is_label(text: object, longest: int, least: int = 0) -> bool:
    return isinstance(text, str) and least <= len(text) <= longest and text.isprintable()


def _delivery(at: Collector) -> Delivery:
    """Return the one of this process, and not that of the process which it was forked from."""
    found = _deliveries.get(at)
    if found is None or not found.works:
        found = _deliveries[at] = Delivery(at)
        atexit.register(found.close, FLUSH_S)
    return found


def _job() -> Any:
    """Return the context of the job that runs here; None outside of one."""
    get = getattr(sys.modules.get("livekit.agents"), "get_job_context", None)
    try:
        return get() if get is not None else None
    except RuntimeError:  # outside of a job
        return None


def _flush_at_end(job: Any, delivery: Delivery) -> None:
    """Let the job wait a moment for the last reports: its process ends without `atexit`."""

    async def flush() -> None:
        await asyncio.to_thread(delivery.flush, FLUSH_S)

    job.add_shutdown_callback(flush)


def _is_probe(job: Any) -> bool:
    """Return whether the caller is a probe, of whichever exporter."""
    room = getattr(job, "room", None)
    people = getattr(room, "remote_participants", None) or {}
    name = getattr(getattr(getattr(job, "job", None), "room", None), "name", "")
    marks = (PROBE_ATTRIBUTE in each.attributes for each in people.values())
    return name.startswith(PROBE_ROOMS) or any(marks)


def _guarded(handler: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a function that raises nothing, and is given up after its first error."""
    broken = False

    def call(event: Any) -> None:
        nonlocal broken
        if broken:
            return
        try:
            handler(event)
        except Exception as error:  # noqa: BLE001 - an agent must not fail for its observer
            broken = True
            log.error(  # noqa: TRY400 - one line, without what the event holds
                "turns of this session are reported incompletely: %s", type(error).__name__
            )

    # The session asks for it at each event, and to find it takes ten times as long as the rest.
    call.__signature__ = signature(call)  # type: ignore[attr-defined] # as `inspect` documents
    return call
