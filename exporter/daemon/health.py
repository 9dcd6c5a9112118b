"""Whether the exporter does its work: what /-/healthy answers, and a guard for the event loop.

A loop that stands still cannot answer, so it is watched from a thread, which ends the process: a
supervisor starts it again, and Prometheus sees the target down meanwhile.
"""

import asyncio
import logging
import os
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Self

from exporter.daemon.works import Works
from exporter.outcome import Outcome

log = logging.getLogger(__name__)

CHECK_EVERY_S = 5.0
"""With the time that a check takes it stays well under the 30 s in which trouble is noticed."""
WEDGED_AFTER_S = 25
WARNED_AFTER_S = 5
WEDGED_STATUS = 70
"""Exit status of an exporter whose event loop stood still: EX_SOFTWARE of sysexits.h."""

Check = Callable[[], Awaitable[str]]
"""Tells what is wrong, "" when nothing is."""


class Health:
    """Runs the checks again and again, and remembers what they said last."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why the exporter does not do its work, "" when it does."""
        return self._problem

    async def watch(self) -> None:
        """Check every `CHECK_EVERY_S`, for ever."""
        while True:
            await self.check()
            await asyncio.sleep(CHECK_EVERY_S)

    async def check(self) -> None:
        """Run every check once; a check that raises is a problem, too."""
        problems = []
        for check in self._checks:
            try:
                problems.append(await check())
            except Exception as error:
                log.exception("health check failed")
                problems.append(f"health check failed: {type(error).__name__}")
        problem = "; ".join(filter(None, problems))
        if problem != self._problem:
            if problem:
                log.error("not healthy", extra={"problem": problem})
            else:
                log.info("healthy again")
        self._problem = problem


class Readiness:
    """Whether what is shown is to be relied on: once rooms have been listed, here or elsewhere."""

    def __init__(self) -> None:
        self._listed = False

    def record(self, outcome: Outcome) -> None:
        """Take note of a listing: a listener."""
        self._listed = self._listed or outcome.probe == "agents"

    def why_not(self, works: Works) -> str:
        """Return why the exporter is not ready, "" when it is."""
        if works.stopping:
            return "stopping"
        group = works.group
        if group is not None and group.problem and not group.leases.held:
            return group.problem
        if self._listed or (group is not None and group.has_looked):
            return ""
        return "the first room listing has not ended yet"


class Watches:
    """The tasks that run for ever."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def begin(self, name: str, work: Coroutine[object, object, None]) -> None:
        """Begin one; the log says so if it ends by itself."""

        def note(task: asyncio.Task[None]) -> None:
            if not task.cancelled():
                log.error(
                    "internal task ended unexpectedly",
                    extra={"part": name},
                    exc_info=task.exception(),
                )

        task = asyncio.create_task(work, name=name)
        task.add_done_callback(note)
        self.tasks.append(task)

    async def check(self) -> str:
        """Return which of them have ended, "" when none has."""
        ended = [task.get_name() for task in self.tasks if task.done()]
        return f"ended unexpectedly: {', '.join(ended)}" if ended else ""


class LoopGuard:
    """Ends the process when its event loop has stood still for `WEDGED_AFTER_S` seconds.

    It counts its own seconds and not the clock's: a machine that was suspended, or a process that
    was stopped and continued, did not stand still.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        on_wedged: Callable[[], None] | None = None,
        step_s: float = 1.0,
        end: threading.Event | None = None,
    ) -> None:
        """Set up; the guard is on within its `with` block.

        Args:
            loop: Watched; the guard is made in its thread.
            on_wedged: Called in the guard's thread; ends the process if not given.
            step_s: Length of one of its seconds.
            end: Set when the block is left, and waited for, for each of its seconds.
        """
        self._loop = loop
        self._on_wedged = on_wedged or _leave
        self._step_s = step_s
        self._loop_thread = threading.get_ident()
        self._beats = 0
        self._end = end or threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="loop-guard")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        seen, missed = -1, 0
        while not self._end.wait(self._step_s):
            missed = missed + 1 if self._beats == seen else 0
            seen = self._beats
            if missed == 0:
                self._loop.call_soon_threadsafe(self._beat)
            elif missed == WARNED_AFTER_S:
                log.error("event loop is blocked", extra={"at": self._place()})
            elif missed == WEDGED_AFTER_S:
                log.critical("event loop did not recover", extra={"at": self._place()})
                self._on_wedged()

    def _beat(self) -> None:
        self._beats += 1

    def _place(self) -> str:
        """Return where the loop's thread is, innermost call last, on one line."""
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - its documented use
        calls = traceback.extract_stack(frame)[-5:]
        return " > ".join(f"{call.name} ({call.filename}:{call.lineno})" for call in calls)


def _leave() -> None:
    """End the process at once; probe processes see it and clean up by themselves."""
    os._exit(WEDGED_STATUS)
