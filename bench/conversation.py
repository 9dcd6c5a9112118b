"""How true it is what is said of a conversation: against an agent that was told what to do.

Run by `make bench-conversation`; prints tables, each figure with its n and the bound it is held to,
and exits 1 when a bound does not hold. The agent, its providers and the livekit-server are the
demo's, on this machine.
"""

import argparse
import asyncio
import math
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Self

import httpx
import numpy as np

from bench.report import Figures, Report
from bench.stage import livekit_stage
from exporter.demo.counts import Counts
from exporter.demo.settings import Answer, DemoSettings
from exporter.outcome import CallResult, Outcome, SilentStage, Turn, TurnOutcome
from exporter.probe import ROOM_PREFIX
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc.clip import SHIPPED
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests.integration.workers import demo_agent

TIMES = 5
AT_ONCE = 4
"""Turns of one call of two that are compared."""
PARTS = ("silent", "tools", "fillers", "works", "words")
BOUND_MS = 30.0
REPLY_TIMEOUT_S = 6.0
_CLIP = "caller.wav"
_WORDS = len(SHIPPED[_CLIP].split())
_FILLER = "One moment."
_KINDS = tuple(each.name for each in fields(Counts))


def told(**change: object) -> DemoSettings:
    """Return the settings of a quick, healthy agent with a change laid over them."""
    return DemoSettings().changed(change)


def _tool(seconds: float, filler: str = "") -> DemoSettings:
    answer = {"tool": "look_up_order", "tool_s": seconds, "filler": filler, "reply": "Yes."}
    return told(llm=answer)


STAGES: Mapping[SilentStage, DemoSettings] = MappingProxyType(
    {
        SilentStage.NOT_HEARD: told(agent={"deaf": True}),
        SilentStage.NOT_TRANSCRIBED: told(stt={"transcript": ""}),
        SilentStage.TURN_NOT_ENDED: told(agent={"endpointing_s": 60.0}),
        SilentStage.NO_ANSWER: told(llm={"reply": ""}),
        SilentStage.NOT_SPOKEN: told(tts={"output": "silence"}),
    }
)
"""What makes each stage the first that does not happen."""

TOOLS = (_tool(0.5), _tool(2.0))
FILLERS = (_tool(2.0, _FILLER), _tool(3.5, _FILLER))
WORKS = (
    told(agent={"filler": _FILLER, "work_s": 2.0}),
    told(agent={"filler": _FILLER, "work_s": 3.5}),
)

WORDS = (
    told(llm={"cached_tokens": 3}),
    *(
        told(stt={kind: number})
        for kind in ("substituted", "deleted", "inserted")
        # With every word deleted there is no transcript, and nothing to score.
        for number in (1, 2, _WORDS - 1 if kind == "deleted" else _WORDS)
    ),
)


@dataclass(frozen=True, slots=True)
class Made:
    """One call to the agent, and how it was told to behave."""

    settings: DemoSettings
    turns: tuple[Turn, ...]
    """Without the warm-up turn."""
    detail: str = ""
    """Why the call ended early; "" where it did not."""
    used: Counts = field(default_factory=Counts)
    """As the exporter says, of all models together."""
    delivered: Counts = field(default_factory=Counts)
    """As the agent's providers have counted."""

    @classmethod
    def joined(cls, calls: Sequence[Self]) -> Self:
        """Return calls that were told the same as one."""
        used, delivered = Counts(), Counts()
        for call in calls:
            used.add(call.used)
            delivered.add(call.delivered)
        turns = tuple(turn for call in calls for turn in call.turns)
        detail = next((call.detail for call in calls if call.detail), "")
        return cls(calls[0].settings, turns, detail, used, delivered)

    def seconds(self, of: Callable[[Turn], float | None]) -> list[float]:
        """Return a figure of each turn that was answered and has it, in seconds."""
        answered = (turn for turn in self.turns if turn.outcome is TurnOutcome.REPLIED)
        return [value for turn in answered if (value := of(turn)) is not None]


