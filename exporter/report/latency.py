"""Calls to agents: what `latency` prints."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.outcome import (
    CallResult,
    Components,
    ExpectationOutcome,
    ModelUsage,
    Reason,
    Turn,
    TurnOutcome,
    understood,
)
from exporter.probes.latency.spec import LatencyConfig
from exporter.report.call_figures import CallReport, LatencyReport
from exporter.report.printing import (
    STYLES,
    agent_label,
    clean,
    console,
    print_verdict,
    say,
    seconds,
    table,
    why,
)
from exporter.stats import P95_NEEDS

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


def print_latency(report: LatencyReport) -> None:
    """Print what `latency` found: a row for each call, what is behind it, and the verdict."""
    print_calls(report)
    for finding in report.unasked:
        say(console(), clean(str(finding)))
    print_verdict(report.verdict)


def print_calls(report: LatencyReport, *, verdicts: bool = True) -> None:
    """Print a row for each call, and below what is behind it."""
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
    yield from failure_lines(call)


def failure_lines(call: CallReport) -> Iterable[str]:
    """Yield why a call failed, where it did."""
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
