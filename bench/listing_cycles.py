"""Open rooms and list them again and again; prints one line of JSON for each cycle.

Runs inside the network laboratory, for bench/listing.py; finds the server by LIVEKIT_URL,
LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
"""

import argparse
import asyncio
import json
import os
import time

import psutil

from exporter.probe import Run
from exporter.probes.agents.measure import list_agents
from exporter.probes.agents.picture import NOTHING
from exporter.probes.agents.spec import AgentsConfig
from exporter.server_api import Server, ServerApi

LIMIT_S = 300.0
INTERVAL_S = AgentsConfig().interval
ROOM_LIFE_S = 7200


async def open_rooms(server: Server, rooms: int) -> None:
    """Create rooms that stay open though nobody comes."""
    at_once = asyncio.Semaphore(16)
    async with ServerApi(server) as api:

        async def create(number: int) -> None:
            async with at_once:
                await api.create_room(f"room-{number}", empty_timeout_s=ROOM_LIFE_S)

        await asyncio.gather(*(create(number) for number in range(rooms)))


async def main(rooms: int, cycles: int, concurrency: int, changes: bool) -> None:
    """Open the rooms, then run the cycles, one after another.

    Args:
        rooms: How many.
        cycles: How many listings.
        concurrency: Rooms asked for at one time.
        changes: Hand the picture of each listing on to the next, as the daemon does, with a clock
            that goes on by `INTERVAL_S` between two; else each reads everything.
    """
    server = Server(
        os.environ["LIVEKIT_URL"],
        os.environ["LIVEKIT_API_KEY"],
        os.environ["LIVEKIT_API_SECRET"],
    )
    limits = {} if changes else {"requests_per_minute": 0}
    config = AgentsConfig(concurrency=concurrency, **limits)
    process = psutil.Process()
    await open_rooms(server, rooms)
    before: object = NOTHING if changes else None
    passed_s = 0.0

    def clock() -> float:
        return time.monotonic() + passed_s

    for cycle in range(cycles):
        began = clock()
        run = Run(
            id=str(cycle),
            server=server,
            deadline=began + LIMIT_S,
            before=before,
            clock=clock,
            started=began,
        )
        outcome = await list_agents(config, run)
        before = outcome.kept
        if changes:
            passed_s += max(0.0, INTERVAL_S - outcome.duration_s)
        told = {
            "duration_s": outcome.duration_s,
            "rooms": getattr(outcome.result, "rooms", 0),
            "detail": outcome.detail,
            "requests": sum(dict(getattr(outcome.result, "requests", ())).values()),
            "unread": getattr(outcome.result, "unread", 0),
            "oldest_s": getattr(outcome.result, "oldest_s", 0.0),
            "rss_bytes": process.memory_info().rss,
            "cpu_s": sum(process.cpu_times()[:2]),
        }
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="List rooms again and again.")
    parser.add_argument("--rooms", type=int, required=True)
    parser.add_argument("--cycles", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--changes", action="store_true")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.rooms, arguments.cycles, arguments.concurrency, arguments.changes))
