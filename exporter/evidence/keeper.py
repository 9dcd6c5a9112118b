"""Which calls stay to be seen and heard, and for how long: the exporter's own side of it.

The probe's process writes; once the verdict is known the exporter seals what is wanted, and deletes
the rest. Nothing here raises: a disk that fails costs evidence, never a measurement.
"""

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from exporter.evidence.config import EvidenceConfig
from exporter.evidence.kept import KeptCall
from exporter.evidence.reading import (
    SEAL_NAME,
    STEP_S,
    Seal,
    folder_of,
    read_call,
    sound_of,
    steps_of,
    to_seal,
)
from exporter.evidence.sound import SOUND_NAME, mend
from exporter.outcome import EvidenceLost, LossReason, Outcome
from exporter.probe import Keep

log = logging.getLogger(__name__)

PRUNE_EVERY_S = 600.0
SETTLE_S = 1.0
"""For a call to be kept or deleted, which takes some milliseconds; a disk that takes longer is not
waited for."""
MOST_WAITING = 20
"""Calls that may wait for a disk that hangs; no further one is kept until it goes on."""
_CLOSE_S = 2.0
_RATE = 48_000
_DAY_S = 86400.0
_MB = 1_000_000
_HANGS = f"{MOST_WAITING} calls wait for the disk"
_FUTURE_S = 60.0

T = TypeVar("T")


