"""An agent that becomes slow under load, in truth: plain SDK, nothing of the exporter.

`python -m tests.load_agent PREFIX DELAY_S CARRIES STEP_S` answers in every room whose name begins
with the prefix. It replies after the delay; from one call more at one time than it carries on,
each further call adds a step to the delay of all calls.
"""

import asyncio
import os
import sys

from livekit import api, rtc

from tests.plain_agent import PlainAgent

_POLL_S = 0.1


class SlowingAgent:
    """Answers in all rooms of a prefix at one time.

    Args:
        prefix: Of the rooms.
        delay_s: Of its replies, while it carries its calls.
        carries: Calls at one time.
        step_s: What each further call adds to the delay.
    """

    def __init__(self, prefix: str, delay_s: float, carries: int, step_s: float) -> None:
        self._prefix, self._delay_s, self._carries, self._step_s = prefix, delay_s, carries, step_s
        self._calls: dict[str, tuple[PlainAgent, asyncio.Task[None]]] = {}
        self._known: set[str] = set()

    async def answer(self) -> None:
        """Answer until it is killed."""
        async with api.LiveKitAPI() as server:
            while True:
                found = await server.room.list_rooms(api.ListRoomsRequest())
                for room in found.rooms:
                    if room.name.startswith(self._prefix) and room.name not in self._known:
                        self._known.add(room.name)
                        self._join(room.name)
                self._set_delay()
                await asyncio.sleep(_POLL_S)

    def _join(self, name: str) -> None:
        grants = api.VideoGrants(room_join=True, room=name, agent=True)
        token = api.AccessToken().with_identity("load").with_kind("agent").with_grants(grants)
        agent = PlainAgent(rtc.Room(), self._delay_s)
        call = agent.call(os.environ["LIVEKIT_URL"], token.to_jwt())
        self._calls[name] = agent, asyncio.create_task(call)

    def _set_delay(self) -> None:
        self._calls = {name: each for name, each in self._calls.items() if not each[1].done()}
        more = max(0, len(self._calls) - self._carries)
        for agent, _ in self._calls.values():
            agent._delay_s = self._delay_s + more * self._step_s


if __name__ == "__main__":
    words = sys.argv[1:]
    asyncio.run(SlowingAgent(words[0], float(words[1]), int(words[2]), float(words[3])).answer())
