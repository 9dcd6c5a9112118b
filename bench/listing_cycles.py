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
from exporter.probes.agents.spec import AgentsConfig
from exporter.server_api import Server, ServerApi

LIMIT_S = 300.0
ROOM_LIFE_S = 7200


async def open_rooms(server: Server, rooms: int) -> None:
    """Create rooms that stay open though nobody comes."""
    at_once = asyncio.Semaphore(16)
    async with ServerApi(server) as api:

        async def create(number: int) -> None:
            async with at_once:
                await api.create_room(f"room-{number}", empty_timeout_s=ROOM_LIFE_S)

        await asyncio.gather(*(create(number) for number in range(rooms)))


async def main(rooms: int, cycles: int, concurrency: int) -> None:
    """Open the rooms, then run the cycles, one after another."""
    server = Server(
        os.environ["LIVEKIT_URL"],
        os.environ["LIVEKIT_API_KEY"],
        os.environ["LIVEKIT_API_SECRET"],
    )
    config = AgentsConfig(concurrency=concurrency)
    process = psutil.Process()
    await open_rooms(server, rooms)
    for cycle in range(cycles):
        run = Run(id=str(cycle), server=server, deadline=time.monotonic() + LIMIT_S)
        outcome = await list_agents(config, run)
        told = {
            "duration_s": outcome.duration_s,
            "rooms": getattr(outcome.result, "rooms", 0),
            "detail": outcome.detail,
            "rss_bytes": process.memory_info().rss,
            "cpu_s": sum(process.cpu_times()[:2]),
        }
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="List rooms again and again.")
    parser.add_argument("--rooms", type=int, required=True)
    parser.add_argument("--cycles", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.rooms, arguments.cycles, arguments.concurrency))
