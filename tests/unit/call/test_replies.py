"""The latency that is measured is the one that the caller lives through, to the millisecond."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from exporter.outcome import Reason, TurnOutcome
from exporter.probes.latency.reply import SAID_ONLY_S
from exporter.rtc.levels import WINDOW_S
from tests.fake_call.calls import World, converse, place, target
from tests.fake_call.script import Script
from tests.fake_call.sounds import FILLER_S, SOUND_S, UTTERANCE_S

RESOLUTION_S = 0.001
"""On the virtual clock nothing is late: what is left is where in a window sound begins."""

REPLIES = {
    "replies after 0.3 s": Script(delay_s=0.3),
    "replies after 1 s": Script(),
    "replies after 4 s": Script(delay_s=4.0),
    "tells no state": Script(states=False),
    "plays background audio": Script(background=True),
    "clicks 0.3 s before replying": Script(click_s=0.3),
    "pauses 0.6 s in its reply": Script(pause_s=0.6),
    "pauses 0.9 s in its reply and tells no state": Script(pause_s=0.9, states=False),
    "talks over the end of the caller's speech": Script(interrupt_s=1.4, delay_s=3.0),
    "speaks by an avatar": Script(avatar=True),
}


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_is_timed_to_the_sample(name: str) -> None:
    """Each of two turns reads what truly passed between the caller's end and the reply's start."""
    talk = converse(REPLIES[name], turns=2)
    assert talk.ended is None
    assert [turn.outcome for turn in talk.turns] == [TurnOutcome.REPLIED] * 2, talk
    for number, turn in enumerate(talk.turns):
        assert turn.e2e_s == pytest.approx(REPLIES[name].delay_s, abs=RESOLUTION_S)
        assert turn.e2e_s == pytest.approx(talk.true_e2e_s(number), abs=RESOLUTION_S)
        assert turn.loop_lag_s == pytest.approx(0.0, abs=1e-6)


def test_noise_blurs_a_reply_by_a_window() -> None:
    """On a line with noise of -50 dBFS its peaks pass for the reply's first sample, no earlier."""
    for turn in converse(Script(noise_db=-50.0), turns=2).turns:
        assert turn.e2e_s is not None
        assert 1.0 - 2 * WINDOW_S < turn.e2e_s < 1.0 + RESOLUTION_S


def test_a_click_right_before_a_reply_is_part_of_it() -> None:
    """A voice dips for as long as 15 ms: a click of 5 ms that ends 5 ms before is its beginning."""
    for turn in converse(Script(click_s=0.005), turns=2).turns:
        assert turn.e2e_s == pytest.approx(1.0 - 0.010, abs=RESOLUTION_S)


def test_music_on_a_second_track_is_no_reply(wav: Path) -> None:
    """The first microphone track is the agent's voice, however loud another one is."""
    placed = place(Script(music=True), World(), target(utterance={"wav": wav}, trials=2))
    assert [turn.e2e_s for turn in placed.call.turns] == pytest.approx([1.0] * 3, abs=RESOLUTION_S)


SAID = Script(filler_s=0.9, delay_s=5.0, says_filler=True, reports=True)
"""Says "one moment" by `session.say`, works for seconds in the state `listening`, and answers."""


def test_a_filler_is_no_answer() -> None:
    """Both times are known, and nothing is said to the agent before its answer has ended."""
    talk = converse(SAID, turns=3)
    assert [turn.outcome for turn in talk.turns] == [TurnOutcome.REPLIED] * 3, talk
    for turn in talk.turns:
        assert turn.e2e_s == pytest.approx(0.9, abs=RESOLUTION_S)
        assert turn.time_to_answer_s == pytest.approx(5.0, abs=RESOLUTION_S)
        assert turn.answered_s == turn.time_to_answer_s
        assert turn.components.transport_s is None
    for before, after in pairwise(talk.truth):
        assert before.replied is not None
        assert after.end - UTTERANCE_S > before.replied + SOUND_S


def test_the_figures_of_a_filler_are_not_those_of_the_answer() -> None:
    """The agent reports a message for each; the answer's is the one that was waited for."""
    turn = converse(SAID).turns[0]
    assert turn.reported_e2e_s == pytest.approx(0.9)
    assert turn.components.tts_s == pytest.approx(0.1)


def test_an_agent_that_says_its_answers_is_asked_on() -> None:
    """Nothing follows in the longest time of a reply: what was said was the answer."""
    script = Script(filler_s=0.9, says_filler=True, reports=True, never_answers=True)
    talk = converse(script, turns=4)
    assert [turn.outcome for turn in talk.turns] == [TurnOutcome.REPLIED] * 4, talk
    for turn in talk.turns:
        assert turn.e2e_s == pytest.approx(0.9, abs=RESOLUTION_S)
        assert turn.time_to_answer_s is None
    first, second, third, fourth = (each.end for each in talk.truth)
    assert second - first > SAID_ONLY_S
    assert third - second > SAID_ONLY_S  # the words before might have been a late greeting
    assert fourth - third < 5  # it is known by then


