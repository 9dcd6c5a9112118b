"""The tasks of a call: when one of them dies nothing is known any more, and the prober is to blame.

A reader that died hears nothing, as if the agent were silent: so its death ends the call at once.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from exporter.errors import ProbeError, first_probe_error
from exporter.outcome import Reason
from exporter.server_api.errors import one_line

T = TypeVar("T")


async def at_once(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do all of that at the same time, and return what comes of each.

    Raises:
        ProbeError: The first that was raised; the others were cancelled, and have ended.
    """
    with first_probe_error():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    return [task.result() for task in tasks]


class Tasks:
    """Watches tasks that run until they are cancelled, or until what they read ends."""

    def __init__(self) -> None:
        self._died: ProbeError | None = None
        self._limits: list[asyncio.Timeout] = []

    def watch(self, *tasks: asyncio.Task[None] | None) -> None:
        """End the work within `alive` when one of these raises; what is None was not started."""
        for task in filter(None, tasks):
            task.add_done_callback(self._on_end)

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Do the work of this block for as long as every task lives.

        Raises:
            ProbeError: probe_crashed: one died; the work was cancelled.
        """
        try:
            async with asyncio.timeout(None) as limit:
                self._limits.append(limit)
                self._cancel()
                yield
        except TimeoutError:
            if not limit.expired() or self._died is None:
                raise
            raise self._died from None
        finally:
            self._limits.remove(limit)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None or self._died is not None:
            return
        detail = one_line(f"the task {task.get_name()!r} died: {type(error).__name__}: {error}")
        self._died = ProbeError(Reason.PROBE_CRASHED, detail)
        self._cancel()

    def _cancel(self) -> None:
        if self._died is not None:
            for limit in self._limits:
                limit.reschedule(asyncio.get_running_loop().time())
