"""Starts writers that are to be killed: `python -m tests.unit.store.writer FOLDER`.

Each line on stdin is the path of a file: a process of its own writes runs to the store in that
folder in a loop, and to the file which of them are kept; the answer is its process id. It is forked
from this one, which has all modules and no store: an interpreter for each would take a second.
"""

import os
import sys
from itertools import count
from pathlib import Path

from exporter.store.records import Spending
from exporter.store.sqlite import open_sqlite
from tests.unit.store.records import ended, open_run


def write(folder: Path, out: Path) -> None:
    """Write until killed."""
    store = open_sqlite(folder)
    with out.open("w", encoding="utf-8") as words:
        for number in count():
            run_id = f"{out.stem}-{number}"
            store.begin(open_run(run_id))
            words.write(f"begun {run_id}\n")
            store.end(ended(run_id), Spending(1, 10))
            words.write(f"ended {run_id}\n")
            words.flush()


def main() -> None:
    """Start a writer for each line, and the next one only when that is gone."""
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            write(Path(sys.argv[1]), Path(line.strip()))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
