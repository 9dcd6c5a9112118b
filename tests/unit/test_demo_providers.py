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

from exporter.demo.llm_replies import answer
from exporter.demo.providers import Providers
from exporter.demo.settings import DemoSettings
from exporter.demo.speech import Sound

QUICK = {part: {"delay_s": 0.0} for part in ("stt", "llm", "tts")}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Where is my order?"}]}
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
    assert put["llm"] == {"delay_s": 2.0, "failure_rate": 0.0}
    assert put["stt"] == {"delay_s": 0.0, "failure_rate": 0.0}


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
