"""Agents whose latency is known exactly: a real worker, scripted by the dispatch's metadata.

Run as `python -m tests.integration.truth --name NAME --port PORT [--idle N]`; the server and its
keys come from the environment. Each job follows the `Script` in its metadata.
"""

import argparse
import asyncio
import json
import logging
import math
import os
import signal
from pathlib import Path

import numpy as np
from livekit import rtc
from livekit.agents import AgentServer, JobContext

from exporter.probes.calibrate.echo import CHUNK_MS, QUEUE_MS, Echo, buzz
from exporter.rtc.levels import RATE, Pcm
from exporter.rtc.line import Received
from exporter.rtc.stats import received
from exporter.rtc.tracks import Microphone
from tests.integration.scripts import Script
from tests.patience import START_S

STATE = "lk.agent.state"


def noise(level_db: float, seconds: float = 3.0) -> Pcm:
    """Return white noise of that level."""
    wave = np.random.default_rng(1).standard_normal(round(seconds * RATE))
    return (wave * 32768 * 10 ** (level_db / 20)).clip(-32768, 32767).astype(np.int16)


def reply_of(script: Script) -> Pcm:
    """Return the reply: two sounds with the script's pause between them, or one."""
    sound = buzz(0.6, pitch_hz=200)
    if not script.pause_s:
        return sound
    return np.concatenate([sound, np.zeros(round(script.pause_s * RATE), np.int16), sound])


def note_in(journal: Path, line: str) -> None:
    """Append a line, whole and at once: several jobs may do so, and any may be killed."""
    descriptor = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


