"""A caller who keeps everything that an agent reports of its session, and how loud it was.

It shares the microphone and the ear with the probes, and nothing that interprets reports.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb

from exporter.rtc import connection
from exporter.rtc.clip import load_clip
from exporter.rtc.levels import WINDOW_S
from exporter.rtc.tracks import Ear, Microphone
from exporter.server_api import Server, ServerApi, make_token
from tests import patience

TOPIC = "lk.agent.session"
_LOUD_DB = -45.0
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Seen:
    """One report of the agent."""

    at: float
    """When it was here, on the monotonic clock."""
    event: pb.AgentSessionEvent

    @property
    def name(self) -> str:
        """The field of the event that is set."""
        return self.event.WhichOneof("event") or ""

    @property
    def sent_s(self) -> float:
        """When the agent says that it happened, on the agent's wall clock."""
        return self.event.created_at.ToNanoseconds() / 1e9


class Reports(list[Seen]):
    """What an agent has reported, in the order in which it came."""

    def since(self, when: float) -> "Reports":
        """Return what came since then."""
        return Reports(each for each in self if each.at >= when)

    def of(self, name: str) -> list[pb.AgentSessionEvent]:
        """Return the events of that name."""
        return [each.event for each in self if each.name == name]

    def items(self) -> list[pb.ChatContext.ChatItem]:
        """Return the items of the conversation that were added."""
        added = self.of("conversation_item_added")
        return [each.conversation_item_added.item for each in added]

    def messages(self, role: int) -> list[pb.ChatMessage]:
        """Return what one side has said."""
        messages = (each.message for each in self.items() if each.HasField("message"))
        return [each for each in messages if each.role == role]

    def handovers(self) -> list[tuple[str, str]]:
        """Return from whom and to whom the call was handed over; the first agent is from ""."""
        found = (each.agent_handoff for each in self.items() if each.HasField("agent_handoff"))
        return [(each.old_agent_id, each.new_agent_id) for each in found]

    def states(self) -> list[int]:
        """Return the states that the agent went into."""
        changes = self.of("agent_state_changed")
        return [each.agent_state_changed.new_state for each in changes]

    def heard(self) -> list[str]:
        """Return the final transcripts of the caller."""
        found = (each.user_input_transcribed for each in self.of("user_input_transcribed"))
        return [each.transcript for each in found if each.is_final]

    def usage(self) -> dict[str, pb.ModelUsage]:
        """Return the last sums of usage, by the kind of model: llm, tts, stt."""
        last = self.of("session_usage_updated")[-1].session_usage_updated.usage
        return {each.WhichOneof("usage") or "": each for each in last.model_usage}


class Witness:
    """Takes part in one call.

    Args:
        room: Not yet connected.
        name: Of the room.
    """

    def __init__(self, room: rtc.Room, name: str) -> None:
        self.room_name = name
        self.reports = Reports()
        self.microphone = Microphone()
        self._room = room
        self._ear: Ear | None = None
        self._streams: asyncio.Queue[rtc.ByteStreamReader] = asyncio.Queue()
        room.register_byte_stream_handler(TOPIC, lambda reader, _: self._streams.put_nowait(reader))
        room.on("track_subscribed", self._on_track)
        self._reader = asyncio.ensure_future(self._read())

    async def say(self) -> float:
        """Say the clip that ships; return when its last sample of speech left."""
        clip = load_clip(None)
        start = self.microphone.play(clip.pcm)
        ended = await self.microphone.time_of(start + clip.speech_end)
        await asyncio.sleep(max(0.0, ended - time.monotonic()))
        return ended

    def sounded_s(self, since: float) -> float:
        """Return how long the agent has been loud since then."""
        if self._ear is None:
            return 0.0
        heard = self._ear.levels(self._ear.window_at(since))
        return WINDOW_S * sum(level > _LOUD_DB for level in heard)

    async def until(self, condition: Callable[[Reports], object], since: float = 0.0) -> Reports:
        """Wait for a condition on what was reported since then; return that.

        Raises:
            AssertionError: It did not come true in time; names what was reported.
        """
        try:
            await patience.comes_true(lambda: condition(self.reports.since(since)))
        except TimeoutError:
            names = [each.name for each in self.reports.since(since)]
            raise AssertionError(f"reported was only: {names}") from None
        return self.reports.since(since)

    async def answered(self, since: float, reply: str = "") -> Reports:
        """Wait until the agent has answered, with that text if one is given, and listens again."""

        def has_answered(reports: Reports) -> bool:
            said = reports.messages(pb.ASSISTANT)
            timed = [each for each in said if each.metrics.HasField("e2e_latency")]
            meant = any(reply in each.content[0].text for each in timed)
            return meant and reports.states()[-1:] == [pb.AS_LISTENING]

        return await self.until(has_answered, since)

    async def aclose(self) -> None:
        """Leave."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        if self._ear is not None:
            await self._ear.aclose()
        await self.microphone.aclose()
        await self._room.disconnect()

    async def _read(self) -> None:
        while True:
            reader = await self._streams.get()
            message = pb.AgentSessionMessage()
            message.ParseFromString(b"".join([chunk async for chunk in reader]))
            if message.HasField("event"):
                self.reports.append(Seen(time.monotonic(), message.event))

    def _on_track(self, track: rtc.Track, *_: object) -> None:
        if isinstance(track, rtc.RemoteAudioTrack) and self._ear is None:
            self._ear = Ear(track)


@asynccontextmanager
async def called(server: Server, metadata: object) -> AsyncIterator[Witness]:
    """Call the demo's agent; yields once it listens.

    Args:
        server: That is called.
        metadata: Of the dispatch, sent as JSON: a change of `DemoSettings` for this call.
    """
    name, room = f"witness-{next(_numbers)}", rtc.Room()
    witness, limit_s = Witness(room, name), patience.WAIT_S
    token = make_token(server, identity="witness", room=name)
    async with ServerApi(server) as api:
        try:
            publish = witness.microphone.publish
            await connection.connect(room, server.url, token, limit_s, publish=publish)
            await api.create_dispatch(name, "demo", json.dumps(metadata))
            await witness.until(lambda reports: pb.AS_LISTENING in reports.states())
            yield witness
        finally:
            await witness.aclose()
            await api.delete_room(name)
