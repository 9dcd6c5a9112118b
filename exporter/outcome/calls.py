"""What a call to an agent found."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from exporter.outcome.line import CallReconnect, LineCounts
from exporter.outcome.reasons import Reason, TurnOutcome, Worded
from exporter.outcome.sound import Media, ReplySound, Sending, SpeechSeconds
from exporter.outcome.token import CallerToken
from exporter.outcome.turn_taking import Backchannel, InnerPause, Interruption


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """What a session has used of one model since it began: what providers bill."""

    model: str
    llm_input: int = 0
    """Tokens, those of the cache among them."""
    llm_cached: int = 0
    llm_output: int = 0
    tts_characters: int = 0
    stt_seconds: float = 0.0


def tokens(usage: Iterable[ModelUsage]) -> int:
    """Return the tokens of all models together, read and written; cached ones are read as well."""
    return sum(each.llm_input + each.llm_output for each in usage)


@dataclass(frozen=True, slots=True)
class Components:
    """Where the time of one turn went, in seconds; `None` where it is unknown.

    All but `transport` are the agent's own report on the byte stream `lk.agent.session`.
    """

    transcription_s: float | None = None
    """End of the user's speech to the final transcript."""
    end_of_turn_s: float | None = None
    """Final transcript to the agent's decision that the user's turn is over."""
    llm_s: float | None = None
    """Request to the language model to its first token."""
    tts_s: float | None = None
    """First text given to speech synthesis to its first audio."""
    transport_s: float | None = None
    """What the caller's end-to-end latency has over the sum of the others."""
    on_user_turn_completed_s: float | None = None
    """The agent's own code, after the decision and before the request to the language model."""
    tools_s: float | None = None
    """Tools that came to their end before the reply began; those that ran together count once."""
    first_sentence_s: float | None = None
    """First token to the first text given to speech synthesis."""


class SilentStage(Worded):
    """The first stage that did not happen in a turn without a reply."""

    NOT_HEARD = "not_heard", "it heard no voice"
    NOT_TRANSCRIBED = "not_transcribed", "it heard a voice, and understood no words"
    TURN_NOT_ENDED = "turn_not_ended", "it understood words, and went on waiting for more"
    NO_ANSWER = "no_answer", "it held the caller's turn for over, and had no answer"
    NOT_SPOKEN = "not_spoken", "it had an answer, and no sound came"
    UNKNOWN = "unknown", "it tells too little"


@dataclass(frozen=True, slots=True)
class Stages:
    """When the agent told of each stage of a turn: seconds after the end of the caller's speech.

    Below 0 where it told of one before; None where it did not tell.
    """

    heard_s: float | None = None
    """It hears a voice."""
    transcribed_s: float | None = None
    """Its last final transcript."""
    turn_ended_s: float | None = None
    """The caller's turn is over for it."""
    speaking_s: float | None = None
    """It speaks, as it says."""


@dataclass(frozen=True, slots=True)
class WordErrors:
    """How a transcript differs from what was said.

    In words; in characters where a language has no spaces between words.
    """

    words: int
    """Words that were said, at least 1."""
    substituted: int = 0
    deleted: int = 0
    """Said, and not in the transcript."""
    inserted: int = 0
    """In the transcript, and not said."""
    wer: float = field(init=False, default=0.0)
    """The word error rate: 0 where all was understood; above 1 where much was inserted."""

    def __post_init__(self) -> None:
        # A field, so that it is in JSON: a computed one would import pydantic at every start.
        wer = (self.substituted + self.deleted + self.inserted) / self.words
        object.__setattr__(self, "wer", wer)

    @property
    def hit(self) -> int:
        """Words that were understood."""
        return self.words - self.substituted - self.deleted


