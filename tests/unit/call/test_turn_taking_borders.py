"""What belongs to a turn, and what to a sound that the caller made into its reply."""

import numpy as np

from exporter.outcome import Timeline, Turn, TurnOutcome
from exporter.outcome.timeline import CallerSpoke, Transcript, UserState
from exporter.probes.latency.explained import explained
from exporter.probes.latency.speaking import Said
from exporter.rtc.clip import Clip

CLIP = Clip(np.zeros(48_000, np.int16), 0, 48_000, 0.0, "how much is it")


def said(at: float) -> Said:
    """Return an utterance of a second."""
    return Said(at, CallerSpoke(at=at, until=at + 1), -50.0, None, CLIP, torn=False)


def test_words_of_an_interruption_are_no_errors_of_the_turn() -> None:
    """The agent understood both: the turn, and what the caller said into its reply."""
    call, asked = Timeline(), said(10.0)
    for event in (
        asked.spoke,
        UserState(at=10.1, state="speaking"),
        Transcript(at=11.4, text="How much is it?", final=True),
        CallerSpoke(at=14.0, until=15.0),
        UserState(at=14.2, state="speaking"),
        Transcript(at=15.4, text="Please stop it.", final=True),
    ):
        call.add(event)
    turn = explained(Turn(TurnOutcome.REPLIED, e2e_s=1.0), asked, call, 10.0)
    assert turn.transcription is not None
    assert (turn.transcription.words, turn.transcription.wer) == (4, 0)
    assert turn.stages.transcribed_s is not None
    assert round(turn.stages.transcribed_s, 3) == 0.4
