"""Slots for probe processes: a pool of one process each, and the pipe of its progress messages.

A pool of several processes shares one pipe and one lock among them, so that the death of one can
break the others. A pool of one can only break itself, and is then replaced.
"""

import asyncio
import contextlib
import logging
import math
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext
from typing import Any, TypeVar

from pebble import ProcessPool

from exporter import logs
from exporter.run import process
from exporter.run.leash import Shared

log = logging.getLogger(__name__)

T = TypeVar("T")


class ProgressPipe:
    """Progress messages of a slot's processes, read without blocking the loop.

    The parent keeps the writing end for the next process, so there is no end of file to rely on.
    """

    def __init__(self, context: SpawnContext) -> None:
        self._reader, self.writer = context.Pipe(duplex=False)
        os.set_blocking(self._reader.fileno(), False)
        self._rest = b""
        self._listener: Callable[[bytes], None] | None = None

    def listen(self, listener: Callable[[bytes], None] | None) -> None:
        """Give every further line to the listener; None takes what is left and stops."""
        self.drain()
        self._listener = listener
        loop = asyncio.get_running_loop()
        if listener is None:
            loop.remove_reader(self._reader.fileno())
        else:
            loop.add_reader(self._reader.fileno(), self.drain)

    def drain(self) -> None:
        """Give what is in the pipe to the listener, now."""
        while True:
            try:
                chunk = os.read(self._reader.fileno(), 1 << 16)
            except BlockingIOError:
                return
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in filter(None, lines):
                if self._listener is not None:
                    self._listener(line)

    def close(self) -> None:
        """Close both ends."""
        self._reader.close()
        self.writer.close()


class Slot:
    """One probe process at a time, and its successors."""

    def __init__(self, recycle_after: int, setup: logs.LogSetup) -> None:
        self._recycle_after = recycle_after
        self._setup = setup
        self._context = multiprocessing.get_context("spawn")
        self.pipe = ProgressPipe(self._context)
        self.lease: Shared = self._context.RawValue("d", math.inf)
        """When the run in it ends at the latest; see `Leash.on`."""
        self._pool = self._make_pool()
        self._calls: set[asyncio.Future[Any]] = set()
        self._closed = False

    def _make_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=1,
            max_tasks=self._recycle_after,
            initializer=process.prepare,
            initargs=(self.pipe.writer, self._setup, self.lease),
            context=self._context,
        )

    async def call(self, function: Callable[..., T], *args: Any, limit: float) -> T:
        """Run a function in the process.

        Raises:
            TimeoutError: It took longer than the limit, and its process is being killed.
            ProcessExpired: Its process died.
            BrokenProcessPool: Its process died before it was known to have the work, or the slot
                was closed meanwhile.
        """
        with _sigint_blocked():
            broken = not self._pool.active  # its idle process was killed by someone; else starts it
        if broken:
            await self._restart()
        future = asyncio.wrap_future(self._pool.schedule(function, args=args))
        self._calls.add(future)
        try:
            async with asyncio.timeout(limit):
                result: T = await future
        finally:
            self._calls.discard(future)
        return result

    async def recover(self) -> None:
        """Wait until the process of the last run is gone and a new one answers.

        Where none can be started now, the next call tries again.
        """
        try:
            await self.call(process.ready, limit=30.0)
        except (OSError, RuntimeError, TimeoutError):
            if not self._closed:
                log.warning("probe process does not exit; replacing it")
                with contextlib.suppress(OSError, RuntimeError):
                    await self._restart()

    async def aclose(self) -> None:
        """Stop the process: ask first, kill after pebble's three seconds."""
        self._closed = True
        await asyncio.to_thread(_stop, self._pool)
        for call in self._calls:
            if not call.done():
                call.set_exception(BrokenProcessPool("the slot was closed"))
        self.pipe.close()

    async def _restart(self) -> None:
        await asyncio.to_thread(_stop, self._pool)
        self._pool = self._make_pool()
        with _sigint_blocked():
            self._pool.active  # noqa: B018 - asking starts it


@contextlib.contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Block SIGINT in the processes that are started within, by pebble's threads later, too.

    Ctrl-C goes to the whole group, and a process that is just starting does not ignore it yet.
    """
    # Its start unblocks SIGINT for good in the thread that first needs it.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stop(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()
