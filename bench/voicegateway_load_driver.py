"""Hold clients of voicegateway in a room of theirs, ping at a rate, and tell what it cost.

Runs inside voicegateway's own environment, where this project is not installed. The clients, their
pings and their room are those of `voicegw livekit sfu --load`; only the pace is ours, for its own
command pings once in a tier.

Usage: voicegateway_load_driver.py CLIENTS PING_INTERVAL_S SECONDS
"""

import asyncio
import importlib
import json
import os
import statistics
import sys
import time
from typing import Any


async def hold(clients: int, interval_s: float, seconds: float) -> dict[str, float]:
    """Connect, hold for so many seconds, and return what was seen and spent."""
    client_module: Any = importlib.import_module("voicegateway.livekit_diag.client")
    admin_module: Any = importlib.import_module("voicegateway.livekit_diag.admin")
    config_module: Any = importlib.import_module("voicegateway.livekit_diag.config")
    url, key, secret = (os.environ[f"LIVEKIT_{name}"] for name in ("URL", "API_KEY", "API_SECRET"))
    admin = admin_module.LiveKitAdmin(config_module.LiveKitCreds(url, key, secret))
    room = f"voicegateway-{os.getpid()}"
    held = []
    for number in range(clients):
        client = client_module.SyntheticClient(url, admin.join_token(room, f"c{number}"))
        await client.connect()
        held.append(client)
    round_trips_s: list[float | None] = []
    arrived = 0

    def count(_packet: object) -> None:
        nonlocal arrived
        arrived += 1

    for client in held:
        client._room.on("data_received", count)  # noqa: SLF001 - nobody else is told

    async def ping(client: Any) -> None:
        while True:
            began = time.monotonic()
            round_trips_s.append(await client.ping())
            await asyncio.sleep(max(0.0, began + interval_s - time.monotonic()))

    await asyncio.sleep(1.0)
    began, cpu_s = time.monotonic(), time.process_time()
    tasks = [asyncio.ensure_future(ping(client)) for client in held] if interval_s else []
    await asyncio.sleep(seconds)
    took_s = time.monotonic() - began
    # Each ping goes to all the others, and each of them answers to all the others.
    due = len(round_trips_s) * (clients - 1) * clients
    spent_s = time.process_time() - cpu_s
    for task in tasks:
        task.cancel()
    answered = [each for each in round_trips_s if each is not None]
    return {
        "cpu_cores": spent_s / took_s,
        "pings_per_s": len(round_trips_s) / took_s,
        "delivered": arrived / due if due else 0.0,
        "median_s": statistics.median(answered) if answered else 0.0,
    }


if __name__ == "__main__":
    told = asyncio.run(hold(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    os._exit(0)
