"""The demo's providers over HTTP, without a network: what clients of that API rely on."""

import asyncio
import io
import json
import time
import wave
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import httpx
import numpy as np
import pytest

from exporter.demo.llm_replies import STORY, answer
from exporter.demo.providers import Providers
from exporter.demo.settings import DemoCall, DemoSettings
from exporter.demo.speech import Sound

QUICK = {part: {"delay_s": 0.0} for part in ("stt", "llm", "tts")}
CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "Where is my order?"}],
}
SPEECH = {"model": "m", "voice": "v", "input": "Yes.", "response_format": "pcm"}
WAV = Sound(np.zeros(2_400, np.int16), 24_000).wav()

Talk = Callable[[httpx.AsyncClient], Awaitable[Any]]


async def heard(sound: Sound) -> str:
    """Say what arrived, in the place of a recogniser."""
    return f"{sound.rate} {len(sound.samples)}"


def talk(with_client: Callable[[httpx.AsyncClient], Coroutine[Any, Any, Any]]) -> Any:
    """Run one conversation with providers that take no time."""

    async def run() -> Any:
        app = Providers(DemoSettings().changed(QUICK), heard).app()
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://demo") as client:
            return await with_client(client)

    return asyncio.run(run())


def test_settings_are_read_and_changed_over_http() -> None:
    """PUT changes what it names and answers with everything; GET shows the same."""

    async def change(client: httpx.AsyncClient) -> tuple[Any, Any]:
        put = await client.put("/settings", json={"llm": {"delay_s": 2.0}})
        return put.json(), (await client.get("/settings")).json()

    put, get = talk(change)
    assert put == get
    assert put == DemoSettings().changed(QUICK | {"llm": {"delay_s": 2.0}}).model_dump()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(
            b'{"llm": {"delay_s": -1}}',
            "llm.delay_s: Input should be greater than or equal to 0",
            id="value",
        ),
        pytest.param(b'{"x": 1}', "x: Extra inputs are not permitted", id="unknown"),
        pytest.param(b"[]", "body: expected a JSON object", id="list"),
        pytest.param(b"{", "body: expected JSON", id="no JSON"),
    ],
)
def test_wrong_settings_are_refused_and_change_nothing(body: bytes, words: str) -> None:
    """A refused change is answered with its reason, and the settings stay."""

    async def change(client: httpx.AsyncClient) -> tuple[httpx.Response, Any]:
        put = await client.put("/settings", content=body)
        return put, (await client.get("/settings")).json()

    put, settings = talk(change)
    assert put.status_code == 400
    assert put.json()["error"]["message"].startswith(words)
    assert settings == DemoSettings().changed(QUICK).model_dump()


def test_an_answer_streams_token_by_token() -> None:
    """The stream has the answer word by word, a stop, and the end mark."""

    async def ask(client: httpx.AsyncClient) -> str:
        return (await client.post("/v1/chat/completions", json={**CHAT, "stream": True})).text

    events = [line.removeprefix("data: ") for line in talk(ask).split("\n\n") if line]
    assert events[-1] == "[DONE]"
    choices = [json.loads(event)["choices"][0] for event in events[:-1]]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == answer("order")
    assert len(choices) > 3
    assert choices[-1]["finish_reason"] == "stop"


def test_an_answer_also_comes_whole() -> None:
    """Without `stream` the answer is one document; parts of text are joined."""
    parts = [{"type": "text", "text": "thank"}, {"type": "text", "text": "you"}]

    async def ask(client: httpx.AsyncClient) -> Any:
        messages = [*CHAT["messages"], {"role": "user", "content": parts}]
        return (await client.post("/v1/chat/completions", json={"messages": messages})).json()

    assert talk(ask)["choices"][0]["message"]["content"] == answer("thank you")


