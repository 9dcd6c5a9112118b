"""What a call to an agent says on /metrics."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING

from exporter.outcome import (
    CallResult,
    ExpectationOutcome,
    Outcome,
    Reason,
    SilentStage,
    TaskOutcome,
    Transcription,
    Turn,
    TurnOutcome,
)
from exporter.probes.agents.families import OF_EACH_AGENT
from exporter.probes.latency import broken, sound, split
from exporter.probes.latency.scenarios import families as turn_taking
from exporter.probes.latency.way_in import families as way_in
from exporter.series import OWN_LABELS, Reading, family, pack
from exporter.stats import Stats, mean_jitter_buffer_s

if TYPE_CHECKING:
    from exporter.probes.latency.spec import LatencyConfig

HEARD_BUCKETS = (
    *(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9),
    *(2, 2.25, 2.5, 3, 4, 5, 7.5, 10),
)
"""Fine where targets are: a quantile is no better than the bucket it lies in."""
_TURN_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5, 7.5, 10)
_PART_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 5, 10)
_WAIT_BUCKETS = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30)

_REPORTED = tuple(name for name in split.PARTS if name != "transport")

MAX_MODELS = 20
"""Models of one target with a label of their own: the agent's code names them."""
_OTHER = "other"
_LONGEST_NAME = 100
_KINDS = (("llm_input", "llm_cached", "llm_output"), ("tts_characters",), ("stt_seconds",))
"""Kinds of usage; a model that has used some of one group has series of all of that group."""

_family = partial(family, "calls")

