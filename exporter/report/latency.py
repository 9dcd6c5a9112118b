"""Calls to agents, and the floor of the method: what `latency` and `calibrate` print."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from exporter.evidence.detail import RunDetail
from exporter.evidence.reading import read_call
from exporter.evidence.sound import SOUND_NAME
from exporter.outcome import (
    Calibration,
    CallResult,
    Components,
    ExpectationOutcome,
    Finding,
    ModelUsage,
    Outcome,
    Reason,
    Turn,
    TurnOutcome,
    Verdict,
    understood,
    worst,
)
from exporter.probes.latency.spec import LatencyConfig
from exporter.quantile import P95_NEEDS
from exporter.report.printing import (
    STYLES,
    Timestamp,
    agent_label,
    clean,
    console,
    print_verdict,
    say,
    seconds,
    table,
    why,
)
from exporter.stats import Stats
from exporter.store.records import RunRecord

_COMPONENTS = {
    "transcription": "transcription_s",
    "end of turn": "end_of_turn_s",
    "on_user_turn_completed": "on_user_turn_completed_s",
    "llm": "llm_s",
    "tools": "tools_s",
    "first sentence": "first_sentence_s",
    "tts": "tts_s",
    "transport": "transport_s",
}
_OPTIONAL = ("on_user_turn_completed_s", "tools_s", "first_sentence_s")
"""Components that are shown where an agent has them."""
_NEGLIGIBLE_S = 0.005
_BAR = 24
"""Characters of the longest bar."""
NONE_FOUND = "no agent is configured, in a room or on the roster; name one with --agent"
COST_NOTE = "each turn is a real agent turn and costs what its providers charge"


@dataclass(frozen=True, slots=True)
class CallReport:
    """One call to one agent, with its judgement."""

    config: LatencyConfig
    outcome: Outcome
    known: tuple[str, ...] | None = None
    """Names of the agents that have a worker, where none took the call; None: not asked."""

    @property
    def verdict(self) -> Verdict:
        """The judgement by the target's thresholds."""
        return self.outcome.verdict

    @property
    def result(self) -> CallResult:
        """The call's result; without turns where the call came to none."""
        found = self.outcome.result
        if isinstance(found, CallResult):
            return found
        return CallResult(self.config.agent_name, self.config.call_type, self.config.scenario)

    @property
    def unlisted_reason(self) -> Reason | None:
        """Why the call failed, where none of its turns says so."""
        reason = self.outcome.reason
        return None if any(turn.reason is reason for turn in self.result.turns) else reason

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Every turn; a call that failed outside of its turns ends in one with the reason."""
        if self.unlisted_reason is None:
            return self.result.turns
        last = Turn.without_reply(self.unlisted_reason, self.outcome.detail)
        return (*self.result.turns, last)

    @property
    def stats(self) -> Stats:
        """Statistics over the measured turns."""
        return Stats.of(self.result.turns)

    @property
    def components(self) -> Components | None:
        """The average of each component over the measured turns; None where none is known."""
        return average(turn.components for turn in self.result.turns if is_measured(turn))


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """What `latency` found."""

    run_at: datetime
    server: str
    calls: tuple[CallReport, ...] = ()
    floor: Outcome | None = None
    """The calibration of the same run, if one was asked for."""
    failure: Outcome | None = None
    """The listing that should have found agents, if it failed."""
    unasked: tuple[Finding, ...] = ()
    """Why there may be agents that were not found."""

    @property
    def calibration(self) -> Calibration | None:
        """The floor, if it was measured."""
        found = self.floor.result if self.floor else None
        return found if isinstance(found, Calibration) else None

    @property
    def verdict(self) -> Verdict:
        """The worst of the calls; not PASS where agents may be missing."""
        if self.failure:
            return Verdict.FAIL
        called = [call.verdict for call in self.calls]
        return worst((*called, *(finding.verdict for finding in self.unasked)))


def is_measured(turn: Turn) -> bool:
    """Whether a turn counts in statistics: answered, and not warm-up."""
    return turn.outcome is TurnOutcome.REPLIED and not turn.warmup


def average(split: Iterable[Components]) -> Components | None:
    """Return the average of each component over the turns that know it."""
    known = list(split)
    means = {
        field.name: _mean([getattr(each, field.name) for each in known])
        for field in fields(Components)
    }
    return Components(**means) if any(mean is not None for mean in means.values()) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyItem(RunDetail):
    """One call to one agent: what the history keeps of a run, and what follows from its turns.

    A call that failed outside of its turns has one more turn here, with the reason.
    """

    target_s: float
    stats: Stats
    components: Components | None

    @classmethod
    def of_call(cls, call: CallReport, saved: Path | None = None) -> "LatencyItem":
        """Describe a call, with its evidence if it is saved in a folder."""
        record = RunRecord.of(replace(call.outcome, result=call.result))
        kept = read_call(saved, record.run_id) if saved else None
        run = RunDetail.of_record(record, kept, with_words=True, sound=SOUND_NAME)
        known: dict[str, Any] = {field.name: getattr(run, field.name) for field in fields(run)}
        known |= {"turns": call.turns, "log": call.outcome.log}
        return cls(
            **known,
            target_s=call.config.target_ms / 1000,
            stats=call.stats,
            components=call.components,
        )


@dataclass(frozen=True, slots=True)
class LatencyDocument:
    """What `latency --json` prints."""

    run_at: Timestamp
    server: str
    floor_s: float | None
    latency: tuple[LatencyItem, ...]
    verdict: Verdict

    @classmethod
    def of(cls, report: LatencyReport, saved: Path | None = None) -> "LatencyDocument":
        """Describe what `latency` found, with the evidence of calls that are saved in a folder."""
        return cls(
            run_at=report.run_at,
            server=report.server,
            floor_s=report.calibration.floor_s if report.calibration else None,
            latency=tuple(LatencyItem.of_call(each, saved) for each in report.calls),
            verdict=report.verdict,
        )


@dataclass(frozen=True, slots=True)
class CalibrateDocument:
    """What `calibrate --json` prints."""

    run_at: Timestamp
    server: str
    floor_s: float | None
    spread_s: float | None
    n: int
    voids: int
    reason: Reason | None
    detail: str
    loop_lag_s: float | None
    """As of a run."""

    @classmethod
    def of(cls, server: str, outcome: Outcome) -> "CalibrateDocument":
        """Describe a calibration."""
        found = outcome.result if isinstance(outcome.result, Calibration) else None
        return cls(
            run_at=outcome.started_at,
            server=server,
            floor_s=found.floor_s if found else None,
            spread_s=found.spread_s if found else None,
            n=found.n if found else 0,
            voids=found.voids if found else 0,
            reason=outcome.reason,
            detail=outcome.detail,
            loop_lag_s=outcome.loop_lag_s,
        )


def print_latency(report: LatencyReport) -> None:
    """Print what `latency` found: a row for each call, what is behind it, and the verdict."""
    print_calls(report)
    for finding in report.unasked:
        say(console(), clean(str(finding)))
    print_verdict(report.verdict)


def print_calls(report: LatencyReport, *, verdicts: bool = True) -> None:
    """Print a row for each call, and below what is behind it.

    Args:
        report: What was found.
        verdicts: Whether each row has its verdict.
    """
    out = console()
    if report.failure:
        say(out, f"agents could not be listed: {why(report.failure)}")
    elif not report.calls:
        say(out, NONE_FOUND)
    else:
        out.print(_latency_table(report, verdicts=verdicts))
        for call in report.calls:
            _print_behind(out, call)
        for note in _notes(report):
            say(out, note)


def _print_behind(out: Console, call: CallReport) -> None:
    if call.components:
        out.print(_split(agent_label(call.config.agent_name), call.components, _block(out)))
    for line in _call_lines(call):
        say(out, line)


def _block(out: Console) -> str:
    return "█" if out.encoding.startswith("utf") else "#"


def _latency_table(report: LatencyReport, *, verdicts: bool) -> Table:
    heads = (
        "AGENT",
        "CALL TYPE",
        "N",
        "E2E AVG",
        "P50",
        "P95",
        "MAX",
        "FLOOR",
        "TARGET",
        "VERDICT",
    )
    floor = report.calibration
    rows = [
        (
            agent_label(call.config.agent_name),
            _call_type(call.config),
            str(stats.n),
            *map(seconds, (stats.avg_s, stats.p50_s, stats.p95_s, stats.max_s)),
            seconds(floor.floor_s if floor else None, 3),
            f"<{call.config.target_ms / 1000:g}s",
            Text(call.verdict, STYLES[call.verdict]) if verdicts else "",
        )
        for call, stats in ((each, each.stats) for each in report.calls)
    ]
    return table(heads, rows)


def _call_type(config: LatencyConfig) -> str:
    """Return the call type, with the scenario where it is one."""
    scenario = "" if config.does is None else f" / {config.scenario}"
    return clean(config.call_type + scenario)


def _call_lines(call: CallReport) -> Iterable[str]:
    """Yield what is behind one row: turns with a filler or no measurement, words, dialogue."""
    label = agent_label(call.config.agent_name)
    if call.stats.n and not call.components:
        absent = call.result.split_absent or "the agent reported no components"
        yield f"{label}: no components: {clean(absent)}"
    for number, turn in enumerate(call.result.turns, 1):
        if turn.outcome is not TurnOutcome.REPLIED or turn.time_to_answer_s is not None:
            yield f"{label}: {turn_line(number, turn)}"
    if heard := understood(call.result.turns):
        yield (
            f"{label}: understood {heard.hit} of {heard.words} words "
            f"(word error rate {heard.wer:.1%})"
        )
    if call.result.token is not None:
        yield f"{label}: {call.result.token}"
    if call.result.sending is not None:
        yield f"{label}: line {clean(str(call.result.sending))}"
    if call.result.usage:
        yield f"{label}: used {clean(usage_text(call.result.usage))}"
    yield from (f"{label}: {line}" for line in _dialogue_lines(call.result))
    found = (*call.result.turn_taking, *call.result.reconnects)
    yield from (f"{label}: {clean(str(each))}" for each in found)
    if call.result.agents > 1:
        yield f"{label}: the caller heard {call.result.agents} agents of this name at once"
    yield from _failure_lines(call)


def _failure_lines(call: CallReport) -> Iterable[str]:
    label = agent_label(call.config.agent_name)
    if call.unlisted_reason:
        yield f"{label}: call failed: {why(call.outcome)}"
    if call.outcome.reason is Reason.NO_WORKER and call.known is not None:
        known = f"known workers: {', '.join(map(clean, call.known))}"
        yield f"{label}: {known if call.known else 'no worker is known'}; compare agent_name"


def _dialogue_lines(call: CallResult) -> Iterable[str]:
    if call.expectations:
        met = len(call.expected(ExpectationOutcome.MET))
        yield f"{met} of {len(call.expectations)} expectations met"
    for each in call.expectations:
        if each.outcome is not ExpectationOutcome.MET:
            yield str(each)


def _split(label: str, split: Components, block: str) -> Table:
    """Return a line with a bar for each component that is known."""
    known = {name: getattr(split, field) for name, field in _COMPONENTS.items()}
    shown = {
        name: value
        for name, value in known.items()
        if value is not None and (_COMPONENTS[name] not in _OPTIONAL or value >= _NEGLIGIBLE_S)
    }
    grid = Table.grid(padding=(0, 1))
    longest_s = max(shown.values(), default=0.0) or 1.0
    for at, (name, value) in enumerate(shown.items()):
        bar = block * round(_BAR * value / longest_s)
        grid.add_row("" if at else f"{label}:", name, seconds(value), bar)
    return grid


def usage_text(usage: Iterable[ModelUsage]) -> str:
    """Say what a call has used, model by model."""
    return "; ".join(f"{each.model} {', '.join(_amounts(each))}" for each in usage)


def _amounts(used: ModelUsage) -> Iterable[str]:
    if used.llm_input or used.llm_output:
        cached = f" ({used.llm_cached} cached)" if used.llm_cached else ""
        yield f"{used.llm_input} tokens in{cached}, {used.llm_output} out"
    if used.tts_characters:
        yield f"{used.tts_characters} characters spoken"
    if used.stt_seconds:
        yield f"{used.stt_seconds:.0f} s recognised"


def turn_line(number: int, turn: Turn) -> str:
    """Describe one turn on one line."""
    head = f"turn {number}{' (warm-up)' if turn.warmup else ''}"
    if turn.outcome is TurnOutcome.REPLIED:
        filler = f" (a filler after {seconds(turn.e2e_s)})" if turn.time_to_answer_s else ""
        return f"{head}: {seconds(turn.answered_s)}{filler}"
    reason = f": {turn.reason}" if turn.reason and turn.outcome is TurnOutcome.FAILED else ""
    detail = f": {clean(turn.detail)}" if turn.detail else ""
    return f"{head} {turn.outcome}{reason}{detail}"


def _notes(report: LatencyReport) -> Iterable[str]:
    floor = report.calibration
    if floor:
        yield (
            f"floor: {seconds(floor.floor_s, 3)} (n {floor.n}, spread "
            f"{seconds(floor.spread_s, 3)}) is the error of the measurement; it is not subtracted"
        )
    elif report.floor:
        yield f"floor not measured: {why(report.floor)}"
    if any(0 < call.stats.n < P95_NEEDS for call in report.calls):
        yield f"p95 needs {P95_NEEDS} measured turns"


def print_calibration(outcome: Outcome) -> None:
    """Print the floor of the method, or why it is not known."""
    found = outcome.result
    if not isinstance(found, Calibration):
        console().print(f"floor not measured: {why(outcome)}")
        return
    voids = f", {found.voids} void" if found.voids else ""
    console().print(
        f"floor {seconds(found.floor_s, 3)}  spread {seconds(found.spread_s, 3)}  "
        f"n {found.n}{voids}"
    )


class StderrProgress:
    """Progress on stderr: a line for each turn, and on a terminal what it is waiting for."""

    def __init__(self, *, reported: bool = False) -> None:
        """Print nothing yet.

        Args:
            reported: A report follows, which has the turns that were not measured.
        """
        self._reported = reported
        self._console = console(stderr=True)
        self._status: Status | None = None
        self._config: LatencyConfig | None = None
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def doing(self, what: str) -> None:
        """Say what begins."""
        if not self._console.is_terminal:
            self._console.print(what)
        elif self._status:
            self._status.update(Text(what))
        else:
            self._status = self._console.status(Text(what))
            self._status.start()

    def calling(self, config: LatencyConfig) -> None:
        """Say which agent is called, and before the first call what calls cost."""
        if self._config is None:
            self._console.print(f"voice-exporter: {COST_NOTE}")
        self._config, self._done = config, 0
        self.doing(f"calling {agent_label(config.agent_name)} ({self._planned} turns)")

    def turn(self, turn: Turn) -> None:
        """Say how a turn ended."""
        self._done += 1
        name = agent_label(self._config.agent_name if self._config else "")
        if turn.outcome is TurnOutcome.REPLIED or not self._reported:
            say(self._console, f"{name} {turn_line(self._done, turn)}")
        if self._status and self._done < self._planned:
            self._status.update(Text(f"calling {name}, turn {self._done + 1} of {self._planned}"))

    def explain(self, report: LatencyReport) -> None:
        """Say what went wrong, for people who send the document elsewhere."""
        if report.failure:
            say(self._console, f"agents could not be listed: {why(report.failure)}")
        elif not report.calls:
            self._console.print(NONE_FOUND)
        for finding in report.unasked:
            say(self._console, clean(str(finding)))
        for call in report.calls:
            for line in _failure_lines(call):
                say(self._console, line)

    @property
    def _planned(self) -> int:
        return self._config.turns if self._config else 0
