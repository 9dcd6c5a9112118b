"""Why something was not measured, and how a turn ended."""

from enum import StrEnum
from typing import Self


class Worded(StrEnum):
    """Values of a label, each with what it means for people."""

    words: str

    def __new__(cls, value: str, words: str) -> Self:
        """Return the value with its words."""
        found = str.__new__(cls, value)
        found._value_ = value
        found.words = words
        return found


class Reason(StrEnum):
    """Why a probe or a turn has no measurement: the bounded label `reason`."""

    CONNECT_FAILED = "connect_failed"
    """The server, its signalling or its media ports could not be reached."""
    AUTH_FAILED = "auth_failed"
    """The server refused the credentials."""
    QUOTA_EXCEEDED = "quota_exceeded"
    """The server, or a proxy before it, accepts no more requests for now."""
    API_FAILED = "api_failed"
    """The server API answered with an error other than refusal."""
    DISPATCH_FAILED = "dispatch_failed"
    """The room exists, but the agent dispatch could not be created."""
    NO_WORKER = "no_worker"
    """Nothing took the dispatch: no worker of that name is registered or free."""
    JOIN_TIMEOUT = "join_timeout"
    """A worker took the job, but no agent entered the room in time."""
    NO_AUDIO_TRACK = "no_audio_track"
    """The agent is in the room, but published no microphone track in time."""
    ENCRYPTED = "encrypted"
    """The agent's audio is end-to-end encrypted and the caller has no key for it, or the caller
    has a key and the agent does not encrypt: neither hears the other."""
    GREETING_TIMEOUT = "greeting_timeout"
    """The agent did not come to listen: it greeted without end, or never when it should."""
    NO_REPLY = "no_reply"
    """The agent listened, and no audible reply came in time."""
    UNEXPECTED_ANSWER = "unexpected_answer"
    """The agent answered, and a step of the dialogue did not come out as expected."""
    AGENT_LEFT = "agent_left"
    """The agent left the room during the call."""
    AGENT_ERROR = "agent_error"
    """The agent reported an error of its own, and no reply came."""
    ROOM_CLOSED = "room_closed"
    """The room was closed, or the caller was removed from it, during the call."""
    DEADLINE = "deadline"
    """The probe ended at its deadline: what it probes took too long."""
    PROBE_CRASHED = "probe_crashed"
    """The probe's own process died, was killed because it did not end at its deadline, or failed
    in a way that it does not know; or a task that hears or speaks died."""
    VOID = "void"
    """The prober itself was late, so the measurement says nothing about the agent."""

    @property
    def is_own_fault(self) -> bool:
        """Whether the prober is to blame, or asked too often: the run is no evidence."""
        return self in _OWN_FAULTS


_OWN_FAULTS = frozenset({Reason.PROBE_CRASHED, Reason.VOID, Reason.QUOTA_EXCEEDED})


class TurnOutcome(StrEnum):
    """How one turn ended: the label `outcome`."""

    REPLIED = "replied"
    FAILED = "failed"
    VOID = "void"
