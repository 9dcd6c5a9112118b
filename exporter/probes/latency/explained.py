"""A turn once it is over: how far the agent came, what it understood, what it was to do."""

import math
import time
from contextlib import suppress
from dataclasses import replace

from exporter.errors import ProbeError
from exporter.outcome import Expectation, Reason, SilentStage, Timeline, Turn, TurnOutcome
from exporter.outcome.timeline import CallerSpoke
from exporter.probes.latency.expectations import SILENT, UNTOLD, Seen, expectations, may_come
from exporter.probes.latency.script import Expect
from exporter.probes.latency.speaking import Said
from exporter.probes.latency.stages import finals, silent_stage, stages
from exporter.probes.latency.understood import score
from exporter.rtc.line import Line

LOOK_S = 0.1
"""Time between two looks at what the agent has reported, where something is expected of it."""


def explained(turn: Turn, said: Said, call: Timeline, reply_timeout_s: float) -> Turn:
    """Return a turn with how far the agent came in it, and what it understood.

    Args:
        turn: Just taken.
        said: What the caller said in it.
        call: What happened so far.
        reply_timeout_s: When the reply was due after the end of the caller's speech.
    """
    silent = turn.reason is Reason.NO_REPLY
    if not (silent or turn.outcome is TurnOutcome.REPLIED):
        return turn
    until = min(said.end + reply_timeout_s if silent else math.inf, _next_speech(call, said))
    told, words = finals(call, said.spoke, until), said.clip.words
    heard = score(words, [each.text for each in told]) if told and words else None
    turn = replace(turn, stages=stages(call, said.spoke, until), transcription=heard)
    if not silent:
        return turn
    where = silent_stage(call, said.spoke, until)
    known = where is not SilentStage.UNKNOWN
    detail = f"{turn.detail}: {where.words}" if known else turn.detail
    return replace(turn, silent_stage=where, detail=detail)


def _next_speech(call: Timeline, said: Said) -> float:
    """Return when the caller spoke again, as into the reply: what follows is about those words."""
    return min((each.at for each in call.of(CallerSpoke, said.end)), default=math.inf)


async def awaited(caller: Line, step: int, expect: Expect, seen: Seen) -> tuple[Expectation, ...]:
    """Wait until what is expected in a step has happened, and return what became of it.

    A call that ends meanwhile ends the wait: the next turn tells why.

    Args:
        caller: Whose room is watched.
        step: Its place in the script, from 1.
        expect: Of the step.
        seen: What counts of the call.
    """
    known, found = -1, tuple[Expectation, ...]()
    with suppress(ProbeError):
        while True:
            if (count := len(seen.call)) != known:  # only then may it come out differently
                known, found = count, expectations(step, expect, seen)
            if (left := _left_s(seen, found)) <= 0:
                break
            await caller.sleep_until_change(min(left, LOOK_S))
    return expectations(step, expect, seen)


def _left_s(seen: Seen, found: tuple[Expectation, ...]) -> float:
    """Return how long waiting may still change something for the better, in seconds."""
    now = time.monotonic()
    left = seen.until - now if may_come(found) else 0.0
    if any(each.detail in (UNTOLD, SILENT) for each in found):
        left = max(left, seen.told_by(now) - now)
    return left
