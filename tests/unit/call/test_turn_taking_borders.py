"""What belongs to a turn, and what to a sound that the caller made into its reply."""

import asyncio
from unittest.mock import Mock

import numpy as np
import pytest

from exporter.outcome import (
    BackchannelOutcome,
    CallResult,
    InterruptionOutcome,
    Timeline,
    Turn,
    TurnOutcome,
    TurnReport,
)
from exporter.outcome.timeline import CallerSpoke, Message, Transcript, UserState
from exporter.probes.latency.explained import explained
from exporter.probes.latency.scenarios.backchannel import backchannel
from exporter.probes.latency.scenarios.barge_in import BargeIn, interruption
from exporter.probes.latency.scenarios.silence import Reply
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


def reply(*sounds: tuple[float, float], interrupted: bool | None, control_s: float) -> Reply:
    """Return a reply that was heard to 30 s, and reported at 14.8 s as interrupted or not."""
    call = Timeline()
    call.reporters.add("")
    if interrupted is not None:
        figures = TurnReport()
        call.add(Message(at=14.8, by_agent=True, figures=figures, interrupted=interrupted))
    call.add(Message(at=15.6, by_agent=False, figures=TurnReport()))
    return Reply(call, sounds, 30.0, control_s)


SPOKE = CallerSpoke(at=14.0, until=15.0)


@pytest.mark.parametrize(
    ("interrupted", "control_s", "outcome"),
    [
        (True, 3.0, InterruptionOutcome.YIELDED),
        (None, 3.0, InterruptionOutcome.VOID),
        (None, 4.7, InterruptionOutcome.FINISHED_FIRST),
        (True, 12.0, InterruptionOutcome.YIELDED),
    ],
)
def test_a_reply_longer_than_the_control_is_not_taken_for_finished(
    interrupted: bool | None,
    control_s: float,
    outcome: InterruptionOutcome,
) -> None:
    """The control was the reply to other words: it cannot tell how much of this one was left."""
    heard = reply((10.0, 14.6), (17.0, 19.0), interrupted=interrupted, control_s=control_s)
    assert interruption(heard, SPOKE).outcome is outcome


def test_a_reply_that_is_over_was_not_stopped_by_a_short_sound() -> None:
    """It is reported as not interrupted; what follows is the answer to the sound."""
    heard = reply((10.0, 14.6), (17.0, 19.0), interrupted=False, control_s=12.0)
    assert backchannel(heard, SPOKE, 0.1).outcome is BackchannelOutcome.IGNORED


def test_a_short_sound_into_a_reply_longer_than_the_control_is_void() -> None:
    """Whether it ended by itself cannot be told."""
    heard = reply((10.0, 14.6), interrupted=None, control_s=3.0)
    assert backchannel(heard, SPOKE, 0.1).outcome is BackchannelOutcome.VOID


def test_a_turn_without_a_reply_brings_no_interruption_of_the_turn_before() -> None:
    """The caller came too late once, and then there was nothing to interrupt."""
    scene = BargeIn(Mock())
    scene._control_s, scene.too_late = 8.0, True
    for at in (10.0, 40.0):
        asyncio.run(scene.after(said(at), Turn(TurnOutcome.FAILED)))
    assert len(scene.noted(CallResult("a", "b", "c")).interruptions) == 1


def test_nobody_waits_longer_for_a_greeting_than_is_configured() -> None:
    """An agent that never says that it listens, and is silent, does not greet."""
    stage = Mock()
    stage.scenario.into = "greeting"
    stage.line.first_sound.return_value = None
    stage.line.listens.return_value = False
    stage.line.hear_more.side_effect = AssertionError("it waits for ever")
    asyncio.run(BargeIn(stage).greeting(deadline=0.0))