E2E = _family(
    "voice_e2e_latency_seconds",
    "histogram",
    "agent_name call_type scenario vantage",
    "Response latency as heard by the caller: from the end of the caller's speech to the first "
    "sound of the agent's reply; of its answer, where it says a filler first. Measured turns only, "
    "without warm-up, failed and void turns.",
    buckets=HEARD_BUCKETS,
    has_exemplars=True,
    has_thresholds=True,
)
TIME_TO_ANSWER = _family(
    "voice_time_to_answer_seconds",
    "histogram",
    "agent_name call_type scenario vantage",
    "Time from the end of the caller's speech to the first sound of the answer, of measured turns "
    "in which the agent said a filler first. The same turns are in voice_e2e_latency_seconds.",
    buckets=_TURN_BUCKETS,
)
LAST_CALL = _family(
    "voice_last_call_latency_seconds",
    "gauge",
    "agent_name call_type scenario vantage",
    "Mean end-to-end latency of the last call with a measured turn. The verdict compares it with "
    "the target. Absent before the first measured turn.",
    keeps=True,
)
JITTER_BUFFER = _family(
    "voice_call_jitter_buffer_seconds",
    "gauge",
    "agent_name call_type scenario vantage",
    "Mean depth of the caller's jitter buffer in the measured turns of the last call with one: a "
    "part of the end-to-end latency. Absent before the first measured turn.",
    keeps=True,
)
COMPONENTS = _family(
    "voice_component_latency_seconds",
    "histogram",
    "agent_name call_type scenario vantage component source",
    "End-to-end latency of measured turns by component: transcription, end_of_turn, "
    "on_user_turn_completed, llm, tools, first_sentence and tts as reported by the agent, "
    "transport is the remainder. Source: probe. Or live: turns of real calls (attach), with empty "
    "scenario and vantage, within the latency that the agent reports, without transport.",
    buckets=_PART_BUCKETS,
    component=split.PARTS,
    source=("probe",),
)
IMPLAUSIBLE = _family(
    "voice_component_implausible_total",
    "counter",
    "agent_name call_type scenario vantage component",
    "Components of measured turns that the agent reported as longer than the whole turn as heard. "
    "They are left out of voice_component_latency_seconds. reported_e2e: its end-to-end latency, "
    "which exceeds what was heard by more than a second.",
    component=(*_REPORTED, "reported_e2e"),
)
REPORTED_E2E = _family(
    "voice_reported_e2e_latency_seconds",
    "histogram",
    "agent_name call_type scenario vantage",
    "End-to-end latency of the same measured turns as reported by the agent.",
    buckets=_TURN_BUCKETS,
    has_thresholds=True,
)
WORDS = _family(
    "voice_transcribed_words_total",
    "counter",
    "agent_name call_type scenario vantage kind form",
    "Words that the caller said, as the agent's own final transcript has them: hit, substituted, "
    "deleted, and inserted ones that were not said. Form: normalized (without regard to case, "
    "punctuation and the form of numbers) or raw. Characters in languages without spaces. Without "
    "warm-up turns, and turns without a final transcript.",
    form=("normalized", "raw"),
).of(kind=("hit", "substituted", "deleted", "inserted"))
EXPECTATIONS = _family(
    "voice_expectations_total",
    "counter",
    "agent_name call_type scenario vantage outcome",
    "Expectations of the steps of a dialogue (script) by outcome: met, missed, or void (the agent "
    "does not report it, or a fault of the prober). Those of steps that a call did not reach "
    "because it failed count as missed.",
    outcome=tuple(ExpectationOutcome),
)
TASKS = _family(
    "voice_tasks_total",
    "counter",
    "agent_name call_type scenario vantage outcome",
    "Dialogues by outcome: completed (every expectation of every step is met), missed (at least "
    "one is missed), or void (none is missed, and not all can be told).",
    outcome=tuple(TaskOutcome),
)
MISSED_STREAK = _family(
    "voice_expectations_missed_streak",
    "gauge",
    "agent_name call_type scenario vantage",
    "Calls in a row in whose dialogue the agent missed an expectation; 0 after one without. Absent "
    "without a script, and where the last call failed for another reason, which ends the row; a "
    "void call does not.",
)
TIME_TO_AGENT = _family(
    "voice_time_to_agent_seconds",
    "histogram",
    "agent_name call_type scenario vantage",
    "Time from the dispatch request to the agent joining the room.",
    buckets=_WAIT_BUCKETS,
)
TIME_TO_GREETING = _family(
    "voice_time_to_greeting_seconds",
    "histogram",
    "agent_name call_type scenario vantage",
    "Time from the caller joining the room to the first sound of the greeting, for agents that "
    "greet.",
    buckets=_WAIT_BUCKETS,
)
AGENTS = _family(
    "voice_call_agents",
    "gauge",
    "agent_name call_type scenario vantage",
    "Agents of this name that the caller heard at once in the last call with a turn. Above 1 the "
    "agent was dispatched twice, and the call is SLOW.",
)
TURNS = _family(
    "voice_turns_total",
    "counter",
    "agent_name call_type scenario vantage outcome",
    "Planned turns by outcome, without warm-up turns: replied, failed, or void (a fault of the "
    "prober). Turns that were not reached because the call ended early count as failed, so failed "
    "calls weigh as much as good ones.",
    outcome=tuple(TurnOutcome),
)
SILENT = _family(
    "voice_silent_turns_total",
    "counter",
    "agent_name call_type scenario vantage stage",
    "Turns without a reply by the first stage that did not happen, as the agent reports: not_heard "
    "(it told of no voice), not_transcribed (no words), turn_not_ended (it waited for more words), "
    "no_answer, not_spoken (an answer, but no sound), unknown (it tells too little).",
    stage=tuple(SilentStage),
)
USAGE = _family(
    "voice_usage_total",
    "counter",
    "agent_name call_type scenario vantage kind model",
    "What calls have used of the agent's models, as the agent reports (livekit-agents 1.5 and "
    "later), warm-up turns included. Kind: llm_input (tokens read, the cached ones among them), "
    "llm_cached, llm_output, tts_characters, stt_seconds. A model has no series before it is "
    f"reported; models beyond {MAX_MODELS} of one target are `other`.",
    model=(),  # known when an agent names it
).of(kind=tuple(kind for kinds in _KINDS for kind in kinds))
WITHIN_TARGET = _family(
    "voice_turns_within_target_total",
    "counter",
    "agent_name call_type scenario vantage",
    "Measured turns with an end-to-end latency within target_ms of their target. Divide by the "
    "replied and failed turns of voice_turns_total.",
)
TARGET = _family(
    "voice_target_latency_seconds",
    "gauge",
    "agent_name call_type scenario vantage",
    "Configured target of the end-to-end latency.",
)
MAX_WER = _family(
    "voice_target_word_error_ratio",
    "gauge",
    "agent_name call_type scenario vantage",
    "Configured max_wer of a target, 0 to 1: a call with a higher word error rate is SLOW. Absent "
    "without one.",
)
POLICY = _family(
    "voice_target_policy",
    "gauge",
    "agent_name call_type scenario vantage slo page_on",
    "1, with the policy of a target as labels. slo: whether its turns count for the objective "
    "(true false). page_on: the verdict from which it pages (slow fail none).",
)
INFO = _family(
    "voice_target_info",
    "gauge",
    f"agent_name call_type scenario vantage {OWN_LABELS}",
    "1, with the labels of a target from its configuration (labels), to route alerts by.",
)

