"""What an agent reports about one turn, and the parts of the turn that follow from it."""

from dataclasses import dataclass, fields, replace

from exporter.outcome.calls import Components

OVERLAP_S = 0.02
"""By so much the parts may exceed the agent's own end-to-end latency, for they are rounded."""


EARLY_S = 1.0
"""By so much at most an agent takes the end of the caller's speech for earlier than it was: the
last sounds of a word are quiet."""

REPORTED_E2E = "reported_e2e"
"""How the agent's own end-to-end latency is named among what is left out."""

_NEEDED = ("transcription_s", "end_of_turn_s", "llm_s", "tts_s")
"""Without one of these the rest is not known."""


@dataclass(frozen=True, slots=True)
class TurnReport:
    """What the agent reported about one turn, in seconds; None is "not reported"."""

    transcription_delay_s: float | None = None
    """End of the user's speech to the final transcript."""
    end_of_turn_delay_s: float | None = None
    """End of the user's speech to the decision that the turn is over; holds the one above."""
    on_user_turn_completed_s: float | None = None
    """The agent's own code between that decision and the request to the language model."""
    llm_ttft_s: float | None = None
    """Request to the language model to its first token; of the last request before the reply."""
    llm_ttfs_s: float | None = None
    """That request to the first text given to speech synthesis."""
    tts_ttfb_s: float | None = None
    tools_s: float | None = None
    """Tools that came to their end before the reply began."""
    tool_requests_s: float = 0.0
    """The requests to the language model in answer to which it called them."""
    tools_are_timed: bool = True
    """Of each tool that ended before the reply the agent told the begin as well."""
    e2e_s: float | None = None

    def split(self, heard_s: float, *, whole: bool = True) -> tuple[Components, tuple[str, ...]]:
        """Split the latency that the caller heard, without counting anything twice.

        The agent's end-of-turn delay begins at the end of speech, as its transcription delay
        does; the component `end_of_turn` is what it has over the transcription. Where tools were
        called, `llm` is the sum of all requests.

        `transport` is known only when transcription, end_of_turn, llm and tts are, and the time of
        every tool. It is None when
        the parts exceed what the agent itself counts for the turn: the model then ran ahead of the
        end of the turn, and the parts overlap.

        Args:
            heard_s: What the caller waited.
            whole: The parts are all that filled this time; not so where a filler came first.

        Returns:
            The parts, and the names of those left out because they exceed all that was heard.
        """
        parts = self._parts()
        values = {each.name: getattr(parts, each.name) for each in fields(parts)}
        known = {name: value for name, value in values.items() if value is not None}
        wrong = [name for name, value in known.items() if not 0 <= value <= heard_s + OVERLAP_S]
        parts = replace(parts, **dict.fromkeys(wrong))
        told_s = self.plausible_e2e_s(heard_s)
        total, counted = sum(known.values()), heard_s if told_s is None else told_s + OVERLAP_S
        needed = all(getattr(parts, name) is not None for name in _NEEDED)
        fits = not wrong and total <= min(heard_s, counted)
        if whole and self.tools_are_timed and needed and fits:
            parts = replace(parts, transport_s=heard_s - total)
        names = [name.removesuffix("_s") for name in wrong]
        if told_s is None and self.e2e_s is not None:
            names.append(REPORTED_E2E)
        return parts, tuple(names)

    def plausible_e2e_s(self, heard_s: float) -> float | None:
        """Return the agent's own figure; None where it cannot be that of a turn heard so long."""
        told_s = self.e2e_s
        return told_s if told_s is not None and 0 <= told_s <= heard_s + EARLY_S else None

    def _parts(self) -> Components:
        """Return the parts as they are reported."""
        end_of_turn = first_sentence = llm = None
        if self.end_of_turn_delay_s is not None:
            end_of_turn = max(0.0, self.end_of_turn_delay_s - (self.transcription_delay_s or 0.0))
        if self.llm_ttft_s is not None:
            llm = self.llm_ttft_s + self.tool_requests_s
            if self.llm_ttfs_s is not None:
                first_sentence = max(0.0, self.llm_ttfs_s - self.llm_ttft_s)
        return Components(
            transcription_s=self.transcription_delay_s,
            end_of_turn_s=end_of_turn,
            on_user_turn_completed_s=self.on_user_turn_completed_s,
            llm_s=llm,
            tools_s=self.tools_s,
            first_sentence_s=first_sentence,
            tts_s=self.tts_ttfb_s,
        )
