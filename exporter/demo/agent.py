r"""A real voice agent: a livekit-agents worker with local speech and language providers.

    LIVEKIT_URL=... LIVEKIT_API_KEY=... LIVEKIT_API_SECRET=... \
    python -m exporter.demo.agent --providers http://127.0.0.1:PORT --ready-file FILE

Voice activity and the end of a turn are found by models that ship with the SDK; speech to text,
language model and text to speech are the plugins for OpenAI, pointed at `exporter.demo.providers`.
It needs no key and reaches for no host but its server and its providers. The credentials may also
come from files, by LIVEKIT_API_KEY_FILE and so on, as the exporter takes them.

How it behaves is read from its providers when a call begins (`exporter.demo.settings`); metadata
of the dispatch with the same JSON changes that for the one call.
"""

import argparse
import asyncio
import logging
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from livekit.agents import (
    AgentServer,
    AgentSession,
    InterruptionOptions,
    JobContext,
    JobRequest,
    TurnHandlingOptions,
    inference,
)
from livekit.plugins import openai
from openai import AsyncClient

from exporter.demo.ready import LOOPBACK, announce
from exporter.demo.settings import AgentSettings, DemoCall, DemoSettings
from exporter.demo.shop import ShopAgent
from exporter.errors import ConfigError
from exporter.server_api import Server
from exporter.settings.load import load_settings

log = logging.getLogger("voice-exporter.demo")

# The address is checked, not the key; the plugin asks for one.
_NO_KEY = "none"
_SETTINGS_TIMEOUT_S = 10.0
_DRAIN_S = 5
_REPORTS_EVERY_S = 5
"""Often, because the exporter starts after the agent and is to know it soon."""


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """How the agent behaves; handed to the process of each job."""

    providers: str
    """URL of the providers, without path."""
    greeting: str = ""
    """Said first on every call; "" waits for the caller to speak."""
    collector: str = ""
    """URL of an exporter that its turns are reported to; "" for none."""


async def answer_call(options: AgentOptions, job: JobContext) -> None:
    """Serve one call, from the room's first participant to its last word."""
    call = _call_of(job)
    # One for all three providers, which then share its connections.
    client = AsyncClient(
        base_url=f"{options.providers}/v1",
        api_key=_NO_KEY,
        max_retries=0,
        timeout=_SETTINGS_TIMEOUT_S,  # the plugins set their own
        default_headers=call.header(),
    )
    job.add_shutdown_callback(client.close)
    answer = await client.get(f"{options.providers}/settings", cast_to=object)
    settings = DemoSettings.model_validate(answer).agent
    session: AgentSession[None] = AgentSession(
        vad=inference.VAD(),
        stt=openai.STT(client=client, model="demo"),
        llm=openai.LLM(client=client, model="demo"),
        tts=openai.TTS(client=client, model="demo", voice="demo", response_format="pcm"),
        turn_handling=_turn_handling(settings),
    )
    if options.collector:
        report_turns(session, options.collector)
    await session.start(ShopAgent(settings), room=job.room, record=False)
    if settings.deaf:
        session.input.set_audio_enabled(False)
    if options.greeting:
        session.say(options.greeting)


async def take_call(options: AgentOptions, request: JobRequest) -> None:
    """Accept a call, unless the agent is set to take none."""
    async with AsyncClient(
        base_url=options.providers, api_key=_NO_KEY, max_retries=0, timeout=_SETTINGS_TIMEOUT_S
    ) as client:
        answer = await client.get("/settings", cast_to=object)
    if DemoSettings.model_validate(answer).agent.takes_calls:
        await request.accept()
    else:
        log.info("a call is refused, as set")
        await request.reject(terminate=False)


def _call_of(job: JobContext) -> DemoCall:
    """Return the call, without settings of its own where the metadata has none for a demo."""
    try:
        return DemoCall.dispatched(job.job.room.name, job.job.metadata)
    except ValueError as error:
        log.warning("the metadata of the dispatch is no change of settings: %s", error)
        return DemoCall(room=job.job.room.name)