FAMILIES = (
    E2E,
    TIME_TO_ANSWER,
    LAST_CALL,
    JITTER_BUFFER,
    COMPONENTS,
    split.LAST_COMPONENTS,
    IMPLAUSIBLE,
    REPORTED_E2E,
    WORDS,
    EXPECTATIONS,
    TASKS,
    MISSED_STREAK,
    TIME_TO_AGENT,
    TIME_TO_GREETING,
    AGENTS,
    TURNS,
    SILENT,
    USAGE,
    WITHIN_TARGET,
    TARGET,
    MAX_WER,
    POLICY,
    INFO,
    *sound.FAMILIES,
    *broken.FAMILIES,
    *turn_taking.FAMILIES,
    *way_in.FAMILIES,
    *(each.at_zero() for each in OF_EACH_AGENT),  # also where none of its agents is there
)


def configured(config: "LatencyConfig") -> Iterable[Reading]:
    """Show what the verdict compares with, the policy, and whom it is for."""
    yield TARGET.read(config.target_ms / 1000)
    if config.max_wer is not None:
        yield MAX_WER.read(config.max_wer)
    yield POLICY.read(1, slo=str(config.slo).lower(), page_on=config.page_on)
    yield INFO.read(1, labels=pack(config.labels))


class CallReader:
    """Turns the calls of one target into readings."""

    def __init__(self) -> None:
        self._models: set[str] = set()
        self._missed_in_a_row = 0

    def __call__(self, config: "LatencyConfig", outcome: Outcome) -> Iterator[Reading]:
        """Show a call, and what it has used."""
        yield from readings(config, outcome)
        if config.expects:
            yield from self._streak(outcome)
        usage = outcome.result.usage if isinstance(outcome.result, CallResult) else ()
        for used in usage:
            model = self._label(used.model[:_LONGEST_NAME])
            for kinds in _KINDS:
                amounts = {kind: getattr(used, kind) for kind in kinds}
                if any(amounts.values()):
                    for kind, amount in amounts.items():
                        yield USAGE.read(amount, kind=kind, model=model)

    def _streak(self, outcome: Outcome) -> Iterator[Reading]:
        """Count the calls in a row in which something was missed."""
        reason = outcome.reason
        if reason is not None and reason.is_own_fault:
            return
        self._missed_in_a_row += 1
        if reason is not Reason.UNEXPECTED_ANSWER:
            self._missed_in_a_row = 0
        if reason in (None, Reason.UNEXPECTED_ANSWER):
            yield MISSED_STREAK.read(self._missed_in_a_row)

    def _label(self, model: str) -> str:
        if len(self._models) < MAX_MODELS:
            self._models.add(model)
        return model if model in self._models else _OTHER


