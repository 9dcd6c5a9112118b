"""The turns of one session, from its events: figures, never a word.

Nothing here imports livekit-agents: events are read by their attributes, and what is missing is
unknown. In livekit-agents 1.5 and later the messages of a conversation carry the figures.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol

_JSON = json.JSONEncoder(separators=(",", ":"))

Outcome = Literal["answered", "interrupted", "unanswered"]

_MOST_MODELS, _LONGEST_MODEL = 50, 128
"""What an exporter takes of one report, at least."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a session has used of one model."""

    model: str
    llm_input: int = 0
    """Tokens, those of the cache among them."""
    llm_cached: int = 0
    llm_output: int = 0
    tts_characters: int = 0
    stt_seconds: float = 0.0

    def less(self, before: "Usage | None") -> "Usage":
        """Return what was used since then."""
        if before is None:
            return self
        return replace(
            self,
            llm_input=max(0, self.llm_input - before.llm_input),
            llm_cached=max(0, self.llm_cached - before.llm_cached),
            llm_output=max(0, self.llm_output - before.llm_output),
            tts_characters=max(0, self.tts_characters - before.tts_characters),
            stt_seconds=max(0.0, self.stt_seconds - before.stt_seconds),
        )


@dataclass(frozen=True, slots=True)
class Report:
    """One turn as the exporter takes it; seconds are None where the session does not know them."""

    agent_name: str
    call_type: str
    outcome: Outcome | None = None
    """None: no turn, but what was used besides, or the news that a session begins."""
    e2e_s: float | None = None
    """From the end of the caller's speech to the agent's first sound, by the agent's clock."""
    transcription_delay_s: float | None = None
    end_of_turn_delay_s: float | None = None
    on_user_turn_completed_s: float | None = None
    llm_ttft_s: float | None = None
    llm_ttfs_s: float | None = None
    tts_ttfb_s: float | None = None
    tools_s: float | None = None
    """Of tools that ended before the answer began; those that ran together count once."""
    tool_requests_s: float | None = None
    """Of the requests to the language model in answer to which it called them."""
    tools_ok: int = 0
    """Tools that ended well, since the report before."""
    tools_failed: int = 0
    usage: tuple[Usage, ...] = ()
    """Since the report before."""

    def encode(self) -> bytes:
        """Return it as JSON, without what is unknown."""
        values = ((name, getattr(self, name)) for name in self.__slots__)
        known = {name: value for name, value in values if value is not None}
        return _JSON.encode(known | {"usage": [asdict(each) for each in self.usage]}).encode()


class Emitter(Protocol):
    """What is needed of an `AgentSession`."""

    def on(self, event: Any, callback: Any) -> Any:
        """Let a function be called with each event of that name."""


@dataclass(slots=True)
class _Turn:
    """A turn of the caller that is over, and what has come of it so far."""

    question: Any
    """The figures of the caller's message."""
    asked_at: float | None
    answers: list[Any] = field(default_factory=list)
    """The figures of the messages that answer it."""
    interrupted: bool = False
    tools: list[tuple[float, float]] = field(default_factory=list)
    """Begin and end of each."""

    @property
    def outcome(self) -> Outcome:
        """What has become of it."""
        if not self.answers:
            return "unanswered"
        return "interrupted" if self.interrupted else "answered"


