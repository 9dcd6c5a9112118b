"""How late this machine lets a process run: measured apart from what is under test.

A prober that was late voids its turns, and says so itself. Whether that is true only another
process can tell: it sleeps and works as a call does, and notes when it woke too late.

Run as `python -m tests.lateness`: it writes a line for each late look until it is ended.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PERIOD_S = 0.01
"""Time between two looks; the lag monitor of a call looks as often."""

WORK_S = 0.0005
"""Work at each look: a process that only sleeps is woken first."""

NOTED_S = 0.005
"""What is less late is not worth a line."""


@dataclass(frozen=True, slots=True)
class Late:
    """One look that came too late."""

    at: float
    """Seconds since the epoch."""
    lag_s: float


class Watch:
    """What the watching process has noted so far."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def late(self, begin: float, end: float) -> list[Late]:
        """Return the looks that were late within [begin, end], in seconds since the epoch."""
        lines = self._file.read_text().splitlines()
        looks = [Late(float(at), float(lag)) for at, lag in (line.split() for line in lines)]
        return [each for each in looks if begin <= each.at and each.at - each.lag_s <= end]

    def worst_s(self, begin: float, end: float) -> float:
        """Return the largest lateness within [begin, end]; 0 if nothing was noted."""
        return max((each.lag_s for each in self.late(begin, end)), default=0.0)


@contextmanager
def watching(folder: Path) -> Iterator[Watch]:
    """Watch the machine until the block ends."""
    file = folder / "lateness.txt"
    with file.open("w") as out:
        watcher = subprocess.Popen([sys.executable, "-m", "tests.lateness"], stdout=out)
        try:
            yield Watch(file)
        finally:
            watcher.kill()
            watcher.wait()


def main() -> None:
    """Look at the clock until this process is ended."""
    while True:
        due = time.monotonic() + PERIOD_S
        time.sleep(PERIOD_S)
        lag = time.monotonic() - due
        if lag > NOTED_S:
            sys.stdout.write(f"{time.time():.4f} {lag:.4f}\n")
            sys.stdout.flush()
        until = time.monotonic() + WORK_S
        while time.monotonic() < until:
            pass


if __name__ == "__main__":
    main()
