"""How late the exporter's own event loop is: an exporter that stands still must show it."""

import asyncio
from collections import deque
from collections.abc import Callable

STEP_S = 0.5
WINDOW_S = 15.0


async def watch_loop_lag(report: Callable[[float], None]) -> None:
    """Report the largest lateness of the last `WINDOW_S` seconds, every `STEP_S`, for ever."""
    loop = asyncio.get_running_loop()
    lately: deque[float] = deque(maxlen=round(WINDOW_S / STEP_S))
    while True:
        due = loop.time() + STEP_S
        await asyncio.sleep(STEP_S)
        lately.append(max(0.0, loop.time() - due))
        report(max(lately))
