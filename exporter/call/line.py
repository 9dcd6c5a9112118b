"""What a conversation needs of the participant that holds it; knows no SDK."""

from typing import Protocol

from exporter.call.hearing import Hearing
from exporter.call.lag import LagMonitor
from exporter.call.rtp import Received
from exporter.call.turn_report import TurnReport
from exporter.call.voice import Voice


class Reports(Protocol):
    """What the agent itself reported."""

    def error_since(self, when: float) -> str:
        """Return the last error that the agent reported since then, or ""."""
        ...

    async def report_since(self, when: float, timeout_s: float) -> TurnReport:
        """Return what was reported about the turn that began at `when`."""
        ...


class Line(Protocol):
    """A call that is up: `exporter.call.caller.Caller` is one."""

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

    def disturbance(self) -> str:
        """Say what broke the line since the turn began, so that nothing can be told; or ""."""
        ...

    def turn_begins(self) -> None:
        """Forget what went wrong before: from now on it belongs to the next turn."""
        ...

    async def listen(self, timeout_s: float) -> None:
        """Wait for the agent's microphone track and begin to hear it; again, if it was replaced.

        Raises:
            ProbeError: no_audio_track, or why the call ended.
        """
        ...

    async def sleep_until_change(self, timeout_s: float) -> None:
        """Wait until something happened in the room, no longer than that.

        Raises:
            ProbeError: The call has ended: agent_left, room_closed or connect_failed.
        """
        ...

    async def received(self) -> Received | None:
        """Read the counters of the agent's track; None where there is none."""
        ...
