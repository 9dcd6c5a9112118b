"""What scenarios say on /metrics."""

from collections.abc import Iterator
from functools import partial

from exporter.outcome import (
    AnswerOutcome,
    BackchannelOutcome,
    CallResult,
    InterruptionOutcome,
    PauseOutcome,
)
from exporter.series import Reading, family

_family = partial(family, "calls")
_LABELS = "agent_name call_type scenario vantage"

TIME_TO_YIELD = _family(
    "voice_time_to_yield_seconds",
    "histogram",
    _LABELS,
    "Time from the caller's first sound into the agent's speech to the agent's last sound before "
    "it was silent, of interruptions to which it yielded (scenario barge_in).",
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 2, 3, 5),
)
INTERRUPTIONS = _family(
    "voice_interruptions_total",
    "counter",
    f"{_LABELS} outcome",
    "Interruptions of the agent by the caller (scenario barge_in): yielded, talked_on (it still "
    "spoke 2 s after the caller), resumed (it went on with the same reply), finished_first (it "
    "would have ended anyway), or void.",
    outcome=tuple(InterruptionOutcome),
)
ANSWERS = _family(
    "voice_interruption_answers_total",
    "counter",
    f"{_LABELS} outcome",
    "What the caller interrupted with, by whether the agent answered it: answered, unanswered. "
    "Without void interruptions.",
    outcome=tuple(AnswerOutcome),
)
BACKCHANNELS = _family(
    "voice_backchannels_total",
    "counter",
    f"{_LABELS} outcome",
    "Short sounds of the caller into the agent's speech (scenarios backchannel, cough): ignored, "
    "paused (a gap that its speech does not have without the sound), stopped, or void.",
    outcome=tuple(BackchannelOutcome),
)
PAUSES = _family(
    "voice_inner_pauses_total",
    "counter",
    f"{_LABELS} outcome",
    "Pauses within the caller's utterances (scenario pause): waited, cut_in (the agent sounded "
    "before the utterance had ended), or void.",
    outcome=tuple(PauseOutcome),
)
FAMILIES = (TIME_TO_YIELD, INTERRUPTIONS, ANSWERS, BACKCHANNELS, PAUSES)


def readings(call: CallResult) -> Iterator[Reading]:
    """Show what came of a scenario."""
    for each in call.interruptions:
        yield INTERRUPTIONS.read(1, outcome=each.outcome)
        if each.answer is not None:
            yield ANSWERS.read(1, outcome=each.answer)
        if each.yield_s is not None:
            yield TIME_TO_YIELD.read(each.yield_s)
    for sound in call.backchannels:
        yield BACKCHANNELS.read(1, outcome=sound.outcome)
    for pause in call.pauses:
        yield PAUSES.read(1, outcome=pause.outcome)