@dataclass(frozen=True, slots=True)
class Transcription(WordErrors):
    """What the agent's own final transcript made of an utterance.

    Without regard to case, punctuation and the form of numbers.
    """

    raw: WordErrors = field(kw_only=True)
    """The same as written, with regard to them."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance of the caller and what came of it."""

    outcome: TurnOutcome
    warmup: bool = False
    """The first turn of a call that did not fail: listed, but in no statistic and no histogram."""
    e2e_s: float | None = None
    """Last sample of the caller's speech to first sample of the reply; only when replied. Where a
    filler came first, this is its first sample: see `time_to_answer_s`."""
    reason: Reason | None = None
    """Always set unless the outcome is `replied`."""
    detail: str = ""
    """One line for people on why the turn failed or is void."""
    components: Components = field(default_factory=Components)
    reported_e2e_s: float | None = None
    """What the agent itself reports for this turn."""
    loop_lag_s: float | None = None
    """The largest lateness of the event loop of the probe's process at the two ends of the turn:
    0.5 s before to 0.1 s after the end of our speech, 2 s before to 0.5 s after the first sound of
    the reply. Above 20 ms the turn is void. None where one of the ends was not reached."""
    jitter_buffer_s: float | None = None
    """Mean depth of the receiving jitter buffer during the turn."""
    time_to_answer_s: float | None = None
    """Last sample of the caller's speech to first sample of the answer, where the agent said a
    filler ("One moment") first and worked on; None where the reply was the answer."""
    transcription: Transcription | None = None
    """How well the agent understood the caller; None where the words of the utterance are not
    known, or the agent sent no final transcript of it."""
    silent_stage: SilentStage | None = None
    """Where a turn without a reply broke (`no_reply` alone)."""
    implausible: tuple[str, ...] = ()
    """Components that the agent reported as longer than the whole turn, and that are left out;
    `reported_e2e` where its own latency cannot be true."""
    stages: Stages = field(default_factory=Stages)
    """How far the agent came, and when."""
    reply: ReplySound | None = None
    """How the reply sounded; None where there was none, or the turn is void."""

    @property
    def is_measured(self) -> bool:
        """Whether it counts in statistics: answered, and not warm-up."""
        return self.outcome is TurnOutcome.REPLIED and not self.warmup

    @property
    def answered_s(self) -> float | None:
        """What the turn took, in seconds: to the answer, never to a filler. Verdicts use this."""
        return self.e2e_s if self.time_to_answer_s is None else self.time_to_answer_s

    @classmethod
    def without_reply(cls, reason: Reason, detail: str, loop_lag_s: float | None = None) -> "Turn":
        """Return a turn that has no measurement: void where the prober is to blame, else failed."""
        outcome = TurnOutcome.VOID if reason.is_own_fault else TurnOutcome.FAILED
        return cls(outcome, reason=reason, detail=detail, loop_lag_s=loop_lag_s)


def understood(turns: Iterable[Turn]) -> WordErrors | None:
    """Return the word errors of all turns but warm-up, as of one utterance; None where unknown."""
    heard = [turn.transcription for turn in turns if turn.transcription and not turn.warmup]
    counts = [(each.words, each.substituted, each.deleted, each.inserted) for each in heard]
    return WordErrors(*map(sum, zip(*counts, strict=True))) if counts else None


class ExpectationOutcome(StrEnum):
    """What became of an expectation: the label `outcome`."""

    MET = "met"
    MISSED = "missed"
    VOID = "void"
    """It cannot be told: the agent does not report it, or the prober is to blame."""


class TaskOutcome(StrEnum):
    """What became of a dialogue as a whole: the label `outcome`."""

    COMPLETED = "completed"
    """Every expectation of every step is met."""
    MISSED = "missed"
    VOID = "void"
    """None is missed, and not all can be told."""

    @classmethod
    def of(cls, outcomes: Iterable[ExpectationOutcome]) -> Self:
        """Return what becomes of a dialogue with these expectations."""
        found = set(outcomes)
        if ExpectationOutcome.MISSED in found:
            return cls.MISSED
        return cls.VOID if ExpectationOutcome.VOID in found else cls.COMPLETED