def test_an_agent_that_has_greeted_and_says_its_answers_is_known_after_one() -> None:
    """What it says to the first utterance cannot be a late greeting."""
    script = Script(greet_s=1.0, filler_s=0.9, says_filler=True, reports=True, never_answers=True)
    talk = converse(script, turns=3)
    first, second, third = (each.end for each in talk.truth)
    assert second - first > SAID_ONLY_S
    assert third - second < 5


def test_a_filler_before_an_error_is_no_reply() -> None:
    """The error is the outcome of the turn, and not the time of the filler."""
    script = replace(SAID, never_answers=True, fails_after="the model is down")
    turn = converse(script).turns[0]
    assert (turn.outcome, turn.reason) == (TurnOutcome.FAILED, Reason.AGENT_ERROR)
    assert turn.e2e_s is None


def test_after_an_answer_a_filler_alone_is_no_reply() -> None:
    """1. A filler, and an answer. 2. A filler, and nothing more. Result: the second failed."""
    turns = converse(replace(SAID, answers_once=True), turns=2).turns
    assert turns[0].answered_s == pytest.approx(5.0, abs=RESOLUTION_S)
    assert (turns[1].outcome, turns[1].reason) == (TurnOutcome.FAILED, Reason.NO_REPLY)
    assert turns[1].detail == (
        "a filler, and no answer for 12 s (agent state 'listening'): "
        "it held the caller's turn for over, and had no answer"
    )


def test_work_after_an_answer_takes_nothing_from_it() -> None:
    """An agent that works on in silence, for however long, has answered when it did."""
    for works_on_s in (1.2, 40.0):
        turn = converse(replace(SAID, works_on_s=works_on_s)).turns[0]
        assert turn.answered_s == pytest.approx(5.0, abs=RESOLUTION_S)
        turn = converse(Script(reports=True, works_on_s=works_on_s)).turns[0]
        assert turn.answered_s == pytest.approx(1.0, abs=RESOLUTION_S)


def test_a_second_sentence_after_a_tool_is_not_what_was_waited_for() -> None:
    """The first sentence has a latency of its own, as the agent reports it."""
    turn = converse(Script(reports=True, works_on_s=3.0, says_more=True)).turns[0]
    assert turn.answered_s == pytest.approx(1.0, abs=RESOLUTION_S)


def test_messages_without_any_figure_are_no_fillers() -> None:
    """Realtime models report none: nobody waits for more."""
    talk = converse(Script(reports=True, without_figures=True), turns=2)
    first, second = (each.end for each in talk.truth)
    assert second - first < 6


def test_an_answer_long_after_a_filler_is_not_taken_for_the_next_reply() -> None:
    """While the agent says that it thinks, its turn is not over, however long it is silent."""
    script = Script(filler_s=0.4, delay_s=4.0)
    talk = converse(script, turns=2)
    first, second = talk.truth
    silent_s = script.delay_s - 0.4 - FILLER_S
    assert silent_s > 3  # far longer than a pause between two sentences
    assert first.replied is not None
    assert second.end > first.replied


def test_an_agent_that_talks_over_the_whole_wait_has_not_replied() -> None:
    """Sound that began before our end and never stopped is no reply to what we said."""
    talk = converse(Script(interrupt_s=9.0, mute=True), reply_timeout=3)
    assert talk.turns[0].outcome is TurnOutcome.FAILED
    assert talk.turns[0].e2e_s is None


def test_an_agent_without_states_that_talks_over_is_heard_after_a_second_of_silence() -> None:
    """Its sentences cannot be told apart by states: only silence says that it was done."""
    script = Script(interrupt_s=1.4, delay_s=4.0, states=False)
    talk = converse(script)
    assert talk.turns[0].e2e_s == pytest.approx(4.0, abs=RESOLUTION_S)


def test_a_turn_in_which_the_track_was_replaced_is_void() -> None:
    """The old track says nothing about the agent, and the new one is heard from then on."""
    first, second = converse(Script(republish=True), turns=2).turns
    assert first.outcome is TurnOutcome.VOID
    assert "replaced" in first.detail
    assert second.e2e_s == pytest.approx(1.0, abs=RESOLUTION_S)


def test_reported_figures_come_with_the_turn_that_they_are_of() -> None:
    """The agent's own parts and what is left for transport add up to what was heard."""
    for turn in converse(Script(reports=True), turns=2).turns:
        parts = turn.components
        assert turn.reported_e2e_s == pytest.approx(0.9)
        assert parts.transcription_s == pytest.approx(0.2)
        assert parts.end_of_turn_s == pytest.approx(0.1)
        assert parts.llm_s == pytest.approx(0.4)
        assert parts.tts_s == pytest.approx(0.1)
        assert parts.transport_s == pytest.approx(0.2, abs=RESOLUTION_S)


def test_the_depth_of_the_jitter_buffer_is_of_the_turn() -> None:
    """It is what the receiver's counters say between utterance and reply."""
    turn = converse(Script()).turns[0]
    assert turn.jitter_buffer_s == pytest.approx(0.06, abs=1e-4)


def test_a_conversation_needs_no_sdk() -> None:
    """Neither turns nor what they import load LiveKit's SDK: they need only a `Line`."""
    program = (
        "import sys, exporter.probes.latency.conversation;"
        "print(sorted(name for name in sys.modules if name.split('.')[0] == 'livekit'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
