"""What runs inside a probe's process: one run at a time, its deadline, its signals.

The parent imports this module too, so nothing heavy is imported at its top: a probe's SDK comes
in with the table of probes, inside the process.

A run ends in one of four ways, softest first: it returns; it passes its deadline and is cancelled;
SIGTERM (the parent's kill, the parent's death, the end of its lease) cancels it so that its
`finally` leaves the room; it does not listen, and the parent kills it. A watchdog outside of the
interpreter ends a process that hangs in native code after its parent has died.
"""

import asyncio
import base64
import contextlib
import dataclasses
import faulthandler
import importlib
import math
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import BaseModel
from structlog.contextvars import bound_contextvars

from exporter import logs, server_api
from exporter.errors import ProbeError
from exporter.garbage import leave_out_what_is_there
from exporter.limits import Limit
from exporter.outcome import CallResult, EvidenceLost, Outcome, RampProgress, Reason, Turn
from exporter.run.leash import Shared, ends_with
from exporter.server_api import Server, ServerApi
from exporter.server_api.server import trust_in_sdk
from exporter.standstill import watching

if TYPE_CHECKING:
    from exporter.probe import Keep, Probe, Run

LAST_WORDS_S = 3.0
"""For a cancelled probe to leave and delete its room; pebble kills after as long."""
ProgressMessage = RampProgress | Turn | EvidenceLost | str
"""A message during a run: its progress, a turn, that it cannot be kept, or a room that is about to
be created."""
_WATCHDOG_MARGIN_S = 10.0
"""Beyond the parent's own kill, so that it only ever ends orphans."""
_DETAIL_LIMIT = 300
_STDOUT, _STDERR = 1, 2


@dataclass(frozen=True, slots=True)
class ProbeTable:
    """Where a table of probes is, by name, so that it crosses into a spawned process."""

    module: str
    name: str

    def load(self) -> "Mapping[str, Probe[Any, Any]]":
        """Import the table."""
        table: Mapping[str, Probe[Any, Any]] = getattr(
            importlib.import_module(self.module), self.name
        )
        return table


@dataclass(frozen=True, slots=True)
class Order:
    """One run, as the parent orders it."""

    run_id: str
    table: ProbeTable
    probe: str
    config: BaseModel
    server: Server
    deadline_s: float
    """Cancelled after this; a probe without a deadline of its own does not exist."""
    kill_s: float
    """The parent kills after this."""
    log: logs.LogSetup
    """How to log; a reload may have changed it since the process was started."""
    keep: "Keep | None" = None
    """Where a call is to write down what happens in it."""
    before: object = None
    """`Run.before`."""


class _Process:
    """What belongs to this process for life: the pool hands it in before the first run."""

    pipe: Connection | None = None
    log = logs.LogSetup()
    lease: Shared | None = None


def prepare(pipe: Connection, log: logs.LogSetup, lease: Shared) -> None:
    """Set this process up; the pool calls it once, before any run.

    Args:
        pipe: To the parent, for progress messages.
        log: How to log.
        lease: When the run ends at the latest, on the clock of leases.
    """
    with contextlib.suppress(OSError):  # a daemon may have neither
        os.dup2(_STDERR, _STDOUT)  # stdout is the parent's document
    sys.stdout = sys.stderr  # which is written line by line: a killed process has said its last
    logs.configure(log)
    _Process.pipe, _Process.log, _Process.lease = pipe, log, lease
    threading.Thread(target=_end_with_parent, daemon=True, name="parent-watch").start()


def ready() -> int:
    """Return this process's id; an answer means that the one before it is gone."""
    return os.getpid()


def delete_leftovers(server: Server, names: tuple[str, ...], prefix: str) -> None:
    """Delete what a killed call left behind: rooms by name, and rooms whose name starts so.

    Raises:
        ProbeError: The server could not be reached, or a room could not be deleted; every one
            was tried.
    """
    asyncio.run(_delete_leftovers(server, names, prefix))


async def _delete_leftovers(server: Server, names: tuple[str, ...], prefix: str) -> None:
    async with ServerApi(server) as api:
        rooms = await api.list_rooms()
    ours = [room for room in rooms if room in names or room.startswith(prefix)]
    if left := await server_api.delete_rooms(server, ours):
        raise ProbeError(Reason.API_FAILED, f"rooms not deleted: {', '.join(left)}")


def run_probe(order: Order) -> Outcome:
    """Run one probe to its Outcome. Whatever the probe does, this returns or the process ends."""
    if order.log != _Process.log:
        logs.configure(order.log)
        _Process.log = order.log
    trust_in_sdk(order.server)
    watchdog_s = order.kill_s + _WATCHDOG_MARGIN_S
    faulthandler.dump_traceback_later(watchdog_s, exit=True, file=_STDERR)
    try:
        with bound_contextvars(run=order.run_id), _ended_with_lease():
            return asyncio.run(_Execution(order).run())
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextlib.contextmanager
def _ended_with_lease() -> Iterator[None]:
    """End what runs in the block when its lease ends, if it has one."""
    over, lease = threading.Event(), _Process.lease
    if lease is not None and math.isfinite(lease.value):
        watch = threading.Thread(
            target=ends_with, args=(lease, over, _end), daemon=True, name="lease-watch"
        )
        watch.start()
    try:
        yield
    finally:
        over.set()


