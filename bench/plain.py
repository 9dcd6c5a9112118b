"""Calls to an agent that shares no code with the caller: a bias of both would show here."""

from pathlib import Path

import numpy as np

from bench.calls import Call, all_excess_ms, place
from bench.report import Report
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests.plain_agents import plain_agent


async def plain_calls(
    server: Server, folder: Path, wav: Path, delays_s: tuple[float, ...]
) -> list[Call]:
    """Call a plain agent once for each delay, one call after another."""
    runner = Runner(server, processes=1)
    try:
        with plain_agent(server, folder) as join:
            calls = []
            for number, delay_s in enumerate(delays_s):
                join(room := f"plain-{number}", delay_s)
                settings = {"agent_name": "", "dispatch": "automatic", "room_name": room}
                calls.append(await place(runner, delay_s, wav, **settings))
            return calls
    finally:
        await runner.aclose()


def tell_plain(report: Report, calls: list[Call], floor_ms: float) -> None:
    """Print what the plain agent's calls read over its delay, and over the other agents' floor."""
    excess = all_excess_ms(calls)
    n, turns = len(excess), sum(len(call.turns) for call in calls)
    rows = report.figures("an agent that shares no code with the caller")
    median = float(np.median(excess)) if excess else float("nan")
    rows.add("median offset", n, f"{median:.1f} ms")
    delays = [call.delay_s for call in calls for _ in call.excess_ms]
    if len(set(delays)) > 1:
        measured = [d + v / 1e3 for d, v in zip(delays, excess, strict=True)]
        slope = float(np.polyfit(delays, measured, 1)[0])
        rows.check(
            "slope of measured over true delay",
            n,
            f"{slope:.4f}",
            bound="1.000 ± 0.005",
            holds=abs(slope - 1) <= 0.005,
        )
    if not np.isnan(floor_ms):
        # Without a bound: it is of the agents, not of the caller (see bench/wire.py).
        rows.add("less the median offset of the other agents", n, f"{median - floor_ms:+.1f} ms")
    rows.add("void or failed turns", turns, str(turns - n))
    rows.show()