def _turn_handling(settings: AgentSettings) -> TurnHandlingOptions:
    interruption: InterruptionOptions = {
        "mode": "vad",
        "enabled": settings.interruptible,
        "resume_false_interruption": settings.resumes,
    }
    if settings.interruption_s is not None:
        interruption["min_duration"] = settings.interruption_s
    handling: TurnHandlingOptions = {
        # By name: left to itself the SDK asks a remote model in its development mode.
        "turn_detection": inference.TurnDetector(version="v1-mini")
        if settings.turn_model
        else "vad",
        "interruption": interruption,
        # Ahead of the turn's end the language model would run at the same time as the
        # waiting, and the components of a turn would add up to more than the turn.
        "preemptive_generation": {"enabled": False},
    }
    if (wait_s := settings.endpointing_s) is not None:
        handling["endpointing"] = {"min_delay": wait_s, "max_delay": wait_s}
    return handling


def no_load() -> float:
    """Report an idle worker: a busy machine shall show slow turns, not an agent without calls.

    The server gives no job to a worker that reports more than 0.7, whatever its own threshold.
    """
    return 0.0


def make_worker(
    options: AgentOptions, agent_name: str, server: Server, host: str = LOOPBACK, port: int = 0
) -> AgentServer:
    """Return the worker.

    Args:
        options: How it behaves.
        agent_name: The name that it registers with.
        server: Where it registers.
        host: Address of its own HTTP page.
        port: Of that page; 0 takes a free one.
    """
    worker = AgentServer(
        ws_url=server.url,
        api_key=server.api_key,
        api_secret=server.api_secret,
        host=host,
        port=port,
        num_idle_processes=1,
        drain_timeout=_DRAIN_S,
        load_fnc=no_load,
        log_level="INFO",
    )
    worker.rtc_session(
        partial(answer_call, options),
        agent_name=agent_name,
        on_request=partial(take_call, options),
    )
    return worker


def report(worker: AgentServer, agent_name: str, collector: str) -> None:
    """Let an exporter know the worker, as a worker of yours would.

    The package is a distribution of its own: where it is not installed, only the worker's page
    tells of the worker.
    """
    try:
        from voice_exporter_agent import register_worker  # noqa: PLC0415 - may not be there
    except ImportError:
        log.info("voice_exporter_agent is not installed: no heartbeats")
        return
    register_worker(agent_name, collector=collector, interval=_REPORTS_EVERY_S, server=worker)


def report_turns(session: AgentSession[None], collector: str) -> None:
    """Let an exporter know the turns of a call, as `report` lets it know the worker."""
    try:
        from voice_exporter_agent import attach  # noqa: PLC0415 - as above
    except ImportError:
        return
    attach(session, call_type="demo", collector=collector)


async def run_worker(worker: AgentServer, ready_file: Path) -> None:
    """Run until SIGTERM or SIGINT; the file gets the URL of its HTTP page once registered."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stopping.set)

    def registered(*_: object) -> None:
        announce(ready_file, f"http://127.0.0.1:{worker.worker_info.http_port}")

    worker.on("worker_registered", registered)
    running = asyncio.create_task(worker.run(), name="worker")
    asked = asyncio.create_task(stopping.wait(), name="stop")
    done, _ = await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
    if running in done:
        asked.cancel()
        await running  # raises what ended it
        return
    try:
        await worker.drain(timeout=_DRAIN_S)
    except TimeoutError:
        log.info("calls are still running; ending them")
    await worker.aclose()
    await running


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description="The demo's voice agent.")
    parser.add_argument("--providers", required=True, help="URL of the providers")
    parser.add_argument("--ready-file", type=Path, required=True, help="gets the URL when ready")
    parser.add_argument("--agent-name", default="demo")
    parser.add_argument("--greeting", default="", help="said first on every call")
    parser.add_argument("--host", default=LOOPBACK, help="address of the worker's page")
    parser.add_argument("--port", type=int, default=0, help="port of it; 0 takes a free one")
    parser.add_argument("--collector", default="", help="URL of an exporter to report to")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    options = AgentOptions(arguments.providers, arguments.greeting, arguments.collector)
    try:
        server = load_settings(None, {}).server()
    except ConfigError as error:
        parser.error(str(error))
    worker = make_worker(
        options, arguments.agent_name, server, host=arguments.host, port=arguments.port
    )
    if arguments.collector:
        report(worker, arguments.agent_name, arguments.collector)
    asyncio.run(run_worker(worker, arguments.ready_file))


if __name__ == "__main__":
    main()
