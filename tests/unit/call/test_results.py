"""What is asked of the line once a reply was heard, of which a filler may have been the first."""

import asyncio
from dataclasses import replace
from unittest.mock import AsyncMock, Mock, call

import numpy as np
import pytest

from exporter.errors import ProbeError
from exporter.outcome import Components, Reason, Turn, TurnOutcome, TurnReport
from exporter.outcome.timeline import CallerSpoke
from exporter.probes.calibrate.echo import buzz
from exporter.probes.latency.deadline import REPORT_TIMEOUT_S
from exporter.probes.latency.reply import MAX_LAG_S, Habits
from exporter.probes.latency.results import GONE_TIMEOUT_S, STALL_S, Results
from exporter.probes.latency.speaking import RAN_DRY, Said
from exporter.rtc.clip import Clip
from exporter.rtc.levels import WINDOW
from exporter.rtc.sound import reply_sound
from tests import virtual_time
from tests.virtual_time import Clock

BEGAN, END, REPLIED, ANSWERED = 8.0, 10.0, 16.0, 24.0
ONSET = 200
CLIP = Clip(np.zeros(48_000, np.int16), 0, 48_000, 0.0, "how much is it")
QUIET, VOICE = -90.0, -18.0
LEVELS = [VOICE, QUIET, VOICE, QUIET]


def said(*, torn: bool = False) -> Said:
    """Return an utterance of two seconds."""
    return Said(BEGAN, CallerSpoke(at=BEGAN, until=END), -50.0, None, CLIP, torn=torn)


def line_of(*, late: dict[float, float] | None = None) -> Mock:
    """Return a line on which a reply is heard at 16 s and, if it was a filler, an answer at 24 s.

    Args:
        late: How late the loop was about these times, in seconds.
    """
    line = Mock()
    line.ear.time_of = AsyncMock(side_effect=[REPLIED, ANSWERED])
    line.ear.levels.return_value = LEVELS
    line.ear.time_by_now.side_effect = lambda sample: sample / 48_000
    line.ear.audio.return_value = np.zeros(0, np.int16)
    line.caller.received = AsyncMock(return_value=None)
    line.caller.events.report_since = AsyncMock(return_value=TurnReport())
    line.caller.events.only_said_since.return_value = False
    line.caller.events.error_since.return_value = ""
    line.caller.state = "listening"
    line.caller.check_key = AsyncMock()
    line.wait = AsyncMock()
    line.caller.lag.worst.side_effect = lambda since, until: max(
        (seconds for at, seconds in (late or {}).items() if since <= at <= until), default=0.0
    )
    return line


def turn_on(
    line: Mock,
    *,
    replies: bool = True,
    filler: bool = False,
    torn: bool = False,
    habits: Habits | None = None,
) -> Turn:
    """Return what comes of a turn on that line."""
    results = Results(line, habits or Habits(), 6.0)
    over = Mock(answer=7 if filler else None)
    results._awaited = Mock(
        onset=AsyncMock(return_value=ONSET if replies else None),
        over=AsyncMock(return_value=over),
        missing_s=Mock(return_value=0.0),
    )
    return asyncio.run(results.of(said(torn=torn)))


def test_the_figures_are_asked_of_the_answer() -> None:
    """Of the first sound, where it is the answer; else what was told before is of the filler."""
    line = line_of()
    turn = turn_on(line)
    assert (turn.e2e_s, turn.time_to_answer_s) == (REPLIED - END, None)
    asked = line.caller.events.report_since
    assert asked.call_args == call(BEGAN, REPLIED, REPORT_TIMEOUT_S, 0.0)
    line = line_of()
    turn = turn_on(line, filler=True)
    assert (turn.e2e_s, turn.time_to_answer_s) == (REPLIED - END, ANSWERED - END)
    asked = line.caller.events.report_since
    assert asked.call_args == call(BEGAN, ANSWERED, REPORT_TIMEOUT_S, ANSWERED)


@pytest.mark.parametrize(
    ("at", "filler", "void"),
    [
        pytest.param(END - 0.6, False, False, id="before the end of the caller's speech"),
        pytest.param(END - 0.5, False, True, id="half a second before it"),
        pytest.param(END + 0.2, True, False, id="at the beginning of the wait"),
        pytest.param(REPLIED - 0.1, True, True, id="at a filler"),
        pytest.param(ANSWERED - 0.1, True, True, id="at the answer behind it"),
        pytest.param(ANSWERED - 0.1, False, False, id="long after an answer"),
        pytest.param((REPLIED + ANSWERED) / 2 - 0.2, True, False, id="between both"),
    ],
)
def test_each_end_that_is_told_is_looked_at(at: float, filler: bool, void: bool) -> None:
    """A loop that was late there voids the turn, and says by how much."""
    turn = turn_on(line_of(late={at: 0.9}), filler=filler)
    assert (turn.outcome is TurnOutcome.VOID) is void
    assert turn.loop_lag_s == (0.9 if void else 0.0)
    assert turn.detail == ("the prober: its event loop was 900 ms late" if void else "")


