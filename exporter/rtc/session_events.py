"""What the agent itself reports about its turns, over the byte stream `lk.agent.session`.

livekit-agents 1.5 and later broadcast it to every participant, with nothing installed in the
agent. Only figures, states and error messages are kept: no transcript, no instructions.
"""

import asyncio
import time
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError
from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb

from exporter.rtc.agent_errors import in_words
from exporter.rtc.line import TurnReport

TOPIC = "lk.agent.session"
LEGACY_TOPIC = "lk.agent.events"
"""Where livekit-agents 1.4 sends JSON instead."""

STREAM_TIMEOUT_S = 5.0
"""How long one message may take to arrive: the next ones wait behind it."""


@dataclass(frozen=True, slots=True)
class _Item:
    """One message of the conversation, as an agent told of it."""

    at: float
    sender: str
    by_agent: bool
    report: TurnReport


@dataclass(frozen=True, slots=True)
class _Error:
    at: float
    sender: str
    text: str


class SessionEvents:
    """Listens to the agents' reports in one room; register before connecting."""

    def __init__(self, room: rtc.Room) -> None:
        self._streams: asyncio.Queue[tuple[rtc.ByteStreamReader, str]] = asyncio.Queue()
        self._items: list[_Item] = []
        self._errors: list[_Error] = []
        self._changed = asyncio.Event()
        self._heard: set[str] = set()
        self._legacy = False
        self._drains: set[asyncio.Task[str]] = set()
        self.agent = ""
        """Identity of the agent in question; what others report does not count."""
        room.register_byte_stream_handler(TOPIC, self._on_stream)
        room.register_text_stream_handler(LEGACY_TOPIC, self._on_legacy)
        self.task = asyncio.get_running_loop().create_task(self._read(), name="session-events")

    async def aclose(self) -> None:
        """Stop listening."""
        tasks = (self.task, *self._drains)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def error_since(self, when: float) -> str:
        """Return the last error that the agent reported since then, or ""."""
        ours = [each.text for each in self._errors if self._is_ours(each) and each.at >= when]
        return ours[-1] if ours else ""

    def only_said_since(self, when: float) -> bool:
        """Tell whether all that the agent has said since then is no answer to what it heard.

        `session.say` in `on_user_turn_completed` brings a message without the latency of a turn,
        ahead of the user's own, and the state `listening` while the agent still works. Of an
        answer the agent reports its latency, or the language model's after the user's message. A
        message without any figure (realtime models) proves nothing.
        """
        heard, said = False, False
        for each in self._items:
            if each.at < when or not self._is_ours(each):
                continue
            timed = each.report.e2e_s, each.report.llm_ttft_s if heard else None
            has_figures = (each.report.llm_ttft_s, each.report.tts_ttfb_s) != (None, None)
            if each.by_agent and (timed != (None, None) or not has_figures):
                return False
            heard, said = heard or not each.by_agent, said or each.by_agent
        return said

    async def report_since(
        self, when: float, timeout_s: float, answered: float = 0.0
    ) -> TurnReport:
        """Return what was reported about the turn that began at `when`.

        The agent's half comes only after it has finished speaking; waits for it no longer than
        `timeout_s`, and not at all for an agent that never reported anything.

        Args:
            when: The begin of the turn.
            timeout_s: How long to wait.
            answered: When the answer began; what the agent said before was a filler.
        """
        deadline = time.monotonic() + timeout_s
        while self.agent in self._heard and not self._answers(when, answered):
            self._changed.clear()
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    await self._changed.wait()
            except TimeoutError:
                break
        return self._merged(when, answered)

    def why_absent(self) -> str:
        """Say why there is no split for an agent whose turns have none."""
        if self.agent in self._heard:
            return "the agent reports no components of its turns (a realtime model?)"
        if self._legacy:
            return "the agent runs livekit-agents 1.4; components need 1.5 or later"
        return "the agent reports nothing on lk.agent.session (livekit-agents before 1.5?)"

    def _is_ours(self, each: _Item | _Error) -> bool:
        return each.sender == self.agent

    def _questions(self, when: float) -> list[_Item]:
        """Return the user's messages since then."""
        items = (each for each in self._items if each.at >= when and self._is_ours(each))
        return [each for each in items if not each.by_agent]

    def _answers(self, when: float, answered: float) -> list[_Item]:
        """Return the agent's messages since then: after the user's, if that was told of."""
        questions = self._questions(when)
        begin = max(answered, questions[0].at if questions else when)
        items = (each for each in self._items if each.at >= begin and self._is_ours(each))
        return [each for each in items if each.by_agent]

    def _merged(self, when: float, answered: float) -> TurnReport:
        questions, answers = self._questions(when), self._answers(when, answered)
        if answers:
            questions = [each for each in questions if each.at <= answers[0].at]
        merged = TurnReport()
        if questions:  # the last one before the answer decided that the turn was over
            heard = questions[-1].report
            merged = replace(
                merged,
                transcription_delay_s=heard.transcription_delay_s,
                end_of_turn_delay_s=heard.end_of_turn_delay_s,
            )
        for said in (each.report for each in reversed(answers)):
            # A turn may have several answers (tool calls): the first is what was waited for.
            merged = replace(
                merged,
                llm_ttft_s=_known(said.llm_ttft_s, merged.llm_ttft_s),
                tts_ttfb_s=_known(said.tts_ttfb_s, merged.tts_ttfb_s),
                e2e_s=_known(said.e2e_s, merged.e2e_s),
            )
        return merged

    def _on_stream(self, reader: rtc.ByteStreamReader, sender: str) -> None:
        self._streams.put_nowait((reader, sender))

    def _on_legacy(self, reader: rtc.TextStreamReader, _sender: str) -> None:
        self._legacy = True
        task = asyncio.get_running_loop().create_task(reader.read_all())
        self._drains.add(task)
        task.add_done_callback(self._drains.discard)

    async def _read(self) -> None:
        while True:
            reader, sender = await self._streams.get()
            message = pb.AgentSessionMessage()
            try:
                async with asyncio.timeout(STREAM_TIMEOUT_S):
                    message.ParseFromString(b"".join([chunk async for chunk in reader]))
            except (rtc.StreamError, TimeoutError, DecodeError):
                continue  # one lost message must not cost the others
            self._heard.add(sender)
            if message.HasField("event"):
                self._take(message.event, sender)
            self._changed.set()

    def _take(self, event: pb.AgentSessionEvent, sender: str) -> None:
        now = time.monotonic()
        if event.HasField("error"):
            self._errors.append(_Error(now, sender, in_words(event.error.message)))
        elif event.HasField("conversation_item_added"):
            item = event.conversation_item_added.item
            if item.HasField("message"):
                by_agent = item.message.role == pb.ASSISTANT
                self._items.append(_Item(now, sender, by_agent, _report(item.message.metrics)))


def _known(first: float | None, second: float | None) -> float | None:
    return second if first is None else first


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
