"""Our figures of turn-taking side by side with those of voicebench, from the same agents.

Run by `make bench-voicebench`; prints tables. The agents have clocks and a detector of their own
(tests/turn_agent.py), and the truth is what they say of each call. Both callers call each agent in
turn, one call at a time, and say the same utterance. Nothing of voicebench is held to a bound: what
it does, and why, is in voicebench_calls.py.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from bench import voicebench_calls as theirs
from bench.calls import sharp_utterance
from bench.report import Report
from bench.stage import Stage, livekit_stage
from bench.voicebench_calls import Heard, Line, Script, Session
from exporter.probes.calibrate.measure import echo_clip
from exporter.rtc.levels import RATE
from exporter.run.runner import Runner
from tests.turn_agent import SHORT_S, Manner
from tests.turn_agents import (
    CASES,
    MOST_LATE_S,
    Case,
    Truth,
    TurnAgents,
    TurnCall,
    turn_agents,
    yields,
)

THEIRS = "voicebench"
PARTS = ("reply", "yield", "outcomes")
OUTCOMES = (
    "yields",
    "never yields",
    "resumes after a second",
    "ends by itself just then",
    "ignores a cough",
    "stops at a backchannel",
)
"""Of the agents in `CASES`: what is more than a time."""
CALLS, TIMES = 4, 5
_SPOKEN_S = len(echo_clip().pcm) / RATE
_SETTLE_S = 0.5
"""Until its first utterance: voicebench's own default."""
_APART_S = 1.0
"""Silence of both sides before the next utterance."""
_LATER_S = 1.5
"""What it sees of each reply comes so much later, by its script, as its caller's audio is late."""
_LAST_S = 5.0
"""For the last reply of a session."""


def replies(delay_s: float, wav: Path) -> Case:
    """Return an agent that replies so long after the last loud sample that it hears."""
    manner = Manner(delay_s=delay_s, reply_s=0.8)
    return Case("turns", manner, "replied", None, {"utterance": {"wav": wav}})


def questions(case: Case, wav: Path, times: int) -> Script:
    """Return a script of utterances, each after the reply to the one before."""
    later = Line("respond", "agent_speech_end", _APART_S, wav)
    lines = (Line("respond", "session_start", _SETTLE_S, wav), *[later] * times)
    each_s = _SPOKEN_S + case.manner.delay_s + case.manner.reply_s + _APART_S + _LATER_S
    return Script(lines, _SETTLE_S + len(lines) * each_s + _LAST_S)


def interruptions(case: Case, wav: Path, times: int) -> Script:
    """Return a script that speaks, or coughs, into each reply but the first.

    A question is asked so long after what was said into the reply before that whatever the agent
    made of it is over.
    """
    manner, after_s = case.manner, case.settings["after"]
    reply_s = manner.reply_s + (manner.resumes_s or 0.0)
    over_s = max(reply_s - after_s, manner.answer_s + SHORT_S) + _APART_S
    into = Line(
        "stop" if case.kind == "barge_in" else "ignore",
        "agent_speech_start",
        after_s,
        wav if case.kind == "barge_in" else None,
    )
    control = Line("respond", "session_start", _SETTLE_S, wav)
    first = Line("respond", "previous_turn_end", manner.delay_s + reply_s + _APART_S, wav)
    lines = (control, first, into, *[replace(first, delay_s=over_s), into] * (times - 1))
    pair_s = 2 * _SPOKEN_S + manner.delay_s + after_s + _LATER_S + over_s
    return Script(lines, _SETTLE_S + _SPOKEN_S + first.delay_s + times * pair_s + _LAST_S)