def test_lag_up_to_the_limit_voids_nothing() -> None:
    """It is told all the same."""
    turn = turn_on(line_of(late={REPLIED: MAX_LAG_S}))
    assert (turn.outcome, turn.loop_lag_s) == (TurnOutcome.REPLIED, MAX_LAG_S)


def test_a_torn_utterance_tells_its_lag() -> None:
    """The turn is void for the gap; what made it is known."""
    turn = turn_on(line_of(late={REPLIED: 0.5}), torn=True)
    assert turn == Turn.without_reply(Reason.VOID, RAN_DRY, 0.5)


def test_an_answer_behind_a_filler_is_a_habit() -> None:
    """From then on a filler alone is no answer; a reply without one shows nothing."""
    habits = Habits()
    turn_on(line_of(), habits=habits)
    assert not habits.answers_follow
    turn_on(line_of(), filler=True, habits=habits)
    turn_on(line_of(), habits=habits)
    assert habits.answers_follow


def test_the_reply_is_noted_to_its_last_sound() -> None:
    """From its first sample to the end of the last window that is loud."""
    line = line_of()
    turn_on(line)
    (noted,) = line.caller.events.timeline.add.call_args.args
    assert (noted.at, noted.until) == (REPLIED, (ONSET + 3) * WINDOW / 48_000)
    assert line.ear.levels.call_args == call(ONSET)


@pytest.mark.parametrize(
    ("levels", "windows"), [([-50.0], 1), ([-50.0, -50.0], 2), ([-50.1] * 3, 1), ([], 1)]
)
def test_a_reply_has_one_loud_window_at_least(levels: list[float], windows: int) -> None:
    """At the threshold it is loud; what is not kept any more is taken for one window."""
    line = line_of()
    line.ear.levels.return_value = levels
    turn_on(line)
    (noted,) = line.caller.events.timeline.add.call_args.args
    assert noted.until == (ONSET + windows) * WINDOW / 48_000


def test_silence_is_no_reply() -> None:
    """It says for how long, and what the agent says that it does."""
    line = line_of()
    line.caller.received.side_effect = [Mock(packets=1), Mock(packets=2)] * 2
    line.caller.state = "thinking"
    expected = "silence for 6 s (agent state 'thinking')"
    assert turn_on(line, replies=False) == Turn.without_reply(Reason.NO_REPLY, expected)
    line.caller.state = ""
    assert turn_on(line, replies=False).detail == "silence for 6 s (agent state 'unknown')"
    assert line.wait.call_args_list == [call(STALL_S)] * 2


def test_silence_after_an_error_is_an_error() -> None:
    """One of this turn."""
    line = line_of()
    line.caller.events.error_since.return_value = "no model"
    expected = Turn.without_reply(Reason.AGENT_ERROR, "the agent reported: no model")
    assert turn_on(line, replies=False) == expected
    assert line.caller.events.error_since.call_args == call(BEGAN)


def test_silence_after_a_torn_utterance_is_void() -> None:
    """Whatever else there is: the agent did not hear what was said."""
    line = line_of()
    line.caller.events.error_since.return_value = "no model"
    assert turn_on(line, replies=False, torn=True) == Turn.without_reply(Reason.VOID, RAN_DRY)


def test_an_agent_of_which_no_packet_comes_ends_the_call() -> None:
    """Once the server has had the time to find out that it is gone."""
    line = line_of()
    line.caller.received.side_effect = [Mock(packets=7), Mock(packets=7)]
    with pytest.raises(ProbeError) as ended:
        turn_on(line, replies=False)
    expected = "the agent's media stopped, but it is still in the room (state 'listening')"
    assert (ended.value.reason, ended.value.detail) == (Reason.NO_REPLY, expected)
    assert line.wait.call_args_list == [call(STALL_S), call(GONE_TIMEOUT_S)]