@dataclass(frozen=True, slots=True)
class Expectation:
    """What was expected of the agent in one step of a dialogue, and what became of it.

    It has neither the words of the call nor those of the configuration.
    """

    step: int
    """Its place in the script, from 1."""
    kind: str
    """The key of `expect`: words not_words regex tool handoff joins leaves attribute."""
    outcome: ExpectationOutcome
    detail: str = ""
    """Why it is void."""

    def __str__(self) -> str:
        what = f"step {self.step}: {self.kind} {self.outcome}"
        return f"{what}: {self.detail}" if self.detail else what


@dataclass(frozen=True, slots=True)
class CallResult:
    """What one call to one agent found; `turns` may be empty when the call failed early."""

    agent_name: str
    call_type: str
    scenario: str
    turns: tuple[Turn, ...] = ()
    time_to_agent_s: float | None = None
    """Dispatch requested to agent in the room."""
    time_to_greeting_s: float | None = None
    """Caller in the room to the first audio of the greeting; None if it does not greet."""
    split_absent: str = ""
    """Why there are no components ("" when there are)."""
    agents: int = 1
    """Agents of this name that the caller heard in one turn; above 1 it was dispatched twice."""
    speech_s: SpeechSeconds | None = None
    """For how long each side was heard; None where the caller never heard the agent's track."""
    overlap_s: float | None = None
    """For how long of this both were heard at once, where the caller is."""
    sending: Sending | None = None
    """How the caller's voice was sent, where the target's `line` changes that."""
    media: Media | None = None
    """The call's RTP; None where the SDK tells nothing any more, as of a call that was cut off."""
    usage: tuple[ModelUsage, ...] = ()
    """What the call has used of each model, as the agent reports; () where it reports nothing."""
    expectations: tuple[Expectation, ...] = ()
    """Of the steps of the dialogue that were reached, in their order."""
    line: LineCounts | None = None
    """What the relay of a bad line did to the call's RTP; None where there was no relay."""
    reconnects: tuple[CallReconnect, ...] = ()
    """What became of the connection each time that it was broken on purpose."""
    interruptions: tuple[Interruption, ...] = ()
    """What became of what the caller said into the agent's speech (scenario `barge_in`)."""
    backchannels: tuple[Backchannel, ...] = ()
    """What became of the caller's short sounds (scenarios `backchannel` and `cough`)."""
    pauses: tuple[InnerPause, ...] = ()
    """What became of pauses within the caller's utterances (scenario `pause`)."""
    token: CallerToken | None = None
    """What the user's own endpoint gave the caller; None where the exporter made the token."""

    @property
    def turn_taking(self) -> tuple[Interruption | Backchannel | InnerPause, ...]:
        """What came of a scenario: of one kind, one after another."""
        return (*self.interruptions, *self.backchannels, *self.pauses)

    def expected(self, outcome: ExpectationOutcome) -> tuple[Expectation, ...]:
        """Return the expectations with that outcome."""
        return tuple(each for each in self.expectations if each.outcome is outcome)

    @property
    def needs_no_latency(self) -> bool:
        """Whether it has shown what it was for although no turn was timed: see `stop_at`."""
        met = len(self.expected(ExpectationOutcome.MET))
        void = any(turn.outcome is TurnOutcome.VOID for turn in self.turns)
        return 0 < met == len(self.expectations) and not void

    @property
    def key(self) -> tuple[str, str, str]:
        """The key of its target."""
        return self.agent_name, self.call_type, self.scenario


@dataclass(frozen=True, slots=True)
class Calibration:
    """The floor of the method: what it adds to the delay of an echo that is known exactly."""

    floor_s: float
    """Median of (measured - true delay)."""
    spread_s: float
    """Largest less smallest (measured - true delay): n is too small for percentiles."""
    n: int
    """Turns used: warm-up and void turns are not."""
    voids: int = 0
