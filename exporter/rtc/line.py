"""What a conversation needs of the participant that holds it; knows no SDK."""

from dataclasses import dataclass
from typing import Protocol

from exporter.outcome import Timeline, TurnReport
from exporter.rtc.hearing import Hearing
from exporter.rtc.lag import LagMonitor
from exporter.rtc.voice import Voice


@dataclass(frozen=True, slots=True)
class Received:
    """Counters of an inbound audio stream since it began."""

    packets: int
    jitter_buffer_delay_s: float
    """Seconds that all samples together have spent in the jitter buffer."""
    jitter_buffer_samples: int
    """Samples that have left it."""

    def depth_since(self, before: "Received") -> float | None:
        """Return the mean depth in seconds of the jitter buffer between two readings."""
        samples = self.jitter_buffer_samples - before.jitter_buffer_samples
        if samples <= 0:
            return None
        return (self.jitter_buffer_delay_s - before.jitter_buffer_delay_s) / samples


class Reports(Protocol):
    """What the agent itself reported."""

    @property
    def timeline(self) -> Timeline:
        """What happened in the call so far."""
        ...

    def error_since(self, when: float) -> str:
        """Return the last error that the agent reported since then, or ""."""
        ...

    def only_said_since(self, when: float) -> bool:
        """Tell whether all that the agent has said since then is no answer to what it heard."""
        ...

    async def report_since(
        self, when: float, replied: float, timeout_s: float, answered: float = 0.0
    ) -> TurnReport:
        """Return what was reported about the turn that began at `when`.

        Args:
            when: The begin of the turn.
            replied: When the reply began to sound; with a filler before it, the answer.
            timeout_s: How long to wait for it.
            answered: The same where a filler came first, else 0: what was said before is that one.
        """
        ...


class Line(Protocol):
    """A call that is up: `exporter.rtc.caller.Caller` is one."""

    @property
    def ear(self) -> Hearing | None:
        """What is heard of the agent; None while it has no track."""
        ...

    @property
    def microphone(self) -> Voice:
        """What the caller says."""
        ...

    @property
    def lag(self) -> LagMonitor:
        """How late the caller's own event loop is."""
        ...

    @property
    def events(self) -> Reports:
        """What the agent reports."""
        ...

    @property
    def state(self) -> str:
        """The agent's own state: initializing idle listening thinking speaking, or ""."""
        ...

    def check(self) -> None:
        """Raise the ProbeError with which the call has ended, if it has."""
        ...

    async def check_key(self) -> None:
        """Raise the ProbeError encrypted if nothing that came from the agent could be decrypted."""
        ...

    def disturbance(self) -> str:
        """Say what broke the line since the turn began, so that nothing can be told; or ""."""
        ...

    def turn_begins(self) -> None:
        """Forget what went wrong before: from now on it belongs to the next turn."""
        ...

    async def listen(self, timeout_s: float) -> None:
        """Wait for the agent's microphone track and begin to hear it; again, if it was replaced.

        Raises:
            ProbeError: no_audio_track, encrypted, or why the call ended.
        """
        ...

    def follow_sound(self) -> bool:
        """Hear that of the agent's tracks by which it speaks; tell whether it is another one."""
        ...

    async def sleep_until_change(self, timeout_s: float) -> None:
        """Wait until something happened in the room, no longer than that.

        Raises:
            ProbeError: The call has ended: agent_left, room_closed or connect_failed.
        """
        ...

    async def perform(self, method: str, timeout_s: float) -> str:
        """Perform an RPC at the agent; return why it failed, or ""."""
        ...

    async def received(self) -> Received | None:
        """Read the counters of the agent's track; None where there is none."""
        ...