@pytest.mark.parametrize("unknown", [0, 1])
def test_without_statistics_nobody_says_that_media_stopped(unknown: int) -> None:
    """Either of the two may be missing."""
    line = line_of()
    found: list[Mock | None] = [Mock(packets=7), Mock(packets=7)]
    found[unknown] = None
    line.caller.received.side_effect = found
    assert turn_on(line, replies=False).reason is Reason.NO_REPLY


def only_said(state: str) -> Mock:
    """Return a line on which all that was heard is a filler, as far as reports tell."""
    line = line_of()
    line.caller.events.only_said_since.return_value = True
    line.caller.state = state
    return line


@pytest.mark.parametrize(
    ("state", "habits", "waited"),
    [
        pytest.param("thinking", Habits(), 30, id="it still works"),
        pytest.param("thinking", Habits(answers_follow=True), 30, id="as it did before"),
        pytest.param("listening", Habits(answers_follow=True), 12, id="it has answered before"),
    ],
)
def test_a_filler_alone_is_no_reply(state: str, habits: Habits, waited: int) -> None:
    """An answer was to follow: the turn failed, and says how long it was waited for."""
    expected = f"a filler, and no answer for {waited} s (agent state {state!r})"
    line = only_said(state)
    assert turn_on(line, habits=habits) == Turn.without_reply(Reason.NO_REPLY, expected)
    assert line.caller.events.only_said_since.call_args == call(BEGAN)
    line = only_said(state)
    assert turn_on(line, habits=habits, torn=True) == Turn.without_reply(Reason.VOID, RAN_DRY)
    line = only_said(state)
    line.caller.events.error_since.return_value = "no model"
    expected = "the agent reported: no model"
    assert turn_on(line, habits=habits) == Turn.without_reply(Reason.AGENT_ERROR, expected)
    assert line.caller.events.error_since.call_args == call(BEGAN)


@pytest.mark.parametrize("greeted", [False, True])
def test_an_agent_may_say_its_answers(greeted: bool) -> None:
    """It listens, and no answer has ever followed; before it has greeted that may be a greeting."""
    habits = Habits(greeted=greeted)
    turn = turn_on(only_said("listening"), filler=True, habits=habits)
    assert (turn.e2e_s, turn.time_to_answer_s) == (REPLIED - END, None)
    assert habits == Habits(greeted=greeted, says_answers=greeted)


@pytest.mark.parametrize(("filler", "heard_s"), [(False, REPLIED - END), (True, ANSWERED - END)])
def test_what_the_agent_reports_is_held_against_what_was_heard(
    filler: bool, heard_s: float
) -> None:
    """Of the answer; behind a filler the parts do not make the whole."""
    line, report, pcm = line_of(), Mock(), buzz(1.5)
    report.split.return_value = (Components(llm_s=0.4), ("tts",))
    report.plausible_e2e_s.return_value = 0.9
    line.caller.events.report_since.return_value = report
    line.ear.audio.return_value = pcm
    turn = turn_on(line, filler=filler)
    assert report.split.call_args == call(heard_s, whole=not filler)
    assert report.plausible_e2e_s.call_args == call(heard_s)
    assert (turn.components, turn.implausible) == (Components(llm_s=0.4), ("tts",))
    assert turn.reported_e2e_s == 0.9
    assert turn.reply is not None
    assert line.ear.audio.call_args == call(ONSET)
    assert line.ear.first_loud_sample.call_args == call(ONSET, said().threshold_db)


def test_the_sound_of_a_reply_takes_no_time() -> None:
    """It is worked out between two turns of the loop."""

    async def story(clock: Clock) -> float:
        began = clock()
        await reply_sound(buzz(3.0))
        return clock() - began

    assert virtual_time.run(story) == 0


def test_the_depth_of_the_jitter_buffer_needs_both_statistics() -> None:
    """Before the utterance, and after the reply."""
    line, before = line_of(), Mock()
    line.caller.received.return_value = Mock()
    line.caller.received.return_value.depth_since.return_value = 0.06
    results = Results(line, Habits(), 6.0)
    results._awaited = Mock(
        onset=AsyncMock(return_value=ONSET), over=AsyncMock(return_value=Mock(answer=None))
    )
    turn = asyncio.run(results.of(replace(said(), before=before)))
    assert turn.jitter_buffer_s == 0.06
    assert line.caller.received.return_value.depth_since.call_args == call(before)
    line.ear.time_of.side_effect = [REPLIED]
    line.caller.received.return_value = None
    assert asyncio.run(results.of(replace(said(), before=before))).jitter_buffer_s is None
    assert turn_on(line_of()).jitter_buffer_s is None