class TruthJob:
    """One job of the worker: an agent in one room."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._script = Script(**json.loads(context.job.metadata or "{}"))
        self._echo = Echo(context.room, self._answer, self._begin)
        length = 60.0 if self._script.talkative else self._script.greet_s
        # Made before the call: the samples of a minute take a second.
        self._greeting = buzz(length, pitch_hz=170)
        self._reply = reply_of(self._script)
        self._interruption: asyncio.Task[None] | None = None
        self._republished = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._caller: rtc.RemoteAudioTrack | None = None
        self._before: asyncio.Task[Received | None] | None = None
        """What had been received of the caller when its utterance began."""
        context.room.on("track_subscribed", self._on_track)

    async def run(self) -> None:
        """Enter the room and follow the script until the room ends."""
        script, context = self._script, self._context
        await asyncio.sleep(script.join_after_s)
        await context.connect()
        await self._say_state("initializing")
        if script.companion:
            await self._bring(script.companion)
        if script.no_track:
            return
        if script.noise_db is not None:
            self._echo.microphone.add_noise(noise(script.noise_db))
        await self._echo.publish()
        if script.background:
            await self._play_music()
        if len(self._greeting):
            await self._say_state("speaking")
            self._echo.microphone.play(self._greeting)
            await asyncio.sleep(len(self._greeting) / RATE)
        await self._say_state("listening")

    async def _answer(self, microphone: Microphone, heard: float) -> None:
        script = self._script
        if script.journal:
            note_in(Path(script.journal), self._context.room.name)
        if script.die:
            os.kill(os.getpid(), signal.SIGKILL)
        if script.leave:
            await self._context.room.disconnect()
        if script.hang:
            await self._say_state("thinking")
        if script.mute or script.hang or script.leave:
            return
        if script.republish and not self._republished:
            self._republished = True
            await self._replace_microphone()
            return
        at = heard + script.delay_s
        if script.click_s is not None:
            microphone.play(buzz(0.005), at=at - script.click_s - 0.005)
        start = microphone.play(self._reply, at=at)
        task = asyncio.get_running_loop().create_task(self._tell(script.delay_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if script.depths:
            await self._note_depth(Path(script.depths))
        if script.delays:
            left = await microphone.time_of(start)
            note_in(Path(script.delays), f"{left - heard:.6f}")

    async def _replace_microphone(self) -> None:
        """Unpublish the microphone and publish another, as an agent does that starts anew."""
        me = self._context.room.local_participant
        for publication in list(me.track_publications.values()):
            await me.unpublish_track(publication.sid)
        await self._echo.microphone.aclose()
        self._echo.microphone = Microphone(CHUNK_MS, QUEUE_MS)
        await self._echo.publish()

    def _on_track(self, track: rtc.Track, *_: object) -> None:
        if isinstance(track, rtc.RemoteAudioTrack) and self._caller is None:
            self._caller = track

    async def _note_depth(self, file: Path) -> None:
        before = await self._before if self._before else None
        after = await received(self._caller) if self._caller else None
        depth_s = after.depth_since(before) if after and before else None
        told = "unknown" if depth_s is None else f"{depth_s:.6f}"
        note_in(file, f"{self._context.room.name} {told}")

    def _begin(self) -> None:
        if self._script.depths and self._caller is not None:
            self._before = asyncio.get_running_loop().create_task(received(self._caller))
        if self._script.interrupt_s:
            task = asyncio.get_running_loop().create_task(self._talk_over(self._script.interrupt_s))
            self._interruption = task

    async def _talk_over(self, seconds: float) -> None:
        pause, second = np.zeros(round(0.3 * RATE), np.int16), buzz(0.4, pitch_hz=250)
        sound = np.concatenate([buzz(seconds, pitch_hz=250), pause, second])
        self._echo.microphone.play(sound)
        await self._say_state("speaking")
        await asyncio.sleep(len(sound) / RATE)
        await self._say_state("listening")

    async def _tell(self, delay_s: float) -> None:
        if self._interruption is not None:
            await self._interruption
        await self._say_state("thinking")
        await asyncio.sleep(0.0 if self._interruption else max(0.0, delay_s - 0.2))
        await self._say_state("speaking")
        await asyncio.sleep(len(self._reply) / RATE + 0.2)
        if self._script.goodbye:
            await self._context.room.disconnect()
            return
        await self._say_state("listening")

    async def _say_state(self, state: str) -> None:
        await self._context.room.local_participant.set_attributes({STATE: state})

    async def _bring(self, name: str) -> None:
        from livekit.api import CreateAgentDispatchRequest  # noqa: PLC0415

        script = Script(delay_s=0.3)
        await self._context.api.agent_dispatch.create_dispatch(
            CreateAgentDispatchRequest(
                agent_name=name, room=self._context.room.name, metadata=script.metadata()
            )
        )

    async def _play_music(self) -> None:
        music = Microphone()
        music.add_noise(buzz(2.0, pitch_hz=330, level_db=-20))
        # Its source is "microphone" as well: only the name tells it from the agent's voice.
        await music.publish(self._context.room.local_participant, name="background_audio")
        self._music = music


async def entrypoint(context: JobContext) -> None:
    """Run one job."""
    job = TruthJob(context)
    _jobs.append(job)  # the loop keeps only weak references to what a finished task held
    await job.run()


_jobs: list[TruthJob] = []


def no_load(_server: AgentServer) -> float:
    """Report an idle worker: the tests decide how many calls it takes."""
    return 0.0


async def serve(name: str, port: int, idle: int) -> None:
    """Run the worker until it is ended; it registers once `idle` processes wait for jobs."""
    server = AgentServer(
        host="127.0.0.1",
        port=port,
        num_idle_processes=idle,
        # It would register without them after that time: a server forgets a job that waits.
        initialize_process_timeout=START_S,
        load_fnc=no_load,
        # Else jobs that were accepted and have not begun count as load, and the next is refused.
        load_threshold=math.inf,
        log_level="INFO",
    )
    server.rtc_session(entrypoint, agent_name=name)
    await server.run()


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--idle", type=int, default=2)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    asyncio.run(serve(options.name, options.port, options.idle))


if __name__ == "__main__":
    main()
