"""What the agent itself reports, with nothing installed in it.

livekit-agents 1.5 and later broadcast it to every participant on the byte stream
`lk.agent.session`. Older ones, and other SDKs, have the text stream `lk.transcription`.
"""

import asyncio
import secrets
import time
from collections.abc import Coroutine

from google.protobuf.json_format import ParseError
from google.protobuf.message import DecodeError
from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb

from exporter.outcome import Timeline, TurnReport
from exporter.outcome.timeline import Source, Subtitle, Transcript
from exporter.rtc import reported
from exporter.rtc.session_messages import events_of, statistics_of
from exporter.rtc.stats import Snapshot

TOPIC = "lk.agent.session"
LEGACY_TOPIC = "lk.agent.events"
"""Where livekit-agents 1.4 sends JSON instead."""
TRANSCRIPTION_TOPIC = "lk.transcription"

STREAM_TIMEOUT_S = 5.0
"""How long one message may take to arrive: the next ones wait behind it."""

TEXT_TIMEOUT_S = 60.0
"""How long one text may take: that of a reply grows while it is spoken."""


class SessionEvents:
    """Listens to the agents' reports in one room; register before connecting."""

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._streams: asyncio.Queue[tuple[rtc.ByteStreamReader, str]] = asyncio.Queue()
        self.timeline = Timeline()
        """What was told, by all agents in the room, and what the caller adds."""
        self._changed = asyncio.Event()
        self._asked: dict[str, asyncio.Future[pb.SessionResponse]] = {}
        self._legacy = False
        self._texts: set[asyncio.Task[None]] = set()
        room.register_byte_stream_handler(TOPIC, self._on_stream)
        room.register_text_stream_handler(LEGACY_TOPIC, self._on_legacy)
        room.register_text_stream_handler(TRANSCRIPTION_TOPIC, self._on_transcription)
        self.task = asyncio.get_running_loop().create_task(self._read(), name="session-events")

    async def aclose(self) -> None:
        """Stop listening."""
        tasks = (self.task, *self._texts)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def error_since(self, when: float) -> str:
        """Return the last error that the agent reported since then, or ""."""
        return reported.error_since(self.timeline, when)

    def only_said_since(self, when: float) -> bool:
        """Tell whether all that the agent has said since then is no answer to what it heard."""
        return reported.only_said_since(self.timeline, when)

    async def report_since(
        self, when: float, replied: float, timeout_s: float, answered: float = 0.0
    ) -> TurnReport:
        """Return what was reported about the turn that began at `when`.

        The agent's half comes only after it has finished speaking; waits for it no longer than
        `timeout_s`, and not at all for an agent that never reported anything.

        Args:
            when: The begin of the turn.
            replied: When the reply began to sound; with a filler before it, the answer.
            timeout_s: How long to wait.
            answered: The same where a filler came first, else 0: what was said before is that one.
        """
        deadline = time.monotonic() + timeout_s
        while self.timeline.reports and not reported.answers(self.timeline, when, answered):
            self._changed.clear()
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    await self._changed.wait()
            except TimeoutError:
                break
        return reported.report_of(self.timeline, when, replied, answered)

    async def ask_statistics(self, timeout_s: float) -> Snapshot | None:
        """Ask the agent for the statistics of its own connection.

        Nothing else of it changes. An agent that reports nothing, or that has left, is not asked.

        Returns:
            What it answers; None where it does not within `timeout_s`, or answers with an error.
        """
        agent = self.timeline.agent
        listening = self.timeline.reports and not self.task.done()
        if not listening or agent not in self._room.remote_participants:
            return None
        request = pb.SessionRequest(request_id=secrets.token_hex(8))
        request.get_rtc_stats.SetInParent()
        answer = asyncio.get_running_loop().create_future()
        self._asked[request.request_id] = answer
        try:
            async with asyncio.timeout(timeout_s):
                await self._room.local_participant.send_bytes(
                    pb.AgentSessionMessage(request=request).SerializeToString(),
                    name=request.request_id,
                    topic=TOPIC,
                    destination_identities=[agent],
                )
                return statistics_of(await answer)
        except (rtc.StreamError, RuntimeError, TimeoutError, ParseError):
            return None
        finally:
            del self._asked[request.request_id]

    def why_absent(self) -> str:
        """Say why there is no split for an agent whose turns have none."""
        if self.timeline.reports:
            return "the agent reports no components of its turns (a realtime model?)"
        if self._legacy:
            return "the agent runs livekit-agents 1.4; components need 1.5 or later"
        return "the agent reports nothing on lk.agent.session (livekit-agents before 1.5?)"

    def _on_stream(self, reader: rtc.ByteStreamReader, sender: str) -> None:
        self._streams.put_nowait((reader, sender))

    def _on_legacy(self, reader: rtc.TextStreamReader, _sender: str) -> None:
        self._legacy = True
        self._read_text(self._drain(reader))

    def _on_transcription(self, reader: rtc.TextStreamReader, sender: str) -> None:
        # What the agent understood comes in the name of whom it heard; the rest are its own words.
        ours = sender == self._room.local_participant.identity
        take = self._take_transcript(reader) if ours else self._take_subtitle(reader, sender)
        self._read_text(take)

    def _read_text(self, reading: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(reading, name="text-stream")
        self._texts.add(task)
        task.add_done_callback(self._texts.discard)

    async def _drain(self, reader: rtc.TextStreamReader) -> None:
        await _text(reader)

    async def _take_transcript(self, reader: rtc.TextStreamReader) -> None:
        text = await _text(reader)
        if text is None:
            return
        attributes = reader.info.attributes or {}
        final = attributes.get("lk.transcription_final") == "true"
        heard = Transcript(at=time.monotonic(), text=text, final=final, source=Source.TRANSCRIPTION)
        self.timeline.add(heard)

    async def _take_subtitle(self, reader: rtc.TextStreamReader, sender: str) -> None:
        if text := await _text(reader):
            self.timeline.add(Subtitle(at=time.monotonic(), sender=sender, text=text))

    async def _read(self) -> None:
        while True:
            reader, sender = await self._streams.get()
            message = pb.AgentSessionMessage()
            try:
                async with asyncio.timeout(STREAM_TIMEOUT_S):
                    message.ParseFromString(b"".join([chunk async for chunk in reader]))
            except (rtc.StreamError, TimeoutError, DecodeError):
                continue  # one lost message must not cost the others
            self.take_message(message, sender)

    def take_message(self, message: pb.AgentSessionMessage, sender: str) -> None:
        """Take what an agent told, or answered."""
        self.timeline.reporters.add(sender)
        if message.HasField("event"):
            self._take(message.event, sender)
        answer = self._asked.get(message.response.request_id)
        if answer is not None and not answer.done():
            answer.set_result(message.response)
        self._changed.set()

    def _take(self, event: pb.AgentSessionEvent, sender: str) -> None:
        for each in events_of(event, time.monotonic(), sender):
            self.timeline.add(each)


async def _text(reader: rtc.TextStreamReader) -> str | None:
    """Return the whole of a text; None for one that broke off."""
    try:
        async with asyncio.timeout(TEXT_TIMEOUT_S):
            return await reader.read_all()
    except (rtc.StreamError, TimeoutError):
        return None
