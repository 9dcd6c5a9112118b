"""Speech to text, a language model and text to speech behind the HTTP API that OpenAI defined.

They really recognise, answer and speak, without network and without key. How long each takes
and how often it fails can be set while it runs, by PUT /settings.

The delay is exact: the work is done first, inside the delay, and only what is left of it is
slept. So the delay that an agent reports for a provider is the delay that was set.
"""

import argparse
import asyncio
import io
import json
import logging
import multiprocessing
import random
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from exporter.demo.llm_replies import answer
from exporter.demo.ready import LOOPBACK, announce, free_socket
from exporter.demo.recognition import Recognizer
from exporter.demo.settings import DemoSettings, ProviderSettings
from exporter.demo.speech import Sound, Voice, speak

log = logging.getLogger("voice-exporter.demo")

_OPENAI_RATE = 24_000
"""Samples a second of `pcm` speech, as that API defines it."""
_CHUNK_BYTES = 9_600
_MAX_UPLOAD_BYTES = 25_000_000
_AGENT_VOICE = Voice("en-us+f3", words_per_minute=170)
# A connection that the server closes while the agent reuses it would cost a retry in a turn.
_KEEP_ALIVE_S = 600


class RequestRefused(Exception):  # noqa: N818 - an answer, not a fault
    """The request is wrong; the message says what was expected."""


