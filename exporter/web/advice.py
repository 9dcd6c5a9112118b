"""What to look at next after a run, by why it failed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from exporter.colors import COMPONENTS
from exporter.outcome import (
    AnswerOutcome,
    BackchannelOutcome,
    Cause,
    InterruptionOutcome,
    PauseOutcome,
    Reason,
    SilentStage,
    Verdict,
)
from exporter.report.call_figures import average
from exporter.store.records import RunRecord
from exporter.web.why import PART_WORDS


@dataclass(frozen=True, slots=True)
class Advice:
    """What to look at next, and the page that says more."""

    text: str
    runbook: str
    """Name of a file in alerts/runbooks, without .md; "" where none fits."""


_CONNECTION = "The exporter's way to the server: DNS, TLS, ports, and whether the server runs."
_REASONS: Mapping[Reason, Advice] = {
    Reason.CONNECT_FAILED: Advice(_CONNECTION, "VoiceSfuDown"),
    Reason.AUTH_FAILED: Advice(
        "The API key and secret of the exporter, and the clock of this host.", "VoiceProberFailing"
    ),
    Reason.QUOTA_EXCEEDED: Advice(
        "The limits of the server's account, and how often the exporter calls.",
        "VoiceProberFailing",
    ),
    Reason.API_FAILED: Advice("The server's own log at this time.", "VoiceSfuDown"),
    Reason.DISPATCH_FAILED: Advice("The server's own log at this time.", "VoiceAgentFailing"),
    Reason.NO_WORKER: Advice(
        "Whether a worker of this agent name is registered, has a free place, and refuses no job: "
        "its log.",
        "VoiceAgentNoWorker",
    ),
    Reason.JOIN_TIMEOUT: Advice(
        "The worker's log: the job was taken, and its process did not enter the room.",
        "VoiceAgentFailing",
    ),
    Reason.NO_AUDIO_TRACK: Advice(
        "The agent's log: it is in the room, and its session did not begin to speak.",
        "VoiceAgentFailing",
    ),
    Reason.ENCRYPTED: Advice(
        "The key of end-to-end encryption, of the target and of the agent.", "VoiceAgentFailing"
    ),
    Reason.GREETING_TIMEOUT: Advice(
        "The state of the agent in the picture: does it greet without end, or never?",
        "VoiceAgentFailing",
    ),
    Reason.NO_REPLY: Advice(
        "The states of the agent after t_end: did it hear the caller, and did it think?",
        "VoiceAgentFailing",
    ),
    Reason.UNEXPECTED_ANSWER: Advice(
        "The expectations that were missed, and tools and hand-overs in the picture.",
        "VoiceAgentMissesExpectation",
    ),
    Reason.AGENT_LEFT: Advice(
        "The worker's log at this time: its process died, or the agent ended the call.",
        "VoiceAgentFailing",
    ),
    Reason.AGENT_ERROR: Advice(
        "The agent's error, in the events and in its log.", "VoiceAgentFailing"
    ),
    Reason.ROOM_CLOSED: Advice("Who closed the room: the server's log.", "VoiceAgentFailing"),
    Reason.DEADLINE: Advice("The last lines of the log: what took so long?", "VoiceAgentFailing"),
    Reason.PROBE_CRASHED: Advice("The exporter's own log at this time.", "VoiceProberFailing"),
    Reason.VOID: Advice(
        "The load of the exporter's host; this says nothing of the agent.", "VoiceTooManyVoids"
    ),
}
_SLOW = Advice("The widest part of the slow turns: where the time went.", "VoiceAgentSlow")
_TALKS_ON = Advice(
    "The agent's voice and states after the caller's interruption: did it hear it, and does it "
    "allow interruptions?",
    "VoiceAgentIgnoresInterruptions",
)
_CAUSES: Mapping[Cause, Advice] = {
    Cause.TURN_TAKING: _TALKS_ON,
    Cause.WORDS: Advice(
        "How many words of each turn were understood, and how the caller's side sounds.",
        "VoiceAgentMishears",
    ),
    Cause.GAP: Advice(
        "The silence inside the agent's voice: a tool under way, speech synthesis that stalls, or "
        "packets that were lost.",
        "VoiceAgentDeadAir",
    ),
    Cause.SOUND: Advice(
        "The agent's side in the player, and the level of each reply: the agent's speech "
        "synthesis, or what resamples its sound.",
        "VoiceAgentDegraded",
    ),
    Cause.LOSS: Advice(
        "RTP in both directions, among the facts, and the loss of the baseline to the server.",
        "VoiceSfuPacketLoss",
    ),
}
_STAGES: Mapping[SilentStage, str] = {
    SilentStage.NOT_HEARD: "The agent's audio input, its voice detection, and the line to it.",
    SilentStage.NOT_TRANSCRIBED: "The agent's speech recognition: provider, language, credentials.",
    SilentStage.TURN_NOT_ENDED: "The agent's turn detection: how long it waits for more words.",
    SilentStage.NO_ANSWER: "The agent's language model and tools: errors and delays in its log.",
    SilentStage.NOT_SPOKEN: "The agent's speech synthesis: provider, voice, credentials.",
}
"""Where a silent turn broke: it says more than `no_reply` does."""
_NOT_BACK = Advice(
    "The server's log at this time, and whether the probe `reconnect` comes back from this host.",
    "VoiceSfuReconnects",
)
_TWICE = Advice("Why two agents of this name were dispatched.", "VoiceAgentTwice")

_NO_TOKEN = Advice(
    "The endpoint that gives callers their tokens, and its own log.", "VoiceAgentFailing"
)
_STOPS = Advice(
    "The agent's voice after the caller's short sound: what it takes for an interruption.",
    "VoiceAgentStopsAtBackchannels",
)
_CUTS_IN = Advice(
    "The end_of_turn of the turns with a pause: how long the agent waits.", "VoiceAgentCutsIn"
)
_NOT_YIELDED = (InterruptionOutcome.TALKED_ON, InterruptionOutcome.RESUMED)


def advice(record: RunRecord) -> Advice | None:
    """Return what to look at next; None for a run that passed."""
    if record.token is not None and record.token.failure is not None:
        return _NO_TOKEN
    if record.reason is Reason.NO_REPLY:
        return _silent(record)
    if record.reason is not None:
        return _REASONS[record.reason]
    if record.agents > 1:
        return _TWICE
    if record.probe != "latency" or record.verdict not in (Verdict.SLOW, Verdict.FAIL):
        return None
    told = _manners(record) if record.verdict is Verdict.SLOW else _lost(record)
    cause = record.cause or Cause.LATENCY
    return told or (_slow(record) if cause is Cause.LATENCY else _CAUSES[cause])


def _slow(record: RunRecord) -> Advice:
    """Return what to look at by the longest component, where components are known."""
    parts = average(record.turns)
    known = (
        {} if parts is None else {name: getattr(parts, f"{name}_s") or 0.0 for name in COMPONENTS}
    )
    longest = max(known, key=known.__getitem__, default="")
    if not longest:
        return _SLOW
    took = f"{PART_WORDS[longest]}, {known[longest]:.2f} s on average"
    return replace(_SLOW, text=f"{took}: the longest component of its turns.")


def _silent(record: RunRecord) -> Advice:
    """Return what to look at by the first stage that did not happen, where that is known."""
    known = _REASONS[Reason.NO_REPLY]
    stages = (each.silent_stage for each in record.turns if each.reason is Reason.NO_REPLY)
    stage = next(filter(None, stages), SilentStage.UNKNOWN)
    return replace(known, text=_STAGES.get(stage, known.text))


def _lost(record: RunRecord) -> Advice | None:
    """Return what to look at where a connection that was broken on purpose is not back."""
    return _NOT_BACK if any(each.recovered is False for each in record.reconnects) else None


def _manners(record: RunRecord) -> Advice | None:
    """Return what to look at where the agent does not take turns."""
    if any(
        each.outcome in _NOT_YIELDED or each.answer is AnswerOutcome.UNANSWERED
        for each in record.interruptions
    ):
        return _TALKS_ON
    if any(each.outcome is BackchannelOutcome.STOPPED for each in record.backchannels):
        return _STOPS
    cuts_in = any(each.outcome is PauseOutcome.CUT_IN for each in record.pauses)
    return _CUTS_IN if cuts_in else None
