"""A witness of how late the machine itself is: it sleeps, and looks how late it wakes.

It has the priority of the forwarder and nothing to do, and knows nothing of it: where the witness
is on time, a late forwarder has itself to blame. `python -m tests.netlab.witness` answers each
line on standard input by the lateness that it has counted since the last one, and ends with it.
"""

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.netlab.forwarder import PRIORITY
from tests.netlab.lab import read_answer
from tests.netlab.way import count_late, late_counts, late_within_ms, share_later

LATE_MS = 0.5
"""A machine that is later than this spoils what is measured to a millisecond."""
_EVERY_S = 0.001


@dataclass(frozen=True, slots=True)
class Testimony:
    """How late the machine was in a span of time."""

    late: list[int]
    """Looks by their lateness; see `tests.netlab.way.share_later`."""

    @property
    def share(self) -> float:
        """Share of the looks that were late."""
        return share_later(self.late, LATE_MS)

    @property
    def worst_ms(self) -> float:
        """What no look was later than."""
        return late_within_ms(self.late, 1.0)

    @property
    def text(self) -> str:
        """The word of the product for what the prober spoils itself, and by how much."""
        return f"void: the machine was late by {late_within_ms(self.late, 0.95):g} ms"


class Witness:
    """The witness, from its start to the end of a `with` block."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.netlab.witness"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            process_group=0,
        )
        self.since()  # it runs
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def since(self) -> Testimony:
        """Return how late the machine was since this was last asked."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Testimony(read_answer(self._process.stdout)["late"])


def _main() -> None:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    late = late_counts()
    while True:
        due = time.monotonic() + _EVERY_S
        asked, _, _ = select.select([0], [], [], _EVERY_S)
        if not asked:
            count_late(late, (time.monotonic() - due) * 1e3)
        elif os.read(0, 4096):
            sys.stdout.write(json.dumps({"late": late}) + "\n")
            sys.stdout.flush()
            late = late_counts()
        else:
            return


if __name__ == "__main__":
    _main()
