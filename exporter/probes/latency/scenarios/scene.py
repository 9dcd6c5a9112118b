"""The seam between the turns of a call and what a scenario does in them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from exporter.outcome import CallReconnect, CallResult, Turn
from exporter.probes.latency.listening import Listening
from exporter.probes.latency.results import Results
from exporter.probes.latency.scenarios.config import ScenarioConfig
from exporter.probes.latency.speaking import Said, Speaking
from exporter.rtc.clip import Clip

Breaks = Callable[[], Awaitable[CallReconnect]]
"""Breaks the connection of the call, and waits until it is back; raises ProbeError."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a scenario works with in one call."""

    line: Listening
    speaking: Speaking
    results: Results
    scenario: ScenarioConfig
    clip: Clip | None
    """What is said into the agent's speech, where anything is."""
    breaks: Breaks | None = None
    """How the connection is broken, where it is."""


class Scene:
    """What a scenario does in one call; as it stands nothing, as in calls that have none."""

    async def greeting(self, _deadline: float) -> None:
        """Do what is done before the agent has finished its greeting."""

    async def into(self, _said: Said, _replied: float) -> bool:
        """Do what is done while the agent replies; raises nothing.

        Args:
            _said: What it replies to.
            _replied: When the reply began, on the monotonic clock.

        Returns:
            Whether the reply is over: nobody needs to wait for its end.
        """
        return False

    async def after(self, _said: Said, _turn: Turn) -> None:
        """Do what is done once a turn is over; raises nothing."""

    async def between(self, _turns: Sequence[Turn]) -> None:
        """Do what is done before the next turn, after those so far.

        Raises:
            ProbeError: The call has ended, or what is to be done cannot be.
        """

    def noted(self, result: CallResult) -> CallResult:
        """Return the result of the call with what has come of the scenario so far."""
        return result