@dataclass(frozen=True, slots=True)
class Conversations:
    """All calls of the bench."""

    silent: Mapping[SilentStage, Made]
    tools: tuple[Made, ...]
    fillers: tuple[Made, ...]
    works: tuple[Made, ...]
    words: tuple[Made, ...]

    @property
    def answering(self) -> tuple[Made, ...]:
        """The calls in which every turn is to be answered."""
        return (*self.tools, *self.fillers, *self.works, *self.words)

    @property
    def all(self) -> tuple[Made, ...]:
        """Every call."""
        return (*self.silent.values(), *self.answering)


async def place(
    runner: Runner, providers: str, settings: DemoSettings, times: int, *, warmup: bool
) -> Made:
    """Call the agent with these settings, and take so many turns."""
    clip = {"wav": Path(str(files("exporter.rtc") / "clips" / _CLIP)), "transcript": SHIPPED[_CLIP]}
    config = LatencyConfig.model_validate(
        {
            "agent_name": "demo",
            "metadata": settings.model_dump_json(),
            "utterance": clip,
            "trials": times,
            "warmup": warmup,
            "greeting": "none",
            "join_timeout": 60,
            "reply_timeout": REPLY_TIMEOUT_S,
        }
    )
    outcome = await runner.run("latency", config)
    turns = outcome.result.turns if isinstance(outcome.result, CallResult) else ()
    kept = tuple(turn for turn in turns if not turn.warmup)
    detail = f"{outcome.reason}: {outcome.detail}" if outcome.reason else ""
    return Made(settings, kept, detail, _used(outcome), await _delivered(providers, outcome.run_id))


def _used(outcome: Outcome) -> Counts:
    """Return what a call is said to have used, of all models together."""
    total = Counts()
    for each in outcome.result.usage if isinstance(outcome.result, CallResult) else ():
        total.add(Counts(**{name: getattr(each, name) for name in _KINDS}))
    return total


async def _delivered(providers: str, run_id: str) -> Counts:
    """Return what the providers have delivered to the call of that run."""
    async with httpx.AsyncClient(base_url=providers) as client:
        answer = await client.get("/counts", params={"room": f"{ROOM_PREFIX}{run_id}"})
        return Counts(**answer.raise_for_status().json())


async def alternate(
    runner: Runner, providers: str, pair: tuple[DemoSettings, DemoSettings], times: int
) -> tuple[Made, Made]:
    """Call an agent whose turns are answered by two settings in turn.

    From one call to the next the way there and back differs by some tens of milliseconds, by what
    the jitter buffers hold. Within a call it is the same for both.
    """
    one, two = (each.llm.model_dump(include=set(Answer.model_fields)) for each in pair)
    calls = []
    for begin in range(0, times, AT_ONCE):
        some = min(AT_ONCE, times - begin)
        told = pair[0].changed({"llm": {"turns": [one, *([one, two] * some)]}})  # with the warm-up
        calls.append(await place(runner, providers, told, 2 * some, warmup=True))
    every = Made.joined(calls)
    turns = [turn for call in calls for turn in _in_pairs(call.turns)]
    first = replace(every, settings=pair[0], turns=tuple(turns[0::2]))
    # What was used is that of both.
    return first, Made(pair[1], tuple(turns[1::2]), every.detail)


