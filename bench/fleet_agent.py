"""The agents of the fleet's bench in one process: plain SDK, nothing of the exporter.

`python -m bench.fleet_agent JOURNAL DELAY_S` takes the name of a room on each line of standard
input, answers in it until the caller has left, and then notes in the journal how often it answered:
the name of the room and the count.
"""

import asyncio
import os
import sys
from pathlib import Path

from livekit import api, rtc

from tests.plain_agent import PlainAgent


class Agents:
    """Answers in any number of rooms at one time."""

    def __init__(self, journal: Path, delay_s: float) -> None:
        """Set up.

        Args:
            journal: Takes a line for each call.
            delay_s: From the end of an utterance to the reply.
        """
        self._journal = journal
        self._delay_s = delay_s
        self._calls: set[asyncio.Task[None]] = set()

    async def answer(self) -> None:
        """Answer until standard input ends."""
        rooms = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(rooms), sys.stdin
        )
        async for line in rooms:
            call = asyncio.create_task(self._call(line.decode().strip()))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _call(self, room: str) -> None:
        grants = api.VideoGrants(room_join=True, room=room, agent=True)
        token = api.AccessToken().with_identity("fleet").with_kind("agent").with_grants(grants)
        agent = PlainAgent(rtc.Room(), self._delay_s)
        try:
            await agent.call(os.environ["LIVEKIT_URL"], token.to_jwt())
        finally:  # also where it came too late: the room had gone
            with self._journal.open("a", encoding="ascii") as journal:
                journal.write(f"{room} {agent.answered}\n")


if __name__ == "__main__":
    asyncio.run(Agents(Path(sys.argv[1]), float(sys.argv[2])).answer())
    os._exit(0)  # the SDK sometimes aborts when its library is unloaded
