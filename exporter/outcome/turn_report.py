"""What an agent reports about one turn, and the parts of the turn that follow from it."""

from dataclasses import dataclass, replace

from exporter.outcome.calls import Components

OVERLAP_S = 0.02
"""By so much the parts may exceed the agent's own end-to-end latency, for they are rounded."""


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