@dataclass(frozen=True, slots=True)
class Both:
    """One call by each of the two to the same agent."""

    ours: TurnCall
    theirs: Session
    truth: Truth | None
    """Of their call; None where the agent did not see it end."""

    @property
    def known(self) -> Truth | None:
        """The truth of their call; None where the agent itself was late."""
        return self.truth if self.truth and self.truth.late_s <= MOST_LATE_S else None

    @property
    def replied(self) -> list[Heard]:
        """Their turns to which the agent replied, as they say."""
        turns = [turn for turn in self.theirs.turns if turn.expect == "respond"]
        return [turn for turn in turns if turn.response_s is not None]

    @property
    def stopped(self) -> list[Heard]:
        """Their turns in which the agent stopped, soon or late, as they say."""
        return [turn for turn in self.theirs.turns if turn.stop_s is not None]


async def _both(stage: Stage, runner: Runner, case: Case, script: Script, python: Path) -> Both:
    wav, times = sharp_utterance(stage.folder), _measured(script)
    # An agent of its own for each: one whose caller was killed waits for it to come back.
    with turn_agents(stage.server, stage.folder, wav) as agents:
        ours = await agents.call(runner, case, times)
    with turn_agents(stage.server, stage.folder, wav) as agents:
        room = agents.join(case.manner)
        session = await asyncio.to_thread(theirs.measure, python, stage.server, room, script)
        truth = None if session.error else await _truth(agents)
    return Both(ours, session, truth)


async def _truth(agents: TurnAgents) -> Truth | None:
    with suppress(TimeoutError):
        return await agents.truth("voicebench's")
    return None


def _measured(script: Script) -> int:
    """Return in how many turns a script measures: the first is the warm-up, and the control."""
    into = sum(line.expect != "respond" for line in script.lines)
    return into or len(script.lines) - 1


async def called(
    stage: Stage, cases: Sequence[Case], script: Callable[[Case], Script], python: Path
) -> list[Both]:
    """Let both call an agent of each case, one call after another."""
    runner = Runner(stage.server, processes=1)
    try:
        return [await _both(stage, runner, case, script(case), python) for case in cases]
    finally:
        await runner.aclose()


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one caller, over all calls."""

    caller: str
    name: str
    turns: int
    """In which it was to be measured."""
    errors_ms: tuple[tuple[float, ...], ...]
    """Measured less true, call by call, in milliseconds."""
    true_s: tuple[float, ...]
    """Of the same turns, by the agent's clock."""

    @property
    def cells(self) -> tuple[str, ...]:
        """Its row of the table."""
        every = [error for call in self.errors_ms for error in call]
        n = f"{len(every)} of {self.turns}"
        if not every:
            return self.caller, self.name, n, "", "", "", ""
        widest = max(float(np.ptp(call)) for call in self.errors_ms if call)
        return (
            self.caller,
            self.name,
            n,
            f"{np.median(self.true_s):.3f} s",
            f"{np.median(every):+.0f} ms",
            f"{min(every):+.0f} to {max(every):+.0f} ms",
            f"{widest:.0f} ms",
        )


Measured = tuple[tuple[float | None, float], ...]
"""Pairs of a measured and a true time, in seconds; None where it was not measured."""
Had = Callable[[Heard], float | None]
"""A figure of theirs, of one turn."""


def figure(caller: str, name: str, turns: int, calls: Sequence[Measured]) -> Figure:
    """Return a figure of the pairs of each call."""
    kept = [[(had, true_s) for had, true_s in call if had is not None] for call in calls]
    errors = tuple(tuple((had - true_s) * 1e3 for had, true_s in call) for call in kept)
    return Figure(caller, name, turns, errors, tuple(true_s for call in kept for _, true_s in call))


def our_replies(both: Both) -> Measured:
    """Return the latency of each turn but the first, with the agent's own."""
    call = both.ours
    turns = call.result.turns if call.result else ()
    return _paired([turn.e2e_s for turn in turns], call.replies_s)[1:]


def our_yields(both: Both) -> Measured:
    """Return the time to yield of each interruption, with the agent's own."""
    call = both.ours
    found = call.result.interruptions if call.result else ()
    return _paired([each.yield_s for each in found], call.yields_s)


def their_replies(both: Both, had: Had) -> Measured:
    """Return a figure of each turn that was replied to but the first, with the agent's own."""
    return _paired(map(had, both.replied), both.known.replies_s if both.known else ())[1:]


