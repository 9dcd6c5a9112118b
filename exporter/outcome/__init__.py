"""The types that travel: from a probe, across the process border, to every listener.

All are frozen and picklable. Times are seconds. `None` means "not known" or "not measured" and
is never replaced by 0.
"""

from exporter.outcome.agent_load import AgentLoad, LoadCall, LoadTier, WorkerUse
from exporter.outcome.calls import (
    Calibration,
    CallResult,
    Components,
    Expectation,
    ExpectationOutcome,
    ModelUsage,
    SilentStage,
    Stages,
    TaskOutcome,
    Transcription,
    Turn,
    WordErrors,
    tokens,
    understood,
)
from exporter.outcome.fleet import (
    AgentInRoom,
    CallerAlone,
    Listing,
    PendingDispatch,
    RoomWithoutHuman,
    WorkerPage,
    WorkerScrape,
)
from exporter.outcome.line import CallReconnect, LineCounts, LineDirection
from exporter.outcome.load import ProberLoad, Ramp, RampClient, RampProgress, RampTier
from exporter.outcome.network import (
    UNPROVOKED,
    Certificate,
    ConnectTimes,
    Loss,
    Reconnect,
    SfuBaseline,
    SfuReach,
    SfuReconnects,
    Transport,
)
from exporter.outcome.reasons import Reason, TurnOutcome
from exporter.outcome.run import EvidenceLost, LossReason, Outcome, failure
from exporter.outcome.sound import Media, MediaDirection, Mos, ReplySound, Sending, SpeechSeconds
from exporter.outcome.timeline import Timeline
from exporter.outcome.token import CallerToken, TokenDanger, TokenFailure
from exporter.outcome.turn_report import TurnReport
from exporter.outcome.turn_taking import (
    AnswerOutcome,
    Backchannel,
    BackchannelOutcome,
    InnerPause,
    Interruption,
    InterruptionOutcome,
    PauseOutcome,
)
from exporter.outcome.verdict import Cause, Finding, Verdict, verdict_of, worst

__all__ = [
    "UNPROVOKED",
    "AgentInRoom",
    "AgentLoad",
    "AnswerOutcome",
    "Backchannel",
    "BackchannelOutcome",
    "Calibration",
    "CallReconnect",
    "CallResult",
    "CallerAlone",
    "CallerToken",
    "Cause",
    "Certificate",
    "Components",
    "ConnectTimes",
    "EvidenceLost",
    "Expectation",
    "ExpectationOutcome",
    "Finding",
    "InnerPause",
    "Interruption",
    "InterruptionOutcome",
    "LineCounts",
    "LineDirection",
    "Listing",
    "LoadCall",
    "LoadTier",
    "Loss",
    "LossReason",
    "Media",
    "MediaDirection",
    "ModelUsage",
    "Mos",
    "Outcome",
    "PauseOutcome",
    "PendingDispatch",
    "ProberLoad",
    "Ramp",
    "RampClient",
    "RampProgress",
    "RampTier",
    "Reason",
    "Reconnect",
    "ReplySound",
    "RoomWithoutHuman",
    "Sending",
    "SfuBaseline",
    "SfuReach",
    "SfuReconnects",
    "SilentStage",
    "SpeechSeconds",
    "Stages",
    "TaskOutcome",
    "Timeline",
    "TokenDanger",
    "TokenFailure",
    "Transcription",
    "Transport",
    "Turn",
    "TurnOutcome",
    "TurnReport",
    "Verdict",
    "WordErrors",
    "WorkerPage",
    "WorkerScrape",
    "WorkerUse",
    "failure",
    "tokens",
    "understood",
    "verdict_of",
    "worst",
]
