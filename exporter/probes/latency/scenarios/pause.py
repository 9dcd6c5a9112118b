"""Pause: the caller pauses within an utterance, and the agent is to wait for the rest."""

from collections.abc import Iterable
from dataclasses import replace

from exporter.outcome import CallResult, InnerPause, PauseOutcome, Turn, TurnOutcome
from exporter.outcome.timeline import CallerSpoke
from exporter.probes.latency.scenarios.scene import Scene, Stage
from exporter.probes.latency.scenarios.silence import Span
from exporter.probes.latency.speaking import Said


def inner_pause(spoke: CallerSpoke, sounds: Iterable[Span]) -> InnerPause:
    """Return whether an agent waited for the second half of an utterance."""
    cut_in = any(begin < spoke.until and end > spoke.at for begin, end in sounds)
    return InnerPause(PauseOutcome.CUT_IN if cut_in else PauseOutcome.WAITED)


class Pausing(Scene):
    """Says utterances with a pause in them."""

    def __init__(self, stage: Stage) -> None:
        self._line = stage.line
        self._found: list[InnerPause] = []

    async def after(self, said: Said, turn: Turn) -> None:
        """Look whether the agent sounded before the end of the utterance."""
        if said.torn or turn.outcome is TurnOutcome.VOID:
            self._found.append(InnerPause(PauseOutcome.VOID, turn.detail))
            return
        ear = self._line.ear
        first, last = ear.window_at(said.spoke.at), ear.window_at(said.spoke.until)
        found = inner_pause(said.spoke, ear.spans(first, said.threshold_db, last))
        self._found.append(found)

    def noted(self, result: CallResult) -> CallResult:
        """Return the result with the pauses so far."""
        return replace(result, pauses=tuple(self._found))