class Providers:
    """The three providers and their settings; `app` is the ASGI application."""

    def __init__(
        self, settings: DemoSettings, transcribe: Callable[[Sound], Awaitable[str]]
    ) -> None:
        self.settings = settings
        self._transcribe = transcribe
        self._luck = random.Random()

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/settings", self.read_settings, methods=["GET"]),
                Route("/settings", self.write_settings, methods=["PUT"]),
                Route("/v1/audio/transcriptions", self.transcriptions, methods=["POST"]),
                Route("/v1/chat/completions", self.completions, methods=["POST"]),
                Route("/v1/audio/speech", self.speech, methods=["POST"]),
            ],
            exception_handlers={RequestRefused: _refusal},
        )

    async def read_settings(self, _request: Request) -> Response:
        """Answer with the settings now in force."""
        return JSONResponse(self.settings.model_dump())

    async def write_settings(self, request: Request) -> Response:
        """Change what the body names, and answer with all settings."""
        try:
            self.settings = self.settings.changed(await _json(request))
        except ValidationError as error:
            raise RequestRefused(_in_one_line(error)) from error
        log.info("settings: %s", self.settings.model_dump_json())
        return JSONResponse(self.settings.model_dump())

    async def transcriptions(self, request: Request) -> Response:
        """Recognise the speech in the uploaded WAV file."""
        began, settings = time.monotonic(), self.settings.stt
        async with request.form(max_part_size=_MAX_UPLOAD_BYTES) as form:
            upload = form.get("file")
            if not isinstance(upload, UploadFile):
                raise RequestRefused("file: expected a WAV file as multipart form data")
            sound = _read_wav(await upload.read())
        text = await self._transcribe(sound)
        if failure := await self._hold("stt", began, settings):
            return failure
        return JSONResponse({"text": text})

    async def completions(self, request: Request) -> Response:
        """Answer the last message of the user, as a stream of tokens if so asked."""
        began, settings = time.monotonic(), self.settings.llm
        body = await _json(request)
        model = str(body.get("model", ""))
        reply = answer(_last_user_text(body))
        if failure := await self._hold("llm", began, settings):
            return failure
        if body.get("stream"):
            return StreamingResponse(_tokens(reply, model), media_type="text/event-stream")
        message = {"role": "assistant", "content": reply}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse(_completion("chat.completion", model, choice))

    async def speech(self, request: Request) -> Response:
        """Speak the input, as `pcm` (24 kHz, 16 bits, mono) or `wav`."""
        began, settings = time.monotonic(), self.settings.tts
        body = await _json(request)
        text, form = body.get("input"), body.get("response_format", "wav")
        if not isinstance(text, str) or not text.strip():
            raise RequestRefused("input: expected the text to speak")
        if form not in {"pcm", "wav"}:
            raise RequestRefused(f"response_format: expected pcm or wav, got {form!r}")
        sound = await asyncio.to_thread(_spoken, text)
        raw = sound.samples.tobytes() if form == "pcm" else sound.wav()
        if failure := await self._hold("tts", began, settings):
            return failure
        return StreamingResponse(_chunks(raw), media_type=f"audio/{form}")

    async def _hold(self, part: str, began: float, settings: ProviderSettings) -> Response | None:
        """Let the rest of the delay pass; return an error when it is this request's turn."""
        left = began + settings.delay_s - time.monotonic()
        if left < 0:
            log.warning("%s: processing took %.3f s longer than the configured delay", part, -left)
        await asyncio.sleep(max(0.0, left))
        if self._luck.random() >= settings.failure_rate:
            return None
        return _error(503, f"the demo's {part} was set to fail", "server_error")


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    listener = free_socket(arguments.port, arguments.host)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    pool = ProcessPoolExecutor(
        max_workers=arguments.recognizers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_load_recognizer,
    )

    async def transcribe(sound: Sound) -> str:
        # Another process: a recogniser at work holds the interpreter for up to 0.1 s, which
        # would make every delay of this process late.
        return await asyncio.get_running_loop().run_in_executor(pool, _transcribe, sound)

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        silence = Sound(np.zeros(_OPENAI_RATE // 10, np.int16), _OPENAI_RATE)
        await asyncio.gather(*(transcribe(silence) for _ in range(arguments.recognizers)))
        await asyncio.to_thread(_spoken, "ready")
        announce(arguments.ready_file, url)
        yield

    app = Providers(arguments.settings, transcribe).app()
    app.router.lifespan_context = life
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=2,
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--ready-file", type=Path, required=True, help="gets the URL when ready")
    parser.add_argument("--recognizers", type=int, default=2, help="processes that recognise")
    parser.add_argument(
        "--settings",
        type=DemoSettings.model_validate_json,
        default=DemoSettings(),
        help='JSON such as {"llm": {"delay_s": 2.0}}',
    )
    return parser.parse_args()


_recognizer: list[Recognizer] = []
"""Of a recognising process: the pool calls functions and offers no other place for it."""


def _load_recognizer() -> None:
    _recognizer.append(Recognizer())


def _transcribe(sound: Sound) -> str:
    return _recognizer[0].transcribe(sound)


def _spoken(text: str) -> Sound:
    """Speak without silence before the first sound, so that the first byte is speech."""
    return speak(text, _AGENT_VOICE).trimmed().resampled(_OPENAI_RATE).at_peak(0.6)


def _read_wav(raw: bytes) -> Sound:
    try:
        with wave.open(io.BytesIO(raw)) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            frames = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise RequestRefused(f"file: expected a WAV file: {error}") from error
    if width != 2 or rate < 1:  # noqa: PLR2004 - bytes of a sample of 16 bits
        raise RequestRefused(f"file: expected samples of 16 bits, got {8 * width}")
    samples = np.frombuffer(frames, "<i2").reshape(-1, channels).mean(axis=1)
    return Sound(samples.astype(np.int16), rate)


async def _json(request: Request) -> dict[str, Any]:
    """Return the body, which must be a JSON object."""
    try:
        body = await request.json()
    except ValueError as error:
        raise RequestRefused(f"body: expected JSON: {error}") from error
    if not isinstance(body, dict):
        raise RequestRefused("body: expected a JSON object")
    return body


def _last_user_text(body: dict[str, Any]) -> str:
    """Return the user's last words; a message's content is text or a list of parts."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise RequestRefused("messages: expected a list")
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, list):
                parts = (part.get("text", "") for part in content if isinstance(part, dict))
                return " ".join(str(part) for part in parts)
            return str(content or "")
    return ""


async def _tokens(reply: str, model: str) -> AsyncIterator[bytes]:
    """Stream the answer word by word, without pauses: only the first token has a delay."""
    for number, word in enumerate(reply.split(" ")):
        delta = {"role": "assistant", "content": word if number == 0 else f" {word}"}
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        yield _event(_completion("chat.completion.chunk", model, choice))
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    yield _event(_completion("chat.completion.chunk", model, last))
    yield b"data: [DONE]\n\n"


def _completion(kind: str, model: str, choice: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-demo",
        "object": kind,
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
    }


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


async def _chunks(raw: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(raw), _CHUNK_BYTES):
        yield raw[start : start + _CHUNK_BYTES]


async def _refusal(_request: Request, error: Exception) -> Response:
    return _error(400, str(error), "invalid_request_error")


def _error(status: int, message: str, kind: str) -> Response:
    """Return an error in the shape that clients of that API expect."""
    return JSONResponse({"error": {"message": message, "type": kind}}, status_code=status)


def _in_one_line(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(step) for step in each['loc']) or 'settings'}: {each['msg']}"
        for each in error.errors()
    )


if __name__ == "__main__":
    main()
