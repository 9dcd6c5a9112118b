"""Speech to text, a language model and text to speech behind the HTTP API that OpenAI defined.

They really recognise, answer and speak, without network and without key. How long each takes,
how often it fails and what it returns can be set while it runs, by PUT /settings. A request that
says of which call it is (`DemoCall`) is answered by the settings of that call. GET /counts has
what was delivered, GET /counts?room=NAME what was delivered to one call. GET /runbooks/NAME.md is
a runbook, for the links of the exporter's pages.

The delay is exact: the work is done first, inside the delay, and only what is left of it is
slept. So the delay that an agent reports for a provider is the delay that was set.
"""

import argparse
import asyncio
import io
import logging
import multiprocessing
import random
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from exporter.demo.chat import Completion, Prompt
from exporter.demo.counts import Counts, CountsByRoom
from exporter.demo.ready import LOOPBACK, RUNBOOKS, announce, free_socket
from exporter.demo.recognition import Recognizer, misheard
from exporter.demo.refusal import RequestRefused, failed, json_object, refusal
from exporter.demo.settings import (
    CALL_HEADER,
    DemoCall,
    DemoSettings,
    ProviderSettings,
    TtsSettings,
    in_one_line,
)
from exporter.demo.speech import Sound, Voice, speak

log = logging.getLogger("voice-exporter.demo")

_OPENAI_RATE = 24_000
"""Samples a second of `pcm` speech, as that API defines it."""
_CHUNK_BYTES = 9_600
_MAX_UPLOAD_BYTES = 25_000_000
_AGENT_VOICE = Voice("en-us+f3", words_per_minute=170)
# A connection that the server closes while the agent reuses it would cost a retry in a turn.
_KEEP_ALIVE_S = 600


