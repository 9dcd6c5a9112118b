"""Parts of a bench in processes of their own, which print lines for the part that started them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def running(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `python -m MODULE ARGUMENTS` until the block ends."""
    argv = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def line_of(process: subprocess.Popen[str]) -> str:
    """Return the next line that it prints."""
    return process.stdout.readline() if process.stdout else ""