def partial_result(config: BaseModel, turns: list[Turn]) -> CallResult | None:
    """Return what is known of a call that did not end by itself; None for other probes."""
    from exporter.probes.latency.spec import as_target  # noqa: PLC0415 - imports every probe

    target = as_target(config)
    if target is None:
        return None
    return CallResult(target.agent_name, target.call_type, target.scenario, tuple(turns))


def write_message(pipe: Connection, run_id: str, message: ProgressMessage) -> None:
    """Send a progress message to the parent: one line, so that a kill can damage only this one.

    Args:
        pipe: To the parent.
        run_id: The run that the message belongs to.
        message: Of any kind.
    """
    line = b"\n%s %s\n" % (run_id.encode(), base64.b64encode(pickle.dumps(message)))
    while line:
        line = line[os.write(pipe.fileno(), line) :]


def read_message(line: bytes, run_id: str) -> ProgressMessage | None:
    """Return the message of a line; None if the line is incomplete or of another run."""
    name, _, body = line.partition(b" ")
    if name != run_id.encode():
        return None
    try:
        message = pickle.loads(base64.b64decode(body, validate=True))  # noqa: S301 - our own child
    except (ValueError, EOFError, pickle.UnpicklingError):
        return None
    return message if isinstance(message, ProgressMessage) else None


class _Execution:
    """One run: the probe's task, its deadline and the turns it has reported."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._turns: list[Turn] = []
        self._terminated = False

    async def run(self) -> Outcome:
        """Run the probe under its deadline and its signals; any end becomes an Outcome."""
        previous = signal.getsignal(signal.SIGTERM)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._terminate, asyncio.current_task())
        try:
            outcome = await self._outcome()
        finally:
            if self._terminated:
                # The handler stays to the end: a second SIGTERM in the moment in which it is taken
                # away would be written down as a traceback.
                _exit(128 + signal.SIGTERM)
            loop.remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, previous)
        return self._sealed(outcome)

    async def _outcome(self) -> Outcome:
        """Run the probe and map what escapes it to a reason."""
        from exporter.probe import Run  # noqa: PLC0415 - the package imports every probe

        deadline = time.monotonic() + self._order.deadline_s
        run = Run(
            self._order.run_id,
            self._order.server,
            deadline,
            on_turn=self._on_turn,
            on_room=self._tell,
            on_progress=self._tell,
            on_lost=self._tell,
            keep=self._order.keep,
            before=self._order.before,
        )
        try:
            return await self._probe(run)
        except ProbeError as error:
            return self._failed(run, error.reason, error.detail)
        except asyncio.CancelledError:
            return self._failed(run, Reason.PROBE_CRASHED, "the probe was cancelled")
        except Exception as error:  # noqa: BLE001 - the border at which anything becomes a reason
            return self._failed(run, Reason.PROBE_CRASHED, describe(error))

    async def _probe(self, run: "Run") -> Outcome:
        """Run the probe until its deadline.

        Raises:
            ProbeError: The deadline passed, or the probe says so.
        """
        work = self._order.table.load()[self._order.probe].work()
        leave_out_what_is_there()  # before the call: a collection in the middle makes turns void
        since, allowed_s = time.monotonic(), self._order.deadline_s
        with watching():
            try:
                async with asyncio.timeout(allowed_s) as limit:
                    outcome = await work(self._order.config, run)
            except TimeoutError:
                if not limit.expired():
                    raise
                detail = f"passed its deadline of {allowed_s:g} s"
                raise Limit.RUN.ran_out(detail, since, allowed_s) from None
        if not isinstance(outcome, Outcome):
            raise TypeError(f"the probe returned {type(outcome).__name__}, not an Outcome")
        return outcome

    def _failed(self, run: "Run", reason: Reason, detail: str) -> Outcome:
        agent_name = getattr(self._order.config, "agent_name", "")
        return run.outcome(self._order.probe, agent_name, reason=reason, detail=detail)

    def _terminate(self, task: "asyncio.Task[Outcome] | None") -> None:
        self._terminated = True
        if task is not None:
            task.cancel()

    def _on_turn(self, turn: Turn) -> None:
        self._turns.append(turn)
        self._tell(turn)

    def _tell(self, message: ProgressMessage) -> None:
        if _Process.pipe is not None:
            write_message(_Process.pipe, self._order.run_id, message)

    def _sealed(self, outcome: Outcome) -> Outcome:
        """Give the outcome its run's id, a call its labels, and keep secrets inside."""
        secrets = (*self._order.server.secrets, *_Process.log.secrets)
        return dataclasses.replace(
            outcome,
            result=outcome.result or partial_result(self._order.config, self._turns),
            detail=logs.redact(outcome.detail, secrets),
            log=tuple(logs.redact(line, secrets) for line in outcome.log),
            run_id=self._order.run_id,
        )


def describe(error: BaseException) -> str:
    """Return class, message and place of an error that nobody expected, on one short line."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f" ({os.path.basename(code.co_filename)}:{trace.tb_lineno})"  # noqa: PTH119 - a name
        trace = trace.tb_next
    message = " ".join(str(error).split())[:_DETAIL_LIMIT]
    return f"{type(error).__name__}: {message}{place}"


def _end_with_parent() -> None:
    """Wait for the parent's death, then end the run as a kill would."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    multiprocessing.connection.wait([parent.sentinel])
    _end()


def _end() -> NoReturn:
    """End the run as a kill would: let it leave, and do not wait for it for long."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_WORDS_S)
    os._exit(1)


def _exit(code: int) -> NoReturn:
    """Leave at once: the pool is not to hear of a run that was ended from outside."""
    sys.stderr.flush()
    os._exit(code)
