"""What a conversation needs of the participant that holds it; knows no SDK."""

from dataclasses import dataclass, replace
from typing import Protocol

from exporter.outcome import Components
from exporter.rtc.hearing import Hearing
from exporter.rtc.lag import LagMonitor
from exporter.rtc.voice import Voice

OVERLAP_S = 0.02
"""By so much the parts may exceed the agent's own end-to-end latency, for they are rounded."""


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


@dataclass(frozen=True, slots=True)
class TurnReport:
    """What the agent reported about one turn, in seconds; None is "not reported"."""

    transcription_delay_s: float | None = None
    """End of the user's speech to the final transcript."""
    end_of_turn_delay_s: float | None = None
    """End of the user's speech to the decision that the turn is over; holds the one above."""
    llm_ttft_s: float | None = None
    tts_ttfb_s: float | None = None
    e2e_s: float | None = None

    def components(self, e2e_s: float | None) -> Components:
        """Split the latency that the caller heard, without counting anything twice.

        The agent's end-of-turn delay begins at the end of speech, as its transcription delay
        does; the component `end_of_turn` is what it has over the transcription.

        `transport` is known only when all four parts are. It is None when they exceed what the
        agent itself counts for the turn: the model then ran ahead of the end of the turn, and
        the parts overlap.
        """
        end_of_turn = None
        if self.end_of_turn_delay_s is not None:
            end_of_turn = max(0.0, self.end_of_turn_delay_s - (self.transcription_delay_s or 0.0))
        parts = Components(
            transcription_s=self.transcription_delay_s,
            end_of_turn_s=end_of_turn,
            llm_s=self.llm_ttft_s,
            tts_s=self.tts_ttfb_s,
        )
        known = (parts.transcription_s, parts.end_of_turn_s, parts.llm_s, parts.tts_s)
        if e2e_s is None or None in known:
            return parts
        total = sum(part for part in known if part is not None)
        whole = e2e_s if self.e2e_s is None else min(e2e_s, self.e2e_s + OVERLAP_S)
        return replace(parts, transport_s=e2e_s - total) if total <= whole else parts


class Reports(Protocol):
    """What the agent itself reported."""

    def error_since(self, when: float) -> str:
        """Return the last error that the agent reported since then, or ""."""
        ...

    def only_said_since(self, when: float) -> bool:
        """Tell whether all that the agent has said since then is no answer to what it heard."""
        ...

    async def report_since(
        self, when: float, timeout_s: float, answered: float = 0.0
    ) -> TurnReport:
        """Return what was reported about the turn that began at `when`.

        Args:
            when: The begin of the turn.
            timeout_s: How long to wait for it.
            answered: When the answer began; what the agent said before was a filler.
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
