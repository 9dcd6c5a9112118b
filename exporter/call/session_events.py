"""What the agent itself reports about its turns, over the byte stream `lk.agent.session`.

livekit-agents 1.5 and later broadcast it to every participant, with nothing installed in the
agent. Only figures, states and error messages are kept: no transcript, no instructions.
"""

import asyncio
import time
from dataclasses import dataclass, replace

from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb

from exporter.outcome import Components

TOPIC = "lk.agent.session"
LEGACY_TOPIC = "lk.agent.events"
"""Where livekit-agents 1.4 sends JSON instead."""

MAX_ERROR_CHARS = 200


@dataclass(frozen=True, slots=True)
class TurnReport:
    """What the agent reported about one turn, in seconds; None is "not reported"."""

    transcription_delay_s: float | None = None
    """End of the user's speech to the final transcript."""
    end_of_turn_delay_s: float | None = None
    """End of the user's speech to the decision that the turn is over; holds the one above."""
    llm_ttft_s: float | None = None
    tts_ttfb_s: float | None = None
    e2e_s: float | None = None

    def components(self, e2e_s: float | None) -> Components:
        """Split the latency that the caller heard, without counting anything twice.

        The agent's end-of-turn delay begins at the end of speech, as its transcription delay
        does; the component `end_of_turn` is what it has over the transcription.

        `transport` is known only when all four parts are. It is None when they exceed the whole:
        the model then ran ahead of the end of the turn, and the parts overlap.
        """
        end_of_turn = None
        if self.end_of_turn_delay_s is not None:
            end_of_turn = max(0.0, self.end_of_turn_delay_s - (self.transcription_delay_s or 0.0))
        parts = Components(
            transcription_s=self.transcription_delay_s,
            end_of_turn_s=end_of_turn,
            llm_s=self.llm_ttft_s,
            tts_s=self.tts_ttfb_s,
        )
        known = (parts.transcription_s, parts.end_of_turn_s, parts.llm_s, parts.tts_s)
        if e2e_s is None or None in known:
            return parts
        rest = e2e_s - sum(part for part in known if part is not None)
        return replace(parts, transport_s=rest) if rest >= 0 else parts


@dataclass(frozen=True, slots=True)
class _Item:
    at: float
    report: TurnReport
    by_agent: bool


class SessionEvents:
    """Listens to one room's agent reports; register before connecting."""

    def __init__(self, room: rtc.Room) -> None:
        self._streams: asyncio.Queue[rtc.ByteStreamReader] = asyncio.Queue()
        self._items: list[_Item] = []
        self._errors: list[tuple[float, str]] = []
        self._changed = asyncio.Event()
        self.heard = False
        """Whether anything came on the current topic."""
        self.legacy = False
        """Whether anything came on the topic of livekit-agents 1.4."""
        room.register_byte_stream_handler(TOPIC, self._on_stream)
        room.register_text_stream_handler(LEGACY_TOPIC, self._on_legacy)
        self._task = asyncio.get_running_loop().create_task(self._read(), name="session-events")

    async def aclose(self) -> None:
        """Stop listening."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def error_since(self, when: float) -> str:
        """Return the last error that the agent reported since then, or ""."""
        return next((text for at, text in reversed(self._errors) if at >= when), "")

    async def report_since(self, when: float, timeout_s: float) -> TurnReport:
        """Return what was reported about the turn that began at `when`.

        The agent's half comes only after it has finished speaking; waits for it no longer than
        `timeout_s`, and not at all for an agent that never reported anything.
        """
        deadline = time.monotonic() + timeout_s
        while self.heard and not self._complete(when) and time.monotonic() < deadline:
            self._changed.clear()
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await self._changed.wait()
            except TimeoutError:
                break
        return self._merged(when)

    def why_absent(self) -> str:
        """Say why there is no split, or "" when the agent does report."""
        if self.heard:
            return ""
        if self.legacy:
            return "the agent runs livekit-agents 1.4; the split needs 1.5 or later"
        return "the agent reports nothing on lk.agent.session (livekit-agents before 1.5?)"

    def _complete(self, when: float) -> bool:
        return any(item.by_agent and item.at >= when for item in self._items)

    def _merged(self, when: float) -> TurnReport:
        merged = TurnReport()
        # A turn may have several items by the agent (tool calls): the first figures are the
        # ones that the caller waited for. Of the user's, the last decided the turn.
        for item in (item for item in self._items if item.at >= when):
            r = item.report
            if item.by_agent:
                merged = replace(
                    merged,
                    llm_ttft_s=_first(merged.llm_ttft_s, r.llm_ttft_s),
                    tts_ttfb_s=_first(merged.tts_ttfb_s, r.tts_ttfb_s),
                    e2e_s=_first(merged.e2e_s, r.e2e_s),
                )
            elif not any(i.by_agent and when <= i.at < item.at for i in self._items):
                merged = replace(
                    merged,
                    transcription_delay_s=r.transcription_delay_s,
                    end_of_turn_delay_s=r.end_of_turn_delay_s,
                )
        return merged

    def _on_stream(self, reader: rtc.ByteStreamReader, _who: str) -> None:
        self._streams.put_nowait(reader)

    def _on_legacy(self, reader: rtc.TextStreamReader, _who: str) -> None:
        self.legacy = True
        self._legacy_task = asyncio.get_running_loop().create_task(reader.read_all())

    async def _read(self) -> None:
        while True:
            reader = await self._streams.get()
            data = b"".join([chunk async for chunk in reader])
            message = pb.AgentSessionMessage()
            try:
                message.ParseFromString(data)
            except ValueError:  # DecodeError is one: something else uses the topic
                continue
            self.heard = True
            if message.HasField("event"):
                self._take(message.event)
            self._changed.set()

    def _take(self, event: pb.AgentSessionEvent) -> None:
        now = time.monotonic()
        if event.HasField("error"):
            line = " ".join(event.error.message.split())[:MAX_ERROR_CHARS]
            self._errors.append((now, line or "an error without a message"))
        elif event.HasField("conversation_item_added"):
            item = event.conversation_item_added.item
            if item.HasField("message"):
                by_agent = item.message.role == pb.ASSISTANT
                self._items.append(_Item(now, _report(item.message.metrics), by_agent))


def _first(kept: float | None, new: float | None) -> float | None:
    return new if kept is None else kept


def _report(metrics: pb.MetricsReport) -> TurnReport:
    def value(name: str) -> float | None:
        return float(getattr(metrics, name)) if metrics.HasField(name) else None

    return TurnReport(
        transcription_delay_s=value("transcription_delay"),
        end_of_turn_delay_s=value("end_of_turn_delay"),
        llm_ttft_s=value("llm_node_ttft"),
        tts_ttfb_s=value("tts_node_ttfb"),
        e2e_s=value("e2e_latency"),
    )