def test_speech_comes_as_raw_samples_and_as_wav() -> None:
    """Both forms hold the same 24 kHz mono speech, which starts with sound, not silence."""

    async def say(client: httpx.AsyncClient) -> tuple[httpx.Response, httpx.Response]:
        raw = await client.post("/v1/audio/speech", json=SPEECH)
        return raw, await client.post("/v1/audio/speech", json=SPEECH | {"response_format": "wav"})

    raw, packed = talk(say)
    assert raw.headers["content-type"] == "audio/pcm"
    with wave.open(io.BytesIO(packed.content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        seconds = file.getnframes() / 24_000
    samples = np.frombuffer(raw.content, "<i2")
    assert len(samples) / 24_000 == pytest.approx(seconds, abs=0.05)
    assert np.abs(samples[:240]).max() > 50


def test_an_upload_reaches_the_recogniser() -> None:
    """The uploaded WAV file arrives with its rate and its samples; the text comes back."""

    async def send(client: httpx.AsyncClient) -> Any:
        files = {"file": ("file.wav", WAV, "audio/wav")}
        return (await client.post("/v1/audio/transcriptions", files=files)).json()

    assert talk(send) == {"text": "24000 2400"}


@pytest.mark.parametrize(
    ("path", "request_", "words"),
    [
        pytest.param("audio/transcriptions", {"data": {"a": "b"}}, "file: expected", id="no file"),
        pytest.param(
            "audio/transcriptions", {"files": {"file": b"no"}}, "file: expected a WAV", id="no WAV"
        ),
        pytest.param("chat/completions", {"json": {}}, "messages: expected", id="no messages"),
        pytest.param("audio/speech", {"json": {"input": " "}}, "input: expected", id="no text"),
        pytest.param(
            "audio/speech",
            {"json": SPEECH | {"response_format": "mp3"}},
            "response_format: expected pcm or wav, got 'mp3'",
            id="form",
        ),
    ],
)
def test_a_wrong_request_is_told_what_was_expected(
    path: str, request_: dict[str, Any], words: str
) -> None:
    """Each provider answers 400 with one line in the shape that clients know."""

    async def send(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(f"/v1/{path}", **request_)

    response = talk(send)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(words)


@pytest.mark.parametrize(
    ("part", "path", "request_"),
    [
        pytest.param(
            "stt", "audio/transcriptions", {"files": {"file": ("f.wav", WAV)}}, id="speech to text"
        ),
        pytest.param("llm", "chat/completions", {"json": CHAT}, id="language model"),
        pytest.param("tts", "audio/speech", {"json": SPEECH}, id="text to speech"),
    ],
)
def test_delay_and_failures_hold_for_their_provider(
    part: str, path: str, request_: dict[str, Any]
) -> None:
    """The set delay passes before the answer, which is an error when the rate says so."""

    async def send(client: httpx.AsyncClient) -> tuple[float, int, int]:
        # Warm: the first sentence loads the speech library.
        first = await client.post(f"/v1/{path}", **request_)
        await client.put("/settings", json={part: {"delay_s": 0.3, "failure_rate": 1.0}})
        began = time.monotonic()
        second = await client.post(f"/v1/{path}", **request_)
        return time.monotonic() - began, first.status_code, second.status_code

    took_s, first, second = talk(send)
    assert (first, second) == (200, 503)
    assert took_s >= 0.3


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("my order has not arrived yet", "Your order left our house this morning."),
        ("What time is it?", "It is exactly half past nine."),
        ("", "I see. Please tell me more."),
    ],
)
def test_the_answer_follows_the_words(words: str, reply: str) -> None:
    """What the caller says decides what the agent answers."""
    assert answer(words) == reply


def asked(settings: dict[str, Any], *more: dict[str, Any], **changes: Any) -> Any:
    """Return the whole answer in a call with those settings, to a prompt with more messages."""

    async def ask(client: httpx.AsyncClient) -> Any:
        body = {**CHAT, "messages": [*CHAT["messages"], *more], **changes}
        headers = DemoCall(room="r", settings={"llm": settings}).header()
        return (await client.post("/v1/chat/completions", json=body, headers=headers)).json()

    return talk(ask)


def test_one_call_has_its_own_settings() -> None:
    """A request that says of which call it is gets that call's answer; others do not."""

    async def ask(client: httpx.AsyncClient) -> list[str]:
        call = DemoCall(room="r", settings={"stt": {"transcript": "hello", "inserted": 1}})
        files = {"file": ("file.wav", WAV)}
        path = "/v1/audio/transcriptions"
        ours = await client.post(path, files=files, headers=call.header())
        theirs = await client.post(path, files=files)
        return [ours.json()["text"], theirs.json()["text"]]

    assert talk(ask) == ["zebra hello", "24000 2400"]


def test_a_call_without_valid_settings_is_refused() -> None:
    """The header is checked like the settings."""

    async def ask(client: httpx.AsyncClient) -> Any:
        headers = DemoCall(settings={"llm": {"tool_s": -1}}).header()
        return (await client.get("/settings", headers=headers)).json()

    assert talk(ask)["error"]["message"].startswith("X-Demo-Call: llm.tool_s: Input should be")


TOOLS = [{"type": "function", "function": {"name": "look_up_order"}}]
TOOL_RESULT = {"role": "tool", "tool_call_id": "c", "content": "It left."}


def test_a_tool_is_called_and_then_the_reply_given() -> None:
    """The arguments say how the tool shall behave; after its result the answer is text."""
    settings = {"tool": "look_up_order", "tool_s": 1.5, "tool_fails": True, "filler": "Wait."}
    choice = asked(settings, tools=TOOLS)["choices"][0]
    function = choice["message"]["tool_calls"][0]["function"]
    assert (choice["finish_reason"], function["name"]) == ("tool_calls", "look_up_order")
    assert json.loads(function["arguments"]) == {"seconds": 1.5, "fails": True, "filler": "Wait."}
    filler = {"role": "assistant", "content": "Wait."}
    for since in ([TOOL_RESULT], [TOOL_RESULT, filler]):
        after = asked(settings, *since, tools=TOOLS)["choices"][0]
        assert (after["finish_reason"], after["message"]["content"]) == ("stop", answer("order"))
    again = asked(settings, TOOL_RESULT, CHAT["messages"][0], tools=TOOLS)["choices"][0]
    assert again["finish_reason"] == "tool_calls"  # in the caller's next turn
    assert asked(settings)["choices"][0]["finish_reason"] == "stop"  # an agent without tools


def test_a_streamed_call_of_a_tool_ends_with_its_usage() -> None:
    """The stream has the call, the reason for its end, and the usage if that was asked for."""

    async def ask(client: httpx.AsyncClient) -> str:
        await client.put("/settings", json={"llm": {"tool": "look_up_order"}})
        body = {**CHAT, "tools": TOOLS, "stream": True, "stream_options": {"include_usage": True}}
        return (await client.post("/v1/chat/completions", json=body)).text

    lines = [line.removeprefix("data: ") for line in talk(ask).split("\n\n") if line]
    call, end, usage = (json.loads(line) for line in lines[:-1])
    assert call["choices"][0]["delta"]["tool_calls"][0]["index"] == 0
    assert end["choices"][0]["finish_reason"] == "tool_calls"
    assert (usage["choices"], usage["usage"]["prompt_tokens"]) == ([], 4)


@pytest.mark.parametrize(
    ("settings", "reply"),
    [
        pytest.param({"reply": "Yes, it is."}, "Yes, it is.", id="given"),
        pytest.param({"reply": ""}, "", id="empty"),
        pytest.param({"story": True}, STORY, id="story"),
        pytest.param({"turns": [{"reply": "First."}], "reply": "Later."}, "First.", id="by turn"),
    ],
)
def test_the_reply_may_be_given(settings: dict[str, Any], reply: str) -> None:
    """What is set is said whatever was heard."""
    assert asked(settings)["choices"][0]["message"]["content"] == reply


def test_an_empty_answer_streams_no_token() -> None:
    """Only the end comes."""

    async def ask(client: httpx.AsyncClient) -> str:
        await client.put("/settings", json={"llm": {"reply": ""}})
        return (await client.post("/v1/chat/completions", json={**CHAT, "stream": True})).text

    assert talk(ask).count("data: ") == 2


@pytest.mark.parametrize(
    ("settings", "usage"),
    [
        pytest.param({"reply": "One two."}, (4, 0, 2), id="counted"),
        pytest.param({"reply": "", "cached_tokens": 99}, (4, 4, 0), id="all cached"),
        pytest.param(
            {"prompt_tokens": 200, "cached_tokens": 50, "completion_tokens": 20},
            (200, 50, 20),
            id="given",
        ),
    ],
)
def test_tokens_are_reported(settings: dict[str, Any], usage: tuple[int, ...]) -> None:
    """Usage is one token a word, or what was set."""
    told = asked(settings)["usage"]
    cached = told["prompt_tokens_details"]["cached_tokens"]
    assert (told["prompt_tokens"], cached, told["completion_tokens"]) == usage
    assert told["total_tokens"] == usage[0] + usage[2]


def test_what_is_delivered_is_counted() -> None:
    """Totals of all requests and of one room; what fails or has no content counts nothing."""

    async def use(client: httpx.AsyncClient) -> list[Any]:
        headers = DemoCall(room="a").header()
        for each in (headers, {}):
            files = {"file": ("file.wav", WAV)}
            await client.post("/v1/audio/transcriptions", files=files, headers=each)
            await client.post("/v1/chat/completions", json=CHAT, headers=each)
            await client.post("/v1/audio/speech", json=SPEECH, headers=each)
        await client.put("/settings", json={"tts": {"output": "nothing"}})
        await client.post("/v1/audio/speech", json=SPEECH)
        await client.put("/settings", json={"llm": {"failure_rate": 1.0}})
        await client.post("/v1/chat/completions", json=CHAT)
        paths = ("/counts", "/counts?room=a", "/counts?room=b")
        return [(await client.get(path)).json() for path in paths]

    one = {"llm_input": 4, "llm_cached": 0, "llm_output": 7, "tts_characters": 4}
    both = {name: 2 * value for name, value in one.items()}
    nothing = dict.fromkeys(one, 0) | {"stt_seconds": 0.0}
    assert talk(use) == [both | {"stt_seconds": 0.2}, one | {"stt_seconds": 0.1}, nothing]


@pytest.mark.parametrize(("output", "seconds"), [("silence", 0.2), ("nothing", 0.0)])
def test_speech_may_be_missing(output: str, seconds: float) -> None:
    """Silence lasts as long as the speech would; nothing has no sample."""

    async def say(client: httpx.AsyncClient) -> bytes:
        await client.put("/settings", json={"tts": {"output": output}})
        return (await client.post("/v1/audio/speech", json=SPEECH)).content

    samples = np.frombuffer(talk(say), "<i2")
    assert len(samples) >= seconds * 24_000
    assert not samples.any()


def test_runbooks_are_served_as_text() -> None:
    """The pages of the demo link to them; nothing else of the disk is there."""

    async def ask(client: httpx.AsyncClient) -> list[httpx.Response]:
        names = ("VoiceAgentSlow", "VoiceNothing", "..%2F..%2FREADME")
        return [await client.get(f"/runbooks/{name}.md") for name in names]

    found, *missing = talk(ask)
    assert found.text.startswith("# VoiceAgentSlow")
    assert found.headers["content-type"] == "text/plain; charset=utf-8"
    assert [each.status_code for each in missing] == [404, 404]