class Watch:
    """Is shown what is kept; does nothing unless a subclass does."""

    def kept(self, calls: int, size: int) -> None:
        """So many calls are kept, of so many bytes together."""

    def lost(self, reason: LossReason) -> None:
        """The evidence of one call is lost."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """One kept call, as far as it counts for the limits."""

    at: float
    """When it was sealed, by the wall clock."""
    size: int


class Keeper:
    """Keeps calls in a folder. Every method belongs to the event loop; a thread does the work.

    Args:
        folder: Of all kept calls; nobody else writes there.
        config: What is kept, and how much of it.
        watch: Is shown what is kept.
        clock: The wall clock.
    """

    def __init__(
        self,
        folder: Path,
        config: EvidenceConfig,
        watch: Watch | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._config = config
        self._watch = watch or Watch()
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "evidence")
        self._calls: dict[str, _Kept] = {}
        """By the id of the run, the oldest first; belongs to the thread."""
        self._losing: LossReason | None = None
        self._lost: set[str] = set()
        """Runs that are under way and lose their evidence."""
        self._settling: set[asyncio.Task[None]] = set()
        self.on_change: Callable[[Collection[str]], None] = lambda _run_ids: None
        """Called with the runs whose calls are kept, whenever others are than before."""
        self._shown: frozenset[str] = frozenset()

    def reconfigure(self, config: EvidenceConfig) -> None:
        """Keep what a new configuration says, from the next call on."""
        self._config = config

    def order(self, run_id: str) -> Keep | None:
        """Return what a call about to begin is to write down; None: nothing."""
        folder = folder_of(self._folder, run_id)
        if folder is None or self._config.keep == "none" or self._is_behind:
            return None
        return Keep(folder, audio=self._config.audio, text=self._config.text)

    async def start(self) -> None:
        """Count what is there, and delete what an exporter that was killed has left unfinished."""
        await self._do(self._scan)

    async def watch(self) -> None:
        """Delete what is too old, now and again, for ever."""
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            await self._do(self._prune)

    async def aclose(self) -> None:
        """Finish what was begun, unless the disk hangs."""
        if self._settling:
            await asyncio.wait(self._settling, timeout=_CLOSE_S)
        self._thread.shutdown(wait=False)

    async def settle(self, outcome: Outcome, target_s: float | None = None) -> None:
        """Keep a call that has ended and was judged, or delete what it has written.

        Takes `SETTLE_S` at most; a slow disk does the rest later.

        Args:
            outcome: With its findings; of a run that was killed as well.
            target_s: The target for its latency.
        """
        run_id = outcome.run_id
        lost = run_id in self._lost
        self._lost.discard(run_id)
        if lost or not self._config.wants(outcome):
            await self.forget(run_id)
        elif self._is_behind:
            self._lose(run_id, EvidenceLost(LossReason.TOO_SLOW, _HANGS))
        else:
            await self._in_time(self._keep(Seal(outcome, target_s)))

    async def forget(self, run_id: str) -> None:
        """Delete what a call has written that ends without a verdict; takes `SETTLE_S` at most."""
        self._lost.discard(run_id)
        if not self._is_behind:
            await self._in_time(self._do(self._drop, run_id))

    def lost(self, run_id: str, loss: EvidenceLost) -> None:
        """Note that a call cannot be kept: counted each time, logged the first time."""
        self._lost.add(run_id)
        self._lose(run_id, loss)

    def _lose(self, run_id: str, loss: EvidenceLost) -> None:
        self._watch.lost(loss.reason)
        if loss.reason is not self._losing:
            self._losing = loss.reason
            fields = {"run": run_id, "reason": loss.reason, "detail": loss.detail}
            log.error("evidence of a call is lost; its measurement is not", extra=fields)

    async def read(self, run_id: str) -> KeptCall | None:
        """Return a kept call; None where there is none."""
        return await asyncio.to_thread(read_call, self._folder, run_id)

    def sound(self, run_id: str) -> Path | None:
        """Return the file with its sound; None where there is none."""
        return sound_of(self._folder, run_id)

    @property
    def _is_behind(self) -> bool:
        return len(self._settling) >= MOST_WAITING

    async def _in_time(self, work: Coroutine[Any, Any, None]) -> None:
        """Await work, but no longer than `SETTLE_S`, and not at all behind other work."""
        limit_s = 0.0 if self._settling else SETTLE_S
        task = asyncio.create_task(work)
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        await asyncio.wait((task,), timeout=limit_s)

    async def _keep(self, seal: Seal) -> None:
        if await self._do(self._seal, seal):
            self._losing = None

    async def _do(self, work: Callable[..., T], *args: object) -> T | None:
        """Do work in the thread, and show what is kept then; None where the disk failed."""
        loop, found = asyncio.get_running_loop(), None
        try:
            found = await loop.run_in_executor(self._thread, work, *args)
        except (OSError, ValueError) as error:  # such as half a character, which no JSON takes
            run_id = args[0].outcome.run_id if args and isinstance(args[0], Seal) else ""
            self._lose(run_id, EvidenceLost(LossReason.of(error), str(error)))
        calls = self._calls.copy()  # at once: the thread may do the next work
        self._watch.kept(len(calls), sum(each.size for each in calls.values()))
        if calls.keys() != self._shown:
            self._shown = frozenset(calls)
            self.on_change(self._shown)
        return found

    def _scan(self) -> None:
        found = {}
        for place in self._folder.iterdir() if self._folder.is_dir() else ():
            if folder_of(self._folder, place.name) is None:
                continue  # such as lost+found
            try:
                found[place.name] = _Kept(self._sealed_at(place), _size(place))
            except OSError:  # no seal, or nothing that could be read
                shutil.rmtree(place, ignore_errors=True)
        self._calls = dict(sorted(found.items(), key=lambda item: item[1].at))
        self._prune()

    def _sealed_at(self, place: Path) -> float:
        """Return when a call was sealed; now, if the clock was set back since."""
        at, now = (place / SEAL_NAME).stat().st_mtime, self._clock()
        if at <= now + _FUTURE_S:
            return at
        with suppress(OSError):  # a read-only disk: then it is as old at the next start
            os.utime(place / SEAL_NAME, (now, now))
        return now

    def _seal(self, seal: Seal) -> bool:
        """Keep a call; return whether it left anything to be kept."""
        place = folder_of(self._folder, seal.outcome.run_id)
        if place is None or not place.is_dir():
            return False  # it ended before it had begun to write
        try:
            with suppress(FileNotFoundError):
                mend(place / SOUND_NAME, round(steps_of(place) * STEP_S * _RATE))
            self._write(place, to_seal(seal))
        except (OSError, ValueError):
            shutil.rmtree(place, ignore_errors=True)
            raise
        self._calls[place.name] = _Kept(self._clock(), _size(place))
        self._prune()
        return True

    def _write(self, place: Path, document: bytes) -> None:
        """Write the seal, whole or not at all."""
        new = place / f"{SEAL_NAME}.new"
        new.touch(mode=0o600)
        new.write_bytes(document)
        new.rename(place / SEAL_NAME)

    def _drop(self, run_id: str) -> None:
        place = folder_of(self._folder, run_id)
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)

    def _prune(self) -> None:
        """Delete the oldest calls until none is too old, and all together are small enough."""
        since = self._clock() - self._config.days * _DAY_S
        size = sum(each.size for each in self._calls.values())
        for run_id, each in list(self._calls.items()):
            if each.at >= since and size <= self._config.max_mb * _MB:
                break
            shutil.rmtree(self._folder / run_id, ignore_errors=True)
            del self._calls[run_id]
            size -= each.size


def _size(place: Path) -> int:
    return sum(each.stat().st_blocks * 512 for each in place.iterdir())