class SessionTurns:
    """Makes reports of the events of one session. Its methods are called by its event loop."""

    def __init__(
        self, first: Report, offer: Callable[[Report], None], is_probe: Callable[[], bool]
    ) -> None:
        """Begin; the exporter is told of the session before its first turn.

        Args:
            first: A report without a turn, whose names all others have.
            offer: Takes a report; at once, and never raises.
            is_probe: Whether an exporter's probe is the caller, whose turns count elsewhere.
        """
        self._first = first
        self._offer = offer
        self._is_probe = is_probe
        self._of_probe = is_probe()
        self._turn: _Turn | None = None
        self._tools = [0, 0]
        """How many failed, and how many ended well, since the last report."""
        self._used: dict[str, Usage] = {}
        self._reported: dict[str, Usage] = {}
        self._report(None)

    def follow(self, session: Emitter, guarded: Callable[[Any], Any]) -> None:
        """Listen to a session.

        Args:
            session: An `AgentSession`.
            guarded: Makes a function of one that may raise, which does not.
        """
        session.on("conversation_item_added", guarded(self.on_item))
        session.on("function_tools_executed", guarded(self.on_tools))
        session.on("session_usage_updated", guarded(self.on_usage))
        session.on("agent_state_changed", guarded(self.on_state))
        session.on("close", guarded(self.on_close))

    def on_item(self, event: Any) -> None:
        """Take a message: of the caller, whose turn is over, or of the agent."""
        item = event.item
        role, figures = getattr(item, "role", ""), getattr(item, "metrics", None) or {}
        if role == "user" and _is_spoken(figures):
            self._finish()
            self._of_probe = self._of_probe or self._is_probe()
            self._turn = _Turn(figures, getattr(event, "created_at", None))
        elif role == "assistant" and _answers(figures):
            # A realtime model has figures of its answers alone.
            if self._turn is None and _number(figures, "e2e_latency") is not None:
                self._of_probe = self._of_probe or self._is_probe()
                self._turn = _Turn({}, None)
            if self._turn is not None:
                self._turn.answers.append(figures)
                self._turn.interrupted = bool(getattr(item, "interrupted", False))

    def on_tools(self, event: Any) -> None:
        """Take note of tools that have ended."""
        pairs = zip(event.function_calls, event.function_call_outputs, strict=False)
        for call, output in pairs:
            self._tools[not getattr(output, "is_error", False)] += 1
            if self._turn is not None:
                self._turn.tools.append((call.created_at, output.created_at))

    def on_usage(self, event: Any) -> None:
        """Take note of what the session has used up to now."""
        for each in event.usage.model_usage:
            used = _usage(each)
            key = f"{each.type} {used.model}" if used is not None else ""
            # What an exporter would refuse takes the rest of its batch with it.
            if used is not None and (key in self._used or len(self._used) < _MOST_MODELS):
                self._used[key] = used

    def on_state(self, event: Any) -> None:
        """End a turn when the agent has answered and listens again."""
        if event.new_state == "listening" and self._turn is not None and self._turn.answers:
            self._finish()

    def on_close(self, _event: Any) -> None:
        """End the last turn, and report what was used since."""
        self._finish()
        if any(self._tools) or self._used != self._reported:
            self._report(None)

    def _finish(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            self._report(turn)

    def _report(self, turn: _Turn | None) -> None:
        failed, ok = self._tools
        usage = [
            used.less(self._reported.get(key))
            for key, used in self._used.items()
            if used != self._reported.get(key)
        ]
        self._tools, self._reported = [0, 0], dict(self._used)
        if self._of_probe:
            return
        figures = {} if turn is None else _figures(turn)
        made = replace(self._first, tools_ok=ok, tools_failed=failed, usage=tuple(usage), **figures)
        self._offer(made)


def _figures(turn: _Turn) -> dict[str, Any]:
    """Return what a turn fills of a report; of several answers the first has its wait."""
    heard, said = turn.question, turn.answers
    spans = list(_waited_for(turn))
    busy_s, requests_s = _tool_times(spans, turn.asked_at)
    return {
        "outcome": turn.outcome,
        "e2e_s": _first(said, "e2e_latency"),
        "transcription_delay_s": _number(heard, "transcription_delay"),
        "end_of_turn_delay_s": _number(heard, "end_of_turn_delay"),
        "on_user_turn_completed_s": _number(heard, "on_user_turn_completed_delay"),
        "llm_ttft_s": _first(said, "llm_node_ttft"),
        "llm_ttfs_s": _first(said, "llm_node_ttfs"),
        "tts_ttfb_s": _first(said, "tts_node_ttfb"),
        "tools_s": busy_s if spans else None,
        "tool_requests_s": requests_s if spans else None,
    }


def _waited_for(turn: _Turn) -> Iterator[tuple[float, float]]:
    """Yield the tools that ended before the answer began to sound."""
    begun = _first(turn.answers, "started_speaking_at") or math.inf
    yield from ((begin, end) for begin, end in sorted(turn.tools) if end <= begun)


def _tool_times(
    spans: Iterable[tuple[float, float]], asked_at: float | None
) -> tuple[float, float]:
    """Return for how long tools ran, and the requests that called them."""
    busy_s, requests_s, at = 0.0, 0.0, asked_at
    for begin, end in spans:
        if at is not None:
            requests_s += max(0.0, begin - at)
        busy_s += max(0.0, end - max(begin, at or begin))
        at = max(end, at or end)
    return busy_s, requests_s


def _is_spoken(figures: Any) -> bool:
    """Return whether a caller's message was spoken: its end was timed."""
    return any(figures.get(name) is not None for name in ("stopped_speaking_at", *_OF_QUESTIONS))


_OF_QUESTIONS = ("end_of_turn_delay", "transcription_delay")


def _answers(figures: Any) -> bool:
    """Return whether an agent's message answers a turn, rather than being said on the way.

    What a program says by itself has the time of speech synthesis alone.
    """
    return any(_number(figures, name) is not None for name in ("e2e_latency", "llm_node_ttft"))


def _first(several: Iterable[Any], name: str) -> float | None:
    """Return a figure of the first that has it."""
    found = (_number(figures, name) for figures in several)
    return next((value for value in found if value is not None), None)


def _number(figures: Any, name: str) -> float | None:
    value = figures.get(name)
    if isinstance(value, int | float) and math.isfinite(value):
        return round(float(value), 6)
    return None


def _usage(each: Any) -> Usage | None:
    """Return what was used of a model; None for what is neither language nor speech."""
    model = "".join(filter(str.isprintable, str(each.model)))[:_LONGEST_MODEL]
    match each.type:
        case "llm_usage":
            return Usage(
                model,
                llm_input=each.input_tokens,
                llm_cached=each.input_cached_tokens,
                llm_output=each.output_tokens,
            )
        case "tts_usage":
            return Usage(model, tts_characters=each.characters_count)
        case "stt_usage":
            return Usage(model, stt_seconds=each.audio_duration)
    return None
