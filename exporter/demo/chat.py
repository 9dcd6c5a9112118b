"""Chat completions as OpenAI defined them: the request, and the answer as document or stream."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from exporter.demo import llm_replies
from exporter.demo.counts import Counts
from exporter.demo.refusal import RequestRefused
from exporter.demo.settings import Answer, LlmSettings


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a request asks."""

    model: str
    heard: str
    """The caller's last words."""
    turn: int
    """How many turns the caller has had, this one included."""
    words: int
    """Of all messages."""
    after_tool: bool
    """A tool has returned since the caller's last words."""
    tools: frozenset[str]
    """Names of the tools that may be called."""
    with_usage: bool
    """The stream is to end with its usage."""

    @classmethod
    def of(cls, body: dict[str, Any]) -> "Prompt":
        """Read a request.

        Raises:
            RequestRefused: It has no list of messages.
        """
        listed = body.get("messages")
        if not isinstance(listed, list):
            raise RequestRefused("messages: expected a list")
        messages = [each for each in listed if isinstance(each, dict)]
        said = [_text(each) for each in messages if each.get("role") == "user"]
        # What the agent said while a tool was at work stands after the tool's result.
        roles = [each.get("role") for each in messages]
        since = roles[::-1].index("user") if said else len(roles)
        return cls(
            model=str(body.get("model", "")),
            heard=said[-1] if said else "",
            turn=len(said),
            words=sum(len(_text(each).split()) for each in messages),
            after_tool="tool" in roles[len(roles) - since :],
            tools=frozenset(each["function"]["name"] for each in body.get("tools") or []),
            with_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer: a text, or the call of a tool."""

    model: str
    text: str
    tool: dict[str, Any] | None
    """In the API's own form."""
    usage: Counts
    with_usage: bool

    @classmethod
    def to(cls, prompt: Prompt, settings: LlmSettings) -> "Completion":
        """Return what the settings have the model answer to a prompt."""
        answer = settings.answer_to(prompt.turn)
        calls = answer.tool in prompt.tools and not prompt.after_tool
        text = "" if calls else _reply(answer, prompt.heard)
        tokens, written = settings.prompt_tokens, settings.completion_tokens
        read = prompt.words if tokens is None else tokens
        # A call costs tokens too: as many as it has parts.
        words = len(text.split()) or (4 if calls else 0)
        usage = Counts(
            llm_input=read,
            llm_cached=min(settings.cached_tokens, read),
            llm_output=words if written is None else written,
        )
        tool = _tool_call(answer) if calls else None
        return cls(prompt.model, text, tool, usage, prompt.with_usage)

    def document(self) -> dict[str, Any]:
        """Return it whole."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.tool:
            message |= {"content": None, "tool_calls": [self.tool]}
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        return self._head("chat.completion", choice) | {"usage": self._usage()}

    async def stream(self) -> AsyncIterator[bytes]:
        """Stream it word by word, without pauses: only the first token has a delay."""
        for delta in self._deltas():
            choice = {"index": 0, "delta": delta, "finish_reason": None}
            yield _event(self._head("chat.completion.chunk", choice))
        last = {"index": 0, "delta": {}, "finish_reason": self._finish}
        yield _event(self._head("chat.completion.chunk", last))
        if self.with_usage:
            yield _event(self._head("chat.completion.chunk") | {"usage": self._usage()})
        yield b"data: [DONE]\n\n"

    @property
    def _finish(self) -> str:
        return "tool_calls" if self.tool else "stop"

    def _deltas(self) -> list[dict[str, Any]]:
        if self.tool:
            call = {"index": 0, **self.tool}
            return [{"role": "assistant", "content": None, "tool_calls": [call]}]
        words = self.text.split(" ") if self.text else []
        return [
            {"role": "assistant", "content": word if number == 0 else f" {word}"}
            for number, word in enumerate(words)
        ]

    def _head(self, kind: str, *choices: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": "chatcmpl-demo",
            "object": kind,
            "created": int(time.time()),
            "model": self.model,
            "choices": list(choices),
        }

    def _usage(self) -> dict[str, Any]:
        usage = self.usage
        return {
            "prompt_tokens": usage.llm_input,
            "completion_tokens": usage.llm_output,
            "total_tokens": usage.llm_input + usage.llm_output,
            "prompt_tokens_details": {"cached_tokens": usage.llm_cached},
        }


def _reply(answer: Answer, heard: str) -> str:
    if answer.reply is not None:
        return answer.reply
    return llm_replies.STORY if answer.story else llm_replies.answer(heard)


def _tool_call(answer: Answer) -> dict[str, Any]:
    """Return the call; its arguments tell the tool how to behave."""
    arguments = {"seconds": answer.tool_s, "fails": answer.tool_fails, "filler": answer.filler}
    function = {"name": answer.tool, "arguments": json.dumps(arguments)}
    return {"id": f"call_{uuid4().hex}", "type": "function", "function": function}


def _text(message: dict[str, Any]) -> str:
    """Return a message's words; its content is text or a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        parts = (part.get("text", "") for part in content if isinstance(part, dict))
        return " ".join(str(part) for part in parts)
    return str(content or "")


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"