class Providers:
    """The three providers and their settings; `app` is the ASGI application."""

    def __init__(
        self, settings: DemoSettings, transcribe: Callable[[Sound], Awaitable[str]]
    ) -> None:
        self.settings = settings
        self._first = settings
        self._transcribe = transcribe
        self._luck = random.Random()
        self._counts = CountsByRoom()

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/settings", self.read_settings, methods=["GET"]),
                Route("/settings", self.write_settings, methods=["PUT"]),
                Route("/settings", self.restore_settings, methods=["DELETE"]),
                Route("/counts", self.read_counts, methods=["GET"]),
                Route("/runbooks/{name}.md", read_runbook, methods=["GET"]),
                Route("/v1/audio/transcriptions", self.transcriptions, methods=["POST"]),
                Route("/v1/chat/completions", self.completions, methods=["POST"]),
                Route("/v1/audio/speech", self.speech, methods=["POST"]),
            ],
            exception_handlers={RequestRefused: refusal},
        )

    async def read_settings(self, request: Request) -> Response:
        """Answer with the settings now in force, for all calls or for the one that asks."""
        return JSONResponse(self._of(request)[1].model_dump())

    async def write_settings(self, request: Request) -> Response:
        """Change what the body names, and answer with all settings."""
        try:
            self.settings = self.settings.changed(await json_object(request))
        except ValidationError as error:
            raise RequestRefused(in_one_line(error)) from error
        log.info("settings: %s", self.settings.model_dump_json())
        return JSONResponse(self.settings.model_dump())

    async def restore_settings(self, _request: Request) -> Response:
        """Take back all changes, and answer with the settings as they were at the start."""
        self.settings = self._first
        log.info("settings: as at the start")
        return JSONResponse(self.settings.model_dump())

    async def read_counts(self, request: Request) -> Response:
        """Answer with what was delivered, in all or to one room."""
        room = request.query_params.get("room")
        return JSONResponse(asdict(self._counts.all if room is None else self._counts.of(room)))

    async def transcriptions(self, request: Request) -> Response:
        """Recognise the speech in the uploaded WAV file."""
        began, (room, settings) = time.monotonic(), self._of(request)
        stt = settings.stt
        async with request.form(max_part_size=_MAX_UPLOAD_BYTES) as form:
            upload = form.get("file")
            if not isinstance(upload, UploadFile):
                raise RequestRefused("file: expected a WAV file as multipart form data")
            sound = _read_wav(await upload.read())
        heard = stt.transcript if stt.transcript is not None else await self._transcribe(sound)
        if failure := await self._hold("stt", began, stt):
            return failure
        self._counts.add(room, Counts(stt_seconds=sound.seconds))
        return JSONResponse({"text": misheard(heard, stt)})

    async def completions(self, request: Request) -> Response:
        """Answer the last message of the user, as a stream of tokens if so asked."""
        began, (room, settings) = time.monotonic(), self._of(request)
        body = await json_object(request)
        completion = Completion.to(Prompt.of(body), settings.llm)
        if failure := await self._hold("llm", began, settings.llm):
            return failure
        self._counts.add(room, completion.usage)
        if body.get("stream"):
            return StreamingResponse(completion.stream(), media_type="text/event-stream")
        return JSONResponse(completion.document())

    async def speech(self, request: Request) -> Response:
        """Speak the input, as `pcm` (24 kHz, 16 bits, mono) or `wav`."""
        began, (room, settings) = time.monotonic(), self._of(request)
        body, tts = await json_object(request), settings.tts
        text, form = body.get("input"), body.get("response_format", "wav")
        if not isinstance(text, str) or not text.strip():
            raise RequestRefused("input: expected the text to speak")
        if form not in {"pcm", "wav"}:
            raise RequestRefused(f"response_format: expected pcm or wav, got {form!r}")
        sound = _put_out(await asyncio.to_thread(_spoken, text), tts)
        raw = sound.samples.tobytes() if form == "pcm" else sound.wav()
        if failure := await self._hold("tts", began, tts):
            return failure
        if sound.samples.size:
            self._counts.add(room, Counts(tts_characters=len(text)))
        return StreamingResponse(_chunks(raw), media_type=f"audio/{form}")

    def _of(self, request: Request) -> tuple[str, DemoSettings]:
        """Return the room of the call that a request belongs to, and the settings for it."""
        header = request.headers.get(CALL_HEADER)
        if header is None:
            return "", self.settings
        try:
            call = DemoCall.model_validate_json(header)
            return call.room, self.settings.changed(call.settings)
        except ValidationError as error:
            raise RequestRefused(f"{CALL_HEADER}: {in_one_line(error)}") from error

    async def _hold(self, part: str, began: float, settings: ProviderSettings) -> Response | None:
        """Let the rest of the delay pass; return an error when it is this request's turn."""
        left = began + settings.delay_s - time.monotonic()
        if left < 0:
            log.warning("%s: processing took %.3f s longer than the configured delay", part, -left)
        await asyncio.sleep(max(0.0, left))
        if self._luck.random() >= settings.failure_rate:
            return None
        return failed(503, f"the demo's {part} was set to fail", "server_error")


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


async def read_runbook(request: Request) -> Response:
    """Answer with a runbook; browsers show plain text, and only save Markdown."""
    file = RUNBOOKS / f"{request.path_params['name']}.md"
    if not file.is_file():
        return Response("no such runbook\n", 404, media_type="text/plain")
    return FileResponse(file, media_type="text/plain")


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


def _put_out(sound: Sound, settings: TtsSettings) -> Sound:
    """Return what is sent in place of the speech, or the speech itself."""
    match settings.output:
        case "silence":
            return Sound(np.zeros_like(sound.samples), sound.rate)
        case "nothing":
            return Sound(sound.samples[:0], sound.rate)
        case "speech":
            return sound.louder(settings.gain)


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


async def _chunks(raw: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(raw), _CHUNK_BYTES):
        yield raw[start : start + _CHUNK_BYTES]


if __name__ == "__main__":
    main()
