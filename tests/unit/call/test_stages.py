"""Where a silent turn broke: the first stage that did not happen, as far as the agent tells."""

import pytest

from exporter.outcome import ModelUsage, Reason, SilentStage, Stages, Timeline, TurnReport
from exporter.outcome.timeline import (
    AgentState,
    CallerSpoke,
    Event,
    Message,
    Source,
    Transcript,
    Usage,
    UserState,
)
from exporter.probes.latency.stages import silent_stage, stages
from tests.fake_call.agent import SPEAKS_S, TRANSCRIBED_S, TURN_OVER_S
from tests.fake_call.calls import converse
from tests.fake_call.script import Script

US = "agent-1"
SAID = CallerSpoke(at=10.0, until=11.0)


def call(*events: Event) -> Timeline:
    """Return a call in which these things happened."""
    happened = Timeline(US)
    for each in (SAID, *events):
        happened.add(each)
        if isinstance(each, UserState):  # told on the stream of its session
            happened.reporters.add(each.sender)
    return happened


def hears(at: float, sender: str = US) -> Event:
    """Return that an agent hears a voice."""
    return UserState(at=at, sender=sender, state="speaking")


def hushes(at: float) -> Event:
    """Return that the agent hears no voice any more."""
    return UserState(at=at, sender=US, state="listening")


def uses_recogniser(at: float) -> Event:
    """Return that the agent has paid for recognition."""
    return Usage(at=at, sender=US, models=(ModelUsage("stt", stt_seconds=1.2),))


def understands(
    at: float, text: str = "so be it", sender: str = US, *, final: bool = True
) -> Event:
    """Return that an agent understood words."""
    return Transcript(at=at, sender=US, text=text, final=final)


def ends(at: float) -> Event:
    """Return that the caller's turn is over."""
    return Message(at=at, sender=US, by_agent=False, figures=TurnReport())


def is_in(state: str, at: float) -> Event:
    """Return that the agent says what it does."""
    return AgentState(at=at, sender=US, state=state)


OLD_TEXT = Transcript(at=11.2, text="so be it", final=True, source=Source.TRANSCRIPTION)
"""As livekit-agents before 1.5 has it, and other SDKs."""


@pytest.mark.parametrize(
    ("events", "stage"),
    [
        pytest.param((), SilentStage.UNKNOWN, id="tells nothing"),
        pytest.param((is_in("listening", 9.0),), SilentStage.UNKNOWN, id="tells its state only"),
        pytest.param((UserState(at=4.0, sender=US, state="listening"),), SilentStage.NOT_HEARD),
        pytest.param((hears(5.0), hushes(6.0)), SilentStage.NOT_HEARD, id="the turn before"),
        pytest.param((understands(4.0), hears(9.9)), SilentStage.NOT_TRANSCRIBED, id="still hears"),
        pytest.param((hears(10.4, "agent-2"),), SilentStage.UNKNOWN, id="another agent"),
        pytest.param((understands(4.0), hears(10.4)), SilentStage.NOT_TRANSCRIBED),
        pytest.param((uses_recogniser(10.6), hears(10.4)), SilentStage.NOT_TRANSCRIBED),
        pytest.param((hears(10.4),), SilentStage.UNKNOWN, id="a realtime model"),
        pytest.param(
            (hears(5.0), hushes(6.0), hears(10.4), understands(10.1)),
            SilentStage.NOT_TRANSCRIBED,
            id="words of the turn before",
        ),
        pytest.param(
            (hears(10.4), understands(10.9, final=False)),
            SilentStage.NOT_TRANSCRIBED,
            id="words that are not final",
        ),
        pytest.param(
            (hears(10.4), understands(11.2, "")), SilentStage.NOT_TRANSCRIBED, id="no words"
        ),
        pytest.param((hears(10.4), understands(11.2)), SilentStage.TURN_NOT_ENDED),
        pytest.param((understands(11.2),), SilentStage.TURN_NOT_ENDED, id="has no voice detector"),
        pytest.param((OLD_TEXT,), SilentStage.TURN_NOT_ENDED, id="lk.transcription"),
        pytest.param((hears(10.4), understands(11.2), ends(11.5)), SilentStage.NO_ANSWER),
        pytest.param((is_in("thinking", 11.5),), SilentStage.NO_ANSWER, id="state thinking"),
        pytest.param(
            (ends(11.5), is_in("thinking", 11.5), is_in("speaking", 12.0)), SilentStage.NOT_SPOKEN
        ),
        pytest.param((is_in("speaking", 10.9),), SilentStage.UNKNOWN, id="spoke before"),
    ],
)
def test_the_first_stage_that_did_not_happen(events: tuple[Event, ...], stage: SilentStage) -> None:
    """What came before does not count, nor what another agent tells."""
    assert silent_stage(call(*events), SAID) is stage


