"""What the probe's process writes down of a call while it lasts: sound, timeline, marks, log.

The event loop only collects; a thread encodes and writes, so that a slow disk shifts no time that
is measured. FLAC, because it costs a twentieth of the processor time of Opus. A disk that fails
ends the recording and nothing else.
"""

import asyncio
import math
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import soundfile

from exporter.evidence import journal
from exporter.evidence.journal import Entry, Levels, placed, to_line
from exporter.evidence.kept import TurnMark
from exporter.evidence.sound import SOUND_NAME
from exporter.logs import redact
from exporter.outcome import EvidenceLost, LossReason, Timeline
from exporter.probe import Keep, Run
from exporter.rtc.levels import RATE, Pcm
from exporter.rtc.tape import HOLD_S, STEP, Tape

FLUSH_S = 1.0
"""Time between two writes: what a killed run loses, with `HOLD_S`."""
MOST_WAITING = 20
"""Writes that may wait for a disk: 4 MB."""
FINISH_S = 2.0
"""For the last writes, after the call."""
_SLOW = "the disk takes longer to write a call than the call lasts"
_PLACES = 3
"""Of an amplitude, after the point."""


class Recording:
    """One call on its way to the disk: `begin`, then `finish` once it is over."""

    def __init__(self, run: Run, keep: Keep, timeline: Timeline) -> None:
        self.tape = Tape(run.started)
        self._run = run
        self._keep = keep
        self._timeline = timeline
        self._marks: list[TurnMark] = []
        self._written = (0, 0, 0)
        """Events, marks and log lines."""
        self._thread = ThreadPoolExecutor(1, "evidence")
        self._files = Files(keep)
        self._waiting: list[Future[None]] = []
        self._lost = False
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Write from now on, once a second."""
        self._task = asyncio.get_running_loop().create_task(self._follow(), name="evidence")

    def mark(self, mark: TurnMark) -> None:
        """Note where a turn lies, on the monotonic clock; one for each turn of the result."""
        self._marks.append(mark.moved(-self._run.started))

    async def finish(self) -> None:
        """Write what is left; raises nothing, and takes `FINISH_S` at most."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._flush()
        self._waiting.append(self._thread.submit(self._files.close))
        writes = {asyncio.wrap_future(each) for each in self._waiting}
        _, late = await asyncio.wait(writes, timeout=FINISH_S)
        if late:
            self._lose(LossReason.TOO_SLOW, _SLOW)
        self._check()
        self._thread.shutdown(wait=False)

    async def _follow(self) -> None:
        while not self._lost:
            await asyncio.sleep(FLUSH_S)
            self._flush(time.monotonic() - HOLD_S)

    def _flush(self, until: float = math.inf) -> None:
        """Hand what has come to the thread."""
        self._check()
        if len(self._waiting) > MOST_WAITING:
            self._lose(LossReason.TOO_SLOW, _SLOW)
        if not self._lost:
            news = tuple(self._news())
            self._waiting.append(
                self._thread.submit(self._files.write, self.tape.take(until), news)
            )

    def _news(self) -> Iterator[Entry]:
        """Yield what has happened since it was last asked."""
        events, marks, lines = self._written
        run, news = self._run, self._timeline.after(events)
        self._written = events + len(news), len(self._marks), len(run.lines)
        for event in news:
            yield Entry(event=placed(event, run.started, text=self._keep.text))
        for mark in self._marks[marks:]:
            yield Entry(mark=mark)
        for line in run.lines[lines:]:
            yield Entry(log=redact(line, run.server.secrets))

    def _check(self) -> None:
        """Take note of writes that have ended; one that failed ends the recording."""
        done = [each for each in self._waiting if each.done()]
        self._waiting = [each for each in self._waiting if not each.done()]
        for error in filter(None, (each.exception() for each in done)):
            self._lose(_reason(error, self._keep.folder), str(error))

    def _lose(self, reason: LossReason, detail: str) -> None:
        if not self._lost:
            self._lost = True
            self.tape.close()  # an hour of call would pile up 700 MB that nobody takes
            self._run.on_lost(EvidenceLost(reason, detail))


class Files:
    """The files of one call; all of it belongs to the thread."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._journal = -1
        self._sound: soundfile.SoundFile | None = None

    def write(self, pcm: Pcm, entries: Iterable[Entry]) -> None:
        """Append sound and entries.

        Raises:
            OSError: The disk does not take it.
            RuntimeError: The same, as the library of the sound says it.
        """
        if self._journal < 0:
            self._open()
        lines = [to_line(each) for each in entries]
        if len(pcm):
            lines.append(to_line(Entry(levels=_levels(pcm))))
        text = "".join(lines).encode()
        while text:
            text = text[os.write(self._journal, text) :]
        if self._sound is not None and len(pcm):
            self._sound.write(pcm)

    def close(self) -> None:
        """Write what the encoder has left, and close the files."""
        if self._journal >= 0:
            os.close(self._journal)
        if self._sound is not None:
            self._sound.close()

    def _open(self) -> None:
        folder = self._keep.folder
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        self._journal = _create(folder / journal.FILE_NAME)
        if self._keep.audio:
            # By its number: the library would make a file that everyone may read.
            self._sound = soundfile.SoundFile(
                _create(folder / SOUND_NAME), "w", RATE, 2, "PCM_16", format="FLAC", closefd=True
            )


def _create(file: Path) -> int:
    return os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)


def _levels(pcm: Pcm) -> Levels:
    """Return the largest amplitude of each step, of both sides."""
    steps = abs(pcm.astype("int32")).reshape(-1, STEP, 2).max(axis=1) / 32768
    caller, agent = steps.round(_PLACES).T.tolist()
    return Levels(tuple(caller), tuple(agent))


def _reason(error: BaseException, folder: Path) -> LossReason:
    """Return why a write failed; the library of the sound does not say it."""
    reason = LossReason.of(error)
    if reason is LossReason.OTHER:
        with suppress(OSError):
            return LossReason.OTHER if os.statvfs(folder).f_bavail else LossReason.DISK_FULL
    return reason
