"""The floor: the code that calls agents, against an echo."""

import secrets
import statistics
import time
from contextlib import AsyncExitStack

import numpy as np
from livekit import rtc

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import Calibration, Outcome, Turn, TurnOutcome
from exporter.probe import Run
from exporter.probes.calibrate.echo import Echo, buzz, reply_after
from exporter.probes.calibrate.spec import CLEANUP_S, ECHO_ATTRIBUTE, CalibrateConfig
from exporter.probes.latency.conversation import Conversation, worst_turn
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc import connection
from exporter.rtc.caller import Caller
from exporter.rtc.clip import Clip
from exporter.rtc.lag import LagMonitor, largest
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
    turns: list[Turn] = []
    lags: list[LagMonitor] = []

    async def call() -> None:
        for number in range(config.calls):
            room = f"voice-exporter-{run.id}-{number}"
            turns.extend(await _one_call(config, run, room, lags))

    ended = await run.within_deadline(call(), CLEANUP_S)
    reason, detail = worst_turn(turns)
    excess = [turn.e2e_s - config.delay for turn in turns if turn.e2e_s is not None]
    result = None
    if excess:
        voids = sum(turn.outcome is TurnOutcome.VOID for turn in turns)
        spread_s = max(excess) - min(excess)
        result = Calibration(statistics.median(excess), spread_s, len(excess), voids)
        run.log(f"floor {result.floor_s:.4f} s, spread {result.spread_s:.4f} s, n {result.n}")
    return run.outcome(
        "calibrate",
        result=result,
        ended=ended,
        reason=reason,
        detail=detail,
        loop_lag_s=largest(lags),
    )


async def _one_call(
    config: CalibrateConfig, run: Run, room: str, lags: list[LagMonitor]
) -> list[Turn]:
    """Return the turns of one call to the echo, without its warm-up turn."""
    server = run.server
    target = LatencyConfig(agent_name=ECHO, greeting="none", reply_timeout=config.delay + 3)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(ServerApi(server))
        await api.create_room(room)
        stack.push_async_callback(_delete, api, room, run)
        echo_room = rtc.Room()
        stack.push_async_callback(connection.leave, echo_room.disconnect)
        caller = Caller(lambda participant: participant.identity == ECHO)
        reply = reply_after(config.delay, buzz(REPLY_S, pitch_hz=200))
        echo = Echo(echo_room, reply, tasks=caller.tasks)
        stack.push_async_callback(echo.aclose)
        stack.push_async_callback(caller.leave)
        lags.append(caller.lag)
        await stack.enter_async_context(caller.tasks.alive())
        token = make_token(server, identity=f"caller-{secrets.token_hex(4)}", room=room)
        await caller.connect(server.url, token, TIMEOUT_S)
        await connection.connect(echo_room, server.url, _echo_token(server, room), TIMEOUT_S)
        await echo.publish()
        since = time.monotonic()
        if await caller.meet(TIMEOUT_S) is None:
            raise Limit.ARRIVAL.ran_out("the echo did not join", since, TIMEOUT_S)
        await caller.listen(TIMEOUT_S)
        conversation = Conversation(caller, target, (echo_clip(),))
        await conversation.greeting()
        return [await conversation.turn() for _ in range(config.trials + 1)][1:]


async def _delete(api: ServerApi, room: str, run: Run) -> None:
    try:
        await api.delete_room(room)
    except ProbeError as error:  # the turns are good all the same
        run.log(f"room {room} not deleted: {error}")


def _echo_token(server: Server, room: str) -> str:
    attributes = {ECHO_ATTRIBUTE: "true"}
    return make_token(server, identity=ECHO, room=room, kind="agent", attributes=attributes)