def test_a_deaf_agent_that_reports_tells_of_no_voice() -> None:
    """A real one (livekit-agents 1.8.9) tells nothing at all while it hears nothing."""
    silent = call()
    silent.reporters.add(US)
    assert silent_stage(silent, SAID) is SilentStage.NOT_HEARD


def test_each_stage_has_its_time_after_the_end_of_speech() -> None:
    """Of several final transcripts the last one, of all else the first."""
    happened = call(
        hears(10.2),
        understands(10.8),
        understands(11.3),
        ends(11.5),
        is_in("thinking", 11.6),
        is_in("speaking", 12.0),
    )
    found = stages(happened, SAID)
    assert found.heard_s == pytest.approx(-0.8)
    assert found.transcribed_s == pytest.approx(0.3)
    assert found.turn_ended_s == pytest.approx(0.5)
    assert found.speaking_s == pytest.approx(1.0)
    assert stages(call(), SAID) == Stages()


@pytest.mark.parametrize("at", [21.0, 21.2, 25.0])
def test_what_comes_when_the_reply_is_overdue_is_no_stage(at: float) -> None:
    """An agent that is only slow had no answer in time; its speech synthesis is not to blame."""
    late = call(hears(10.4), understands(11.2), ends(11.5), is_in("speaking", at))
    assert silent_stage(late, SAID, until=21.0) is SilentStage.NO_ANSWER
    assert stages(late, SAID, until=21.0).speaking_s is None


def test_a_transcriber_beside_a_deaf_agent_is_not_ours() -> None:
    """Both transcripts come in the caller's name; ours reports its own."""
    happened = call(OLD_TEXT)
    happened.reporters.add(US)
    assert silent_stage(happened, SAID) is SilentStage.NOT_HEARD


@pytest.mark.parametrize("stage", SilentStage)
def test_an_agent_that_stops_at_a_stage_is_told_of(stage: SilentStage) -> None:
    """In a whole turn, from the agent's messages on; with the reason and in words."""
    turn = converse(Script(stops_before=stage)).turns[0]
    assert (turn.reason, turn.silent_stage) == (Reason.NO_REPLY, stage)
    assert turn.detail.endswith(stage.words) == (stage is not SilentStage.UNKNOWN)
    order = list(SilentStage).index(stage)
    told = {
        "transcribed_s": (TRANSCRIBED_S, 1),
        "turn_ended_s": (TURN_OVER_S, 2),
        "speaking_s": (SPEAKS_S, 3),
    }
    for name, (after_s, place) in told.items():
        happened = place < order and stage is not SilentStage.UNKNOWN
        expected = pytest.approx(after_s, abs=0.002) if happened else None
        assert getattr(turn.stages, name) == expected, name


def test_a_turn_that_was_answered_broke_nowhere() -> None:
    """It has its stages all the same, for turns that were late."""
    turn = converse(Script(reports=True)).turns[0]
    assert turn.silent_stage is None
    assert turn.stages.turn_ended_s is not None
    assert turn.stages.speaking_s == pytest.approx(turn.e2e_s, abs=0.1)


def test_an_error_is_told_in_place_of_a_stage() -> None:
    """The agent's own word for what broke says more."""
    turn = converse(Script(error="the model is down")).turns[0]
    assert (turn.reason, turn.silent_stage) == (Reason.AGENT_ERROR, None)