def their_yields(both: Both, had: Had) -> Measured:
    """Return a figure of each turn in which the agent stopped, with the agent's own."""
    return _paired(map(had, both.stopped), both.known.yields_s if both.known else ())


def _paired(measured: Iterable[float | None], true_s: Sequence[float]) -> Measured:
    """Return the pairs; none where one is missing, because it could be any of them."""
    found = tuple(measured)
    return tuple(zip(found, true_s, strict=True)) if len(found) == len(true_s) else ()


def _less_late(value: float | None, turn: Heard) -> float | None:
    return None if value is None or turn.late_s is None else value - turn.late_s


_THEIR_REPLIES: Mapping[str, Had] = MappingProxyType(
    {
        "response latency": lambda turn: turn.response_s,
        "time to first audio": lambda turn: turn.first_audio_s,
        "response latency, corrected": lambda turn: _less_late(turn.response_s, turn),
    }
)
_THEIR_YIELDS: Mapping[str, Had] = MappingProxyType(
    {
        "stop latency": lambda turn: turn.stop_s,
        "stop latency, corrected": lambda turn: _less_late(turn.stop_s, turn),
    }
)


def reply_figures(calls: Sequence[Both], times: int) -> list[Figure]:
    """Return the rows of an agent of known delay."""
    turns = len(calls) * times
    rows = [figure("ours", "latency", turns, [our_replies(each) for each in calls])]
    for name, had in _THEIR_REPLIES.items():
        rows.append(figure(THEIRS, name, turns, [their_replies(each, had) for each in calls]))
    return rows


def yield_figures(calls: Sequence[Both], times: int) -> list[Figure]:
    """Return the rows of an agent that stops after a known time."""
    turns = len(calls) * times
    rows = [figure("ours", "time to yield", turns, [our_yields(each) for each in calls])]
    for name, had in _THEIR_YIELDS.items():
        rows.append(figure(THEIRS, name, turns, [their_yields(each, had) for each in calls]))
    return rows


def tell_figures(report: Report, title: str, figures: Sequence[Figure]) -> None:
    """Print the rows of one agent; corrected is less how late its caller's audio left."""
    columns = ("caller", "figure", "n", "true", "error", "from, to", "in a call")
    table = report.table(title, *columns)
    for each in figures:
        table.add_row(*each.cells)
    report.console.print(table)


def tell_missing(report: Report, calls: Sequence[Both]) -> None:
    """Print what did not come, and why, and what is known of voicebench's sessions."""
    for number, both in enumerate(calls, 1):
        for caller, why in (("ours", _ours_lacks(both.ours)), ("voicebench", _they_lack(both))):
            for each in why:
                report.say(f"  call {number}, {caller}: {each}")
    joined = [each.theirs.joined_s for each in calls if each.theirs.joined_s is not None]
    late = [turn.late_s for each in calls for turn in each.theirs.turns if turn.late_s is not None]
    if joined and late:
        report.say(
            f"  voicebench joined after {min(joined):.2f} to {max(joined):.2f} s; its caller's "
            f"audio was {min(late):.2f} to {max(late):.2f} s late (n {len(late)})"
        )
    ended = [each.theirs for each in calls if not each.theirs.error]
    limited = sum(each.ended_by_limit for each in ended)
    report.say(f"  sessions that ended only by their max_duration_ms: {limited} of {len(ended)}")


def _ours_lacks(call: TurnCall) -> list[str]:
    if call.late_s > MOST_LATE_S:
        return [f"the agent heard {call.late_s * 1e3:.0f} ms late: no truth"]
    turns = call.result.turns if call.result else ()
    why = [f"{turn.outcome}: {turn.detail}" for turn in turns if turn.outcome != "replied"]
    why += [f"void: {each}" for each in call.voids]
    reason = call.outcome.reason
    return why or ([f"{reason}: {call.outcome.detail}"] if reason else [])


