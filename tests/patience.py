"""How long tests wait for what must come, and what they put up with.

A machine under test may be slow, and its disk cold: a limit here ends a test that hangs, it says
nothing about speed. Waiting long costs nothing where what is awaited comes soon.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

START_S = 180.0
"""For a process that imports an SDK and registers somewhere."""
WAIT_S = 60.0
"""For something that a running process does next."""
END_S = 60.0
"""For processes to be gone."""

_LOOK_EVERY_S = 0.1
"""To look costs as much as what is looked at: a page, a listing."""
_LOOK_EVERY_OF_LOOP_S = 0.01

AT_EASE: Mapping[str, float] = {
    "target_rtt_ms": 10_000,
    "target_jitter_ms": 10_000,
    "max_loss": 9,
}
"""Settings of `sfu` by which a baseline beside other tests is PASS, if it measures anything."""


def until(
    condition: Callable[[], object],
    limit_s: float = WAIT_S,
    what: str = "",
    every_s: float = _LOOK_EVERY_S,
) -> None:
    """Wait for a condition, or fail with what was waited for."""
    ends = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < ends, f"not within {limit_s:g} s: {what or condition}"
        time.sleep(every_s)


async def comes_true(condition: Callable[[], object], limit_s: float = WAIT_S) -> None:
    """Wait for a condition while the event loop goes on.

    Raises:
        TimeoutError: It did not come true in time.
    """
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - of other processes and threads, without events
            await asyncio.sleep(_LOOK_EVERY_OF_LOOP_S)
