"""Regular expressions of the configuration, searched so that none can hold up the prober."""

import re
import signal
from types import FrameType

LONGEST = 2000
"""Characters of a text that are searched: about two minutes of speech."""

SEARCH_S = 0.1
"""CPU time of one search. Python's engine may take for ever: `(\\w+\\s?)*\\.` tries all ways to cut
a text into words."""


class EndlessError(Exception):
    """A search took too long: whether the pattern occurs cannot be told."""


def occurs(pattern: str, text: str) -> bool:
    """Tell whether a pattern occurs in the first `LONGEST` characters of a text.

    Only in the main thread, where each call runs: the engine looks at signals now and then, and
    ends with what their handler raises.

    Raises:
        EndlessError: It took longer than `SEARCH_S`.
    """
    before = signal.signal(signal.SIGVTALRM, _too_long)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, SEARCH_S)
        try:
            return re.search(pattern, text[:LONGEST]) is not None
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    finally:
        signal.signal(signal.SIGVTALRM, before)


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise EndlessError
