"""Writes runs to a store in a loop and says which are kept: `python -m tests.unit.store.writer`.

Each line on stdout is the id of a run whose end has been acknowledged.
"""

import sys
from itertools import count
from pathlib import Path

from exporter.store.records import Spending
from exporter.store.sqlite import open_sqlite
from tests.unit.store.records import ended, open_run


def main() -> None:
    """Write until killed."""
    folder, name = sys.argv[1:]
    store = open_sqlite(Path(folder))
    for number in count():
        run_id = f"{name}-{number}"
        store.begin(open_run(run_id))
        sys.stdout.write(f"begun {run_id}\n")
        store.end(ended(run_id), Spending(1, 10))
        sys.stdout.write(f"ended {run_id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
