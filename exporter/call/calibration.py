"""The floor of the method: the very code that calls agents, against an echo of our own."""

import asyncio
import secrets

import numpy as np
from livekit import rtc

from exporter.call.caller import Caller
from exporter.call.clip import Clip
from exporter.call.echo import Echo, buzz, reply_after
from exporter.call.turns import Conversation
from exporter.errors import ProbeError
from exporter.outcome import Calibration, Outcome, Reason, Turn, TurnOutcome
from exporter.probes.calibrate import ECHO_ATTRIBUTE, CalibrateConfig
from exporter.probes.latency import LatencyConfig
from exporter.probes.run import Run
from exporter.server_api import Server, ServerApi, make_token

ECHO = "echo"
TIMEOUT_S = 10.0
UTTERANCE_S = 0.8
REPLY_S = 0.6


def echo_clip() -> Clip:
    """Return an utterance whose end cannot be mistaken, with a tail of silence."""
    sound = buzz(UTTERANCE_S)
    return Clip(np.concatenate([sound, np.zeros(4800, np.int16)]), 0, len(sound), 0.0)


async def calibrate(config: CalibrateConfig, run: Run) -> Outcome:
    """Call the echo `config.calls` times and return the floor and its spread."""
    excess: list[float] = []
    voids = 0
    reason, detail = None, ""
    try:
        async with asyncio.timeout(run.left()):
            for number in range(config.calls):
                for turn in await _one_call(config, run, f"voice-exporter-{run.id}-{number}"):
                    voids += turn.outcome is TurnOutcome.VOID
                    if turn.e2e_s is not None:
                        excess.append(turn.e2e_s - config.delay)
    except ProbeError as error:
        reason, detail = error.reason, error.detail
    except TimeoutError:
        reason, detail = Reason.DEADLINE, f"not done within {config.deadline:g} s"
    if not excess and reason is None:
        reason, detail = Reason.VOID, "the prober itself was late in every turn"
    result = None
    if excess:
        low, floor, high = (float(v) for v in np.percentile(excess, (5, 50, 95)))
        result = Calibration(floor_s=floor, spread_s=high - low, n=len(excess), voids=voids)
        run.log(f"floor {floor:.4f} s, spread {high - low:.4f} s, n {len(excess)}")
    return run.outcome("calibrate", result=result, reason=reason, detail=detail)


async def _one_call(config: CalibrateConfig, run: Run, room: str) -> list[Turn]:
    """Return the turns of one call to the echo, without its warm-up turn."""
    server = run.server
    identity = f"caller-{secrets.token_hex(4)}"
    target = LatencyConfig(agent_name=ECHO, greeting="none", reply_timeout=config.delay + 3)
    echo_room = rtc.Room()
    echo = Echo(echo_room, reply_after(config.delay, buzz(REPLY_S, pitch_hz=200)))
    caller = Caller(lambda participant: participant.identity == ECHO)
    async with ServerApi(server) as api:
        await api.create_room(room)
        try:
            token = make_token(server, identity=identity, room=room)
            await caller.connect(server.url, token, TIMEOUT_S)
            await _connect(echo_room, server.url, _echo_token(server, room))
            await echo.publish()
            if await caller.meet(TIMEOUT_S) is None:
                raise ProbeError(Reason.JOIN_TIMEOUT, "our own echo did not come")
            await caller.listen(TIMEOUT_S)
            conversation = Conversation(caller, target, echo_clip())
            await conversation.greeting()
            turns = [await conversation.turn() for _ in range(config.trials + 1)]
        finally:
            await caller.leave()
            await echo.aclose()
            await echo_room.disconnect()
            await api.delete_room(room)
    return turns[1:]


def _echo_token(server: Server, room: str) -> str:
    attributes = {ECHO_ATTRIBUTE: "true"}
    return make_token(server, identity=ECHO, room=room, kind="agent", attributes=attributes)


async def _connect(room: rtc.Room, url: str, token: str) -> None:
    try:
        await room.connect(url, token)
    except rtc.ConnectError as error:
        detail = f"the echo could not join: {error.message[:200]}"
        raise ProbeError(Reason.CONNECT_FAILED, detail) from error