def readings(config: "LatencyConfig", outcome: Outcome) -> Iterator[Reading]:
    """Show a call.

    Only measured turns (answered, not warm-up) are in histograms; every planned turn is in
    `voice_turns_total`, whatever became of it.
    """
    result = outcome.result
    if not isinstance(result, CallResult):
        return
    yield from way_in.readings(result)
    measured = [turn for turn in result.turns if not turn.warmup]
    for turn in measured:
        yield from _of_turn(config, turn)
        yield from _of_words(turn.transcription)
    missing = config.measured - len(measured)
    # An agent that answered something else has ended no call: what is missing then was not wanted.
    if outcome.reason not in (None, Reason.UNEXPECTED_ANSWER) and missing > 0:
        ended = Turn.without_reply(outcome.reason, outcome.detail)
        yield TURNS.read(missing, outcome=ended.outcome)
    if config.expects:
        yield from _of_dialogue(config, outcome, result)
    average_s = Stats.of(result.turns).avg_s
    if average_s is not None:
        yield LAST_CALL.read(average_s)
    yield from split.readings(result.turns)
    depth_s = mean_jitter_buffer_s(result.turns)
    if depth_s is not None:
        yield JITTER_BUFFER.read(depth_s)
    if result.turns:
        yield AGENTS.read(result.agents)
    if result.time_to_agent_s is not None:
        yield TIME_TO_AGENT.read(result.time_to_agent_s)
    if result.time_to_greeting_s is not None:
        yield TIME_TO_GREETING.read(result.time_to_greeting_s)
    yield from sound.readings(result)
    yield from broken.readings(result)
    yield from turn_taking.readings(result)


def _of_dialogue(
    config: "LatencyConfig", outcome: Outcome, result: CallResult
) -> Iterator[Reading]:
    """Count what came as expected: of steps that were not reached, by why they were not."""
    reason = outcome.reason
    by_agent = reason not in (None, Reason.UNEXPECTED_ANSWER) and not reason.is_own_fault
    rest = ExpectationOutcome.MISSED if by_agent else ExpectationOutcome.VOID
    found = [each.outcome for each in result.expectations]
    found += [rest] * (config.expects - len(found))
    for each in found:
        yield EXPECTATIONS.read(1, outcome=each)
    yield TASKS.read(1, outcome=TaskOutcome.of(found))


def _of_turn(config: "LatencyConfig", turn: Turn) -> Iterator[Reading]:
    """Count a turn; put an answered one into the histograms, and among the good ones if it is."""
    yield TURNS.read(1, outcome=turn.outcome)
    if turn.silent_stage is not None:
        yield SILENT.read(1, stage=turn.silent_stage)
    if turn.outcome is not TurnOutcome.REPLIED or turn.answered_s is None:
        return
    if turn.answered_s * 1000 <= config.target_ms:
        yield WITHIN_TARGET.read(1)
    yield E2E.read(turn.answered_s)
    if turn.time_to_answer_s is not None:
        yield TIME_TO_ANSWER.read(turn.time_to_answer_s)
    if turn.reported_e2e_s is not None:
        yield REPORTED_E2E.read(turn.reported_e2e_s)
    for component in turn.implausible:
        yield IMPLAUSIBLE.read(1, component=component)
    for part in fields(turn.components):
        seconds = getattr(turn.components, part.name)
        if seconds is not None:
            # Two clocks meet in `transport`; below 0 the sum of the histogram would fall.
            component = part.name.removesuffix("_s")
            yield COMPONENTS.read(max(0.0, seconds), component=component, source="probe")


def _of_words(heard: Transcription | None) -> Iterator[Reading]:
    """Count what became of the caller's words, in both forms; nothing where it is not known."""
    if heard is None:
        return
    for form, errors in (("normalized", heard), ("raw", heard.raw)):
        for kind in WORDS.values["kind"]:
            yield WORDS.read(getattr(errors, kind), kind=kind, form=form)
