"""Reconnect: the connection of the call breaks after its first measured turn."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from exporter.errors import ProbeError
from exporter.outcome import CallReconnect, CallResult, Turn, TurnOutcome
from exporter.probes.latency.scenarios.scene import Scene, Stage

QUIET_S = 0.5
"""Of silence on a line that came back, before the caller speaks."""


class Reconnecting(Scene):
    """Breaks the connection once, between two turns: the next one is to be answered."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._found: CallReconnect | None = None
        self._before = 0
        """Turns before the break."""

    async def between(self, turns: Sequence[Turn]) -> None:
        """Break it once a turn was measured.

        Raises:
            ProbeError: void: it could not be broken; or why the call ended meanwhile.
        """
        last = turns[-1] if turns else None
        if (
            last is None
            or not last.is_measured
            or self._found is not None
            or self._stage.breaks is None
        ):
            return
        self._before = len(turns)
        until = time.monotonic() + self._stage.scenario.longest_break_s
        try:
            self._found = await self._stage.breaks()
        except ProbeError as error:
            if not error.reason.is_own_fault:
                self._found = CallReconnect(self._stage.scenario.broken)
            raise
        # As a caller does: speaks once the agent is heard again, and not into its words.
        with suppress(ProbeError):  # the next turn tells that the call has ended
            await self._stage.line.settle(QUIET_S, until)

    def noted(self, result: CallResult) -> CallResult:
        """Return the result with what became of the connection; a void turn tells nothing."""
        if self._found is None:
            return result
        after = [each.outcome for each in result.turns[self._before :]]
        told = next((each for each in after if each is not TurnOutcome.VOID), None)
        answered = None if told is None else told is TurnOutcome.REPLIED
        return replace(result, reconnects=(replace(self._found, answered=answered),))
