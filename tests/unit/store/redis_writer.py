"""Spends a budget until killed: `python -m tests.unit.store.redis_writer URL PREFIX WORD`.

Makes a run for each line on stdin, and prints a line when it has begun and when it has ended.
`WORD` is in the ids of its runs.
"""

import sys

from exporter.store.records import BudgetLimits, Spending
from exporter.store.redis.address import parse
from exporter.store.redis.store import RedisOpener
from tests.unit.store.records import ended, open_run

TURNS = 200
"""Of the budget: more than those make that are killed."""


def main() -> None:
    """Begin and end runs as long as someone asks for them and the budget holds."""
    url, prefix, word = sys.argv[1:]
    store = RedisOpener(lambda: parse(url), prefix)()
    for number, _ in enumerate(sys.stdin):
        run_id = f"{word}-{number}"
        if not store.begin(open_run(run_id), BudgetLimits(turns=TURNS)):
            break
        sys.stdout.write(f"begun {run_id}\n")
        sys.stdout.flush()
        store.end(ended(run_id), Spending(1, 10))
        sys.stdout.write(f"ended {run_id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