def _in_pairs(turns: Sequence[Turn]) -> Sequence[Turn]:
    """Leave out a last turn that has none to be compared with: the call has ended early."""
    return turns[: len(turns) // 2 * 2]


async def converse(
    server: Server, providers: str, times: int, parts: Collection[str]
) -> Conversations:
    """Place all calls of these parts, one after another."""
    runner = Runner(server, processes=1)

    async def each(settings: Iterable[DemoSettings]) -> tuple[Made, ...]:
        return tuple([await place(runner, providers, one, times, warmup=True) for one in settings])

    async def in_turn(settings: Sequence[DemoSettings]) -> tuple[Made, ...]:
        """Place calls in turn that are compared, and cannot be one: the machine is the same."""
        left, made = times, []
        while left > 0:
            some = min(AT_ONCE, left)
            made.append(
                [await place(runner, providers, one, some, warmup=True) for one in settings]
            )
            left -= some
        return tuple(Made.joined(calls) for calls in zip(*made, strict=True))

    try:
        silent = {
            stage: await place(runner, providers, settings, times, warmup=False)
            for stage, settings in (STAGES if "silent" in parts else {}).items()
        }
        tools = await alternate(runner, providers, TOOLS, times) if "tools" in parts else ()
        fillers = await alternate(runner, providers, FILLERS, times) if "fillers" in parts else ()
        works = await in_turn(WORKS) if "works" in parts else ()
        words = await each(WORDS if "words" in parts else ())
        return Conversations(silent, tools, fillers, works, words)
    finally:
        await runner.aclose()


def tell_stages(report: Report, found: Conversations) -> None:
    """Print how each silent stage that was made was named."""
    rows = report.figures("silent turns: the stage that was named, of turns that are not void")
    for stage, call in found.silent.items():
        turns = _valid([call])
        named = [turn.silent_stage for turn in turns]
        right = named.count(stage)
        wrong = sorted({each or "none" for each in named} - {stage})
        value = f"{right} right" + (f", else {', '.join(wrong)}" if wrong else "")
        rows.check(stage, len(turns), value, bound="all", holds=turns and right == len(turns))
    if not found.answering:
        rows.show()
        return
    answered = [turn for turn in _valid(found.answering) if turn.outcome is TurnOutcome.REPLIED]
    named_any = sum(turn.silent_stage is not None for turn in answered)
    rows.check(
        "a stage, in a turn that was answered",
        len(answered),
        str(named_any),
        bound="none",
        holds=answered and named_any == 0,
    )
    turns = _valid(found.answering)
    rows.add("not answered, where an answer was due", len(turns), str(len(turns) - len(answered)))
    every = [turn for call in found.all for turn in call.turns]
    voids = sum(turn.outcome is TurnOutcome.VOID for turn in every)
    rows.add("void, of all turns", len(every), str(voids))
    rows.show()


def tell_times(report: Report, found: Conversations) -> None:
    """Print tools, fillers and answers beside the seconds that the agent was told.

    A tool is timed by the agent's own clock, and begins and ends with it. All else begins at the
    end of the caller's speech, so it holds the agent's waiting, its providers and the way there
    and back: the difference of two settings is held instead.
    """
    rows = report.figures("seconds: what is measured less what was told; medians")
    for call in found.tools:
        seconds, tool_s = (
            call.seconds(lambda turn: turn.components.tools_s),
            call.settings.llm.tool_s,
        )
        _check(rows, f"tools, told {tool_s:g} s", len(seconds), _median(seconds) - tool_s)
    if found.tools:
        _check_more(rows, "the answer, tool", found.tools, _tool_s, _answered_s)
    filled = (
        ("filler in a tool", found.fillers, _tool_s),
        ("filler, then work", found.works, _work_s),
    )
    for name, calls, of in (each for each in filled if each[1]):
        _check_more(rows, f"first sound, {name}", calls, lambda _: 0.0, lambda turn: turn.e2e_s)
        _check_more(rows, f"the answer, {name}", calls, of, lambda turn: turn.time_to_answer_s)
        _check_more(rows, f"from the one to the other, {name}", calls, of, _between_s)
        for call in calls:
            _add_offset(rows, f"of it the agent's, {name} of {of(call):g} s", call, of(call))
    rows.show()
    report.say(
        "  the agent's: from its first sound to its answer, less tool or work and less the delay "
        "of its language model;\n  it made the filler's sound before that one began"
    )


def tell_words(report: Report, found: Conversations) -> None:
    """Print in how many turns the word errors are those that were made."""
    rows = report.figures(f"word errors of {_WORDS} words: turns that have exactly those made")
    for call in found.words:
        heard = [turn.transcription for turn in _valid([call])]
        made = call.settings.stt
        errors = (made.substituted, made.deleted, made.inserted)
        right = sum(
            each is not None and (each.substituted, each.deleted, each.inserted) == errors
            for each in heard
        )
        kinds = zip(errors, ("substituted", "deleted", "inserted"), strict=True)
        what = ", ".join(f"{number} {kind}" for number, kind in kinds if number) or "no error"
        rows.check(what, len(heard), str(right), bound="all", holds=heard and right == len(heard))
    rows.show()


def tell_usage(report: Report, found: Conversations) -> None:
    """Print for how many calls each kind of usage is what the providers have delivered."""
    rows = report.figures("usage: calls of which it is what the agent's providers delivered")
    nothing = (Counts(), Counts())
    counted = [call for call in found.all if (call.used, call.delivered) != nothing]
    for kind in _KINDS:
        pairs = [(getattr(call.used, kind), getattr(call.delivered, kind)) for call in counted]
        right = sum(math.isclose(used, delivered, abs_tol=1e-6) for used, delivered in pairs)
        if counted and not any(map(any, pairs)):
            rows.add(kind, 0, "none, and none is told")
            continue
        holds = any(delivered for _, delivered in pairs) and right == len(pairs)
        rows.check(kind, len(pairs), str(right), bound="all", holds=holds)
    rows.show()


def tell(report: Report, found: Conversations) -> None:
    """Print all of it, and why calls ended early that should not have."""
    tell_stages(report, found)
    if found.tools or found.fillers or found.works:
        tell_times(report, found)
    if found.words:
        tell_words(report, found)
    tell_usage(report, found)
    for call in found.answering:
        if call.detail:
            report.say(f"  a call that should have been answered: {call.detail}")


def _valid(calls: Iterable[Made]) -> list[Turn]:
    turns = (turn for call in calls for turn in call.turns)
    return [turn for turn in turns if turn.outcome is not TurnOutcome.VOID]


def _tool_s(call: Made) -> float:
    return call.settings.llm.tool_s


def _work_s(call: Made) -> float:
    return call.settings.agent.work_s


def _answered_s(turn: Turn) -> float | None:
    return turn.answered_s


def _between_s(turn: Turn) -> float | None:
    if turn.time_to_answer_s is None or turn.e2e_s is None:
        return None
    return turn.time_to_answer_s - turn.e2e_s


def _median(seconds: Sequence[float]) -> float:
    return float(np.median(seconds)) if seconds else math.nan


def _half(seconds: Sequence[float]) -> str:
    """Return how far the middle half of the turns reach from the median on either side."""
    if not seconds:
        return "none"
    low, middle, high = np.percentile(seconds, (25, 50, 75))
    return f"{(low - middle) * 1e3:+.0f} to {(high - middle) * 1e3:+.0f} ms"


def _in_ms(seconds: float) -> str:
    return "none" if math.isnan(seconds) else f"{seconds * 1e3:+.0f} ms"


def _check(rows: Figures, what: str, n: int, off_s: float) -> None:
    bound, holds = f"± {BOUND_MS:g} ms", abs(off_s) * 1e3 <= BOUND_MS
    rows.check(what, n, _in_ms(off_s), bound=bound, holds=holds)


def _check_more(
    rows: Figures,
    what: str,
    calls: Sequence[Made],
    told_s: Callable[[Made], float],
    of: Callable[[Turn], float | None],
) -> None:
    """Hold the difference of two calls against the difference of what they were told."""
    one, two = calls
    first, second = one.seconds(of), two.seconds(of)
    more_s = told_s(two) - told_s(one)
    off_s = _median(second) - _median(first) - more_s
    _check(rows, f"{what}, told {more_s:g} s more", len(first) + len(second), off_s)
    for call, seconds in ((one, first), (two, second)):
        # Where each turn of the agent is far from the next, the median of few of them is, too.
        rows.add(f"  half of them within, {told_s(call):g} s", len(seconds), _half(seconds))


def _add_offset(rows: Figures, what: str, call: Made, told_s: float) -> None:
    seconds = call.seconds(_between_s)
    off_s = _median(seconds) - told_s - call.settings.llm.delay_s
    rows.add(what, len(seconds), _in_ms(off_s))


def main() -> int:
    """Hold the conversations and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=TIMES, help="measured turns of each call")
    parser.add_argument("--part", action="append", choices=PARTS, help="default: all")
    options = parser.parse_args()
    report = Report()
    with (
        livekit_stage(report.say) as stage,
        demo_agent(stage.server, stage.folder, DemoSettings()) as providers,
    ):
        found = asyncio.run(converse(stage.server, providers, options.times, options.part or PARTS))
    tell(report, found)
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