def _they_lack(both: Both) -> list[str]:
    if both.theirs.error:
        return [both.theirs.error]
    if both.truth is None:
        return ["the agent did not see its caller leave: no truth"]
    if not both.known:
        return [f"the agent heard {both.truth.late_s * 1e3:.0f} ms late: no truth"]
    count = Counter(turn.verdict for turn in both.theirs.turns)
    untold = ("not played", "no response", "nothing to stop")
    return [f"turns {verdict}: {count[verdict]}" for verdict in untold if count[verdict]]


def tell_words(report: Report, calls: Sequence[Both]) -> None:
    """Print voicebench's word for each turn in which a known agent stopped."""
    turns = [turn for both in calls if both.known for turn in both.stopped]
    if turns:
        said = Counter(turn.verdict for turn in turns)
        report.say(f"  voicebench's words where the agent stopped: {_counted(said)}")


def tell_unpaired(report: Report, calls: Sequence[Both]) -> None:
    """Print where the turns of voicebench are not as many as those of the agent: no truth."""
    for number, both in enumerate(calls, 1):
        if both.known is None:
            continue
        for what, had, true_s in (
            ("replies", both.replied, both.known.replies_s),
            ("stops", both.stopped, both.known.yields_s),
        ):
            if len(had) != len(true_s):
                report.say(
                    f"  call {number}, voicebench: {what} measured: {len(had)}, the agent's: "
                    f"{len(true_s)}: none is paired"
                )


def tell_outcomes(report: Report, calls: Mapping[str, Both]) -> None:
    """Print for each kind of agent what both found."""
    table = report.table("outcomes", "agent", "true", "ours", THEIRS)
    for name, both in calls.items():
        found = Counter(outcome for outcome, _ in both.ours.found)
        if voids := len(both.ours.voids) or both.ours.is_void:
            found["void"] = int(voids)
        turns = both.theirs.turns if both.known else ()
        said = Counter(turn.verdict for turn in turns if turn.expect != "respond")
        table.add_row(name, CASES[name].outcome, _counted(found), _counted(said))
    report.console.print(table)
    tell_missing(report, list(calls.values()))


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in found.most_common()) or "nothing"


def run_outcomes(report: Report, stage: Stage, python: Path, times: int, only: str) -> None:
    """Let both call an agent of each kind, and print what they found."""
    wav, names = sharp_utterance(stage.folder), [name for name in OUTCOMES if only in name]

    def script(case: Case) -> Script:
        return interruptions(case, wav, times)

    calls = asyncio.run(called(stage, [CASES[name] for name in names], script, python))
    tell_outcomes(report, dict(zip(names, calls, strict=True)))


def run_times(
    part: str, report: Report, stage: Stage, python: Path, options: argparse.Namespace
) -> None:
    """Let both call an agent of a known time, and print what they measured."""
    wav, times = sharp_utterance(stage.folder), options.times
    if part == "reply":
        case, title = replies(1.0, wav), "an agent that replies after 1 s"
        script, figures = questions(case, wav, times), reply_figures
    else:
        case, title = yields(0.5), "an agent that stops after 0.5 s"
        script, figures = interruptions(case, wav, times), yield_figures
    calls = asyncio.run(called(stage, [case] * options.calls, lambda _: script, python))
    tell_figures(report, title, figures(calls, times))
    tell_missing(report, calls)
    tell_unpaired(report, calls)
    tell_words(report, calls)


def main() -> int:
    """Run the parts that were asked for and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS, help="by each, to each agent")
    parser.add_argument("--times", type=int, default=TIMES, help="measured turns of each call")
    parser.add_argument("--part", action="append", choices=PARTS, help="all if not given")
    parser.add_argument("--only", default="", help="outcomes: those with this in the name")
    options = parser.parse_args()
    report, python = Report(), theirs.install()
    report.say(
        f"{THEIRS} {theirs.VERSION}; errors are medians of measured less true times; corrected: "
        "less how late its caller's audio left"
    )
    with livekit_stage(report.say) as stage:
        for part in options.part or PARTS:
            if part == "outcomes":
                run_outcomes(report, stage, python, options.times, options.only)
            else:
                run_times(part, report, stage, python, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
