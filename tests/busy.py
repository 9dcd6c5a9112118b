"""Run a command while other work keeps the processors busy: `python -m tests.busy -- COMMAND`.

The busy loops have the command's own priority, so it gets half of each processor that they share.
They end with the command, after a limit, or with this process, however it ends.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

LIMIT_S = 3600.0
"""No busy loop outlives this."""

_LOOP = """
import os, sys, time
parent, ends = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
while time.monotonic() < ends and os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


@contextmanager
def busy(cores: int, limit_s: float = LIMIT_S) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Keep so many processors busy until the block ends."""
    argv = [sys.executable, "-c", _LOOP, str(os.getpid()), str(limit_s)]
    loops = [subprocess.Popen(argv) for _ in range(cores)]
    try:
        yield loops
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="busy loops to run")
    parser.add_argument("command", nargs="+", help="after `--`")
    options = parser.parse_args(argv)
    began = time.monotonic()
    with busy(options.cores):
        status = subprocess.run(options.command, check=False).returncode
    took_s = time.monotonic() - began
    sys.stderr.write(f"{options.cores} busy loops for {took_s:.0f} s\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
