"""A whole call ends in the right reason, keeps what it knows, and leaves nothing behind."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jwt
import numpy as np
import pytest

from exporter.errors import ProbeError
from exporter.outcome import MediaDirection, Mos, Reason, TurnOutcome, Verdict
from exporter.probe import PROBE_ATTRIBUTE, ROOM_PREFIX, Run
from exporter.probes.latency import clips, quality, sound
from exporter.probes.latency.judge import judge
from exporter.probes.latency.measure import Call
from exporter.probes.latency.sound import SCORE_S
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.latency.utterances import Say
from exporter.rtc.levels import RATE, Pcm, speech_bounds
from tests.fake_call.api import SERVER
from tests.fake_call.calls import Placed, World, place, target
from tests.fake_call.script import Script
from tests.fake_call.sounds import SOUND_S
from tests.virtual_time import Clock

RESOLUTION_S = 0.001
GONE = frozenset[str]()


def config(wav: Path, **settings: Any) -> LatencyConfig:
    """Return a target that says that clip."""
    return target(utterance={"wav": wav}, **settings)


def assert_clean(placed: Placed) -> None:
    """Assert that the one room of the call is deleted, and that the caller has left it."""
    assert placed.rooms_made == ("voice-exporter-r1",)
    assert placed.rooms_left == GONE
    assert not placed.inside


def test_a_call_is_measured(wav: Path) -> None:
    """Warm-up and turns read the true latency; an agent that reports no parts says why."""
    placed = place(Script(), World(), config(wav, trials=2))
    assert placed.outcome.reason is None, placed.outcome
    assert [turn.warmup for turn in placed.call.turns] == [True, False, False]
    for turn in placed.call.turns:
        assert turn.e2e_s == pytest.approx(1.0, abs=RESOLUTION_S)
        assert turn.components.llm_s is None
    assert "lk.agent.session" in placed.call.split_absent
    assert placed.call.time_to_greeting_s is None
    assert_clean(placed)


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        pytest.param(("Where is my order",), 0, id="all"),
        pytest.param(("Where is", "my border?"), 1, id="two finals, one word wrong"),
        pytest.param((), None, id="no transcript"),
    ],
)
def test_what_the_agent_understood_is_counted(
    wav: Path, caplog: pytest.LogCaptureFixture, heard: tuple[str, ...], wrong: int | None
) -> None:
    """Its final transcripts of each turn against the words; interim ones and others do not count.

    The words stay in the call.
    """
    said = {"wav": wav, "transcript": "Where is my order?"}
    placed = place(Script(hears=heard), World(), target(utterances=[said], trials=2))
    assert placed.outcome.reason is None, placed.outcome
    for turn in placed.call.turns:
        assert (turn.transcription and turn.transcription.substituted) == wrong
        if turn.transcription is not None:
            assert (turn.transcription.words, turn.transcription.inserted) == (4, 0)
    assert "order" not in repr(placed.outcome) + caplog.text


def test_a_text_that_cannot_be_spoken_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is void before a room is made: nothing was asked of the agent."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))

    async def no_one(_say: Say) -> bytes:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(clips, "_by_program", no_one)
    monkeypatch.setattr("shutil.which", lambda _name: "/bin/espeak-ng")
    placed = place(Script(), World(), target(utterance={"say": {"text": "Hello."}}))
    assert placed.outcome.reason is Reason.VOID
    assert "an utterance could not be spoken" in placed.outcome.detail
    assert placed.rooms_made == ()


def test_times_run_from_the_dispatch_and_from_our_coming(wav: Path) -> None:
    """Time to agent ends with the agent in the room, time to greeting with its first sample."""
    script = Script(greet_s=2.5, greet_after_s=0.5)
    placed = place(script, World(join_after_s=6.0), config(wav, greeting="auto"))
    assert placed.outcome.reason is None, placed.outcome
    assert placed.call.time_to_agent_s == pytest.approx(6.0, abs=RESOLUTION_S)
    assert placed.call.time_to_greeting_s == pytest.approx(6.5, abs=RESOLUTION_S)


@pytest.mark.parametrize("room_name", [None, "our-test-room"])
def test_room_is_known_as_a_probes(room_name: str | None) -> None:
    """By its name, or by the caller in it: a listing must not count it as a real one."""
    config = LatencyConfig(agent_name="demo", room_name=room_name)
    nobody: Any = None
    call = Call(config, Run("r1", SERVER, 1e9), nobody, lambda *_: nobody)

    claims = jwt.decode(call._room._token(), options={"verify_signature": False})

    marked = claims.get("attributes", {}).get(PROBE_ATTRIBUTE) == "true"
    assert marked or claims["video"]["room"].startswith(ROOM_PREFIX)


def test_another_agent_in_the_room_is_not_taken_for_ours(wav: Path) -> None:
    """Neither its arrival nor its reply after 0.3 s counts."""
    world = World(companion=True, join_after_s=2.0)
    placed = place(Script(), world, config(wav))
    assert placed.call.time_to_agent_s == pytest.approx(2.0, abs=RESOLUTION_S)
    assert [turn.e2e_s for turn in placed.call.turns] == pytest.approx([1.0] * 2, abs=RESOLUTION_S)


def test_an_agent_without_a_name_is_known_by_its_dispatch(wav: Path) -> None:
    """An older worker sets no name: the server's list of jobs says that it is the one."""
    placed = place(Script(), World(named=False, join_after_s=2.0), config(wav))
    assert placed.call.time_to_agent_s == pytest.approx(2.0, abs=RESOLUTION_S)
    assert placed.outcome.reason is None, placed.outcome


@pytest.mark.parametrize("join_after_s", [4.0, 12.0])
def test_of_all_agents_that_join_the_one_with_a_voice_is_called(
    wav: Path, join_after_s: float
) -> None:
    """A transcriber that is there first has no microphone, and never will have one."""
    world = World(unasked=True, transcriber=True, join_after_s=join_after_s)
    placed = place(Script(), world, config(wav, dispatch="automatic", track_timeout=3))
    assert placed.outcome.reason is None, placed.outcome
    assert placed.call.time_to_agent_s == pytest.approx(join_after_s, abs=RESOLUTION_S)
    assert [turn.e2e_s for turn in placed.call.turns] == pytest.approx([1.0] * 2, abs=RESOLUTION_S)


def test_an_agent_without_a_voice_is_named(wav: Path) -> None:
    """Where any agent may be meant, the detail says which one was there."""
    world = World(unasked=True, transcriber=True, works=False)
    placed = place(Script(), world, config(wav, dispatch="automatic", track_timeout=3))
    assert placed.outcome.reason is Reason.NO_AUDIO_TRACK
    assert placed.outcome.detail == "agent 'scribe' published no microphone track within 3 s"


def test_an_agent_that_was_dispatched_twice_is_found(wav: Path) -> None:
    """The caller hears both: the call is SLOW at least, and says so."""
    placed = place(Script(), World(twin_until_s=600), config(wav))
    assert placed.outcome.reason is None, placed.outcome
    assert placed.call.agents == 2
    (found,) = judge(config(wav), placed.outcome)
    assert found.verdict is Verdict.SLOW
    assert found.text == "the caller hears 2 agents of this name at once: dispatched twice?"


def test_an_agent_that_takes_over_is_no_second_one(wav: Path) -> None:
    """In a hand-over both are there for a moment, not for a whole turn."""
    placed = place(Script(), World(twin_until_s=1.0), config(wav))
    assert placed.call.agents == 1
    assert judge(config(wav), placed.outcome) == ()


FAILING = {
    "no worker": (
        Script(),
        World(works=False),
        {"join_timeout": 3},
        Reason.NO_WORKER,
        "no worker named 'demo' accepted the job within 3 s",
    ),
    "a worker whose agent does not come": (
        Script(),
        World(join_after_s=None),
        {"join_timeout": 3},
        Reason.JOIN_TIMEOUT,
        "a worker accepted the job, but no agent joined within 3 s",
    ),
    "an agent that comes too late": (
        Script(),
        World(join_after_s=14.0),
        {"join_timeout": 9},
        Reason.JOIN_TIMEOUT,
        "a worker accepted the job, but no agent joined within 9 s",
    ),
    "no track": (
        Script(no_track=True),
        World(),
        {"track_timeout": 3},
        Reason.NO_AUDIO_TRACK,
        "the agent published no microphone track within 3 s",
    ),
    "a track that is encrypted": (
        Script(encrypted=True, noise_db=-3.0),
        World(),
        {},
        Reason.ENCRYPTED,
        "the agent's audio is encrypted, but the call is not; set livekit.e2ee_key_file",
    ),
    "a greeting without end": (
        Script(greet_s=20.0),
        World(),
        {"greeting_timeout": 5},
        Reason.GREETING_TIMEOUT,
        "the agent did not start to listen (state 'speaking') within 5 s",
    ),
    "silence": (
        Script(mute=True),
        World(),
        {"reply_timeout": 3},
        Reason.NO_REPLY,
        "silence for 3 s (agent state 'listening')",
    ),
    "an agent that leaves": (
        Script(leave=True),
        World(),
        {},
        Reason.AGENT_LEFT,
        "the agent left the room during the call",
    ),
    "a room that is closed": (
        Script(close=True),
        World(),
        {},
        Reason.ROOM_CLOSED,
        "the room was deleted, by the agent or an administrator (room_deleted)",
    ),
    "a prober that tore its utterance": (
        Script(blocks=((-0.5, 0.3),)),
        World(),
        {},
        Reason.VOID,
        "the prober: its audio queue ran empty",
    ),
    "refused by the room": (
        Script(),
        World(refused="engine: 401 Unauthorized"),
        {},
        Reason.AUTH_FAILED,
        "could not join: engine: 401 Unauthorized",
    ),
    "a server that is not there": (
        Script(),
        World(refused="connection refused"),
        {},
        Reason.CONNECT_FAILED,
        "could not join: connection refused",
    ),
    "no media": (
        Script(),
        World(endless=True),
        {},
        Reason.CONNECT_FAILED,
        "no media connection within 10 s",
    ),
    "a dispatch that is not taken": (
        Script(),
        World(api_fails={"create_dispatch": ProbeError(Reason.API_FAILED, "too long")}),
        {},
        Reason.DISPATCH_FAILED,
        "too long",
    ),
    "a dispatch that is refused": (
        Script(),
        World(api_fails={"create_dispatch": ProbeError(Reason.AUTH_FAILED, "403")}),
        {},
        Reason.AUTH_FAILED,
        "403",
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_call_that_fails_has_its_reason_and_leaves_no_room(name: str, wav: Path) -> None:
    """Whatever ends the call, its room is left and deleted, and people are told in one line."""
    script, world, settings, reason, detail = FAILING[name]
    placed = place(script, world, config(wav, **settings))
    assert (placed.outcome.reason, placed.outcome.detail) == (reason, detail)
    assert_clean(placed)


@pytest.mark.parametrize("works", [True, False])
def test_a_dispatch_that_brought_nobody_is_taken_back(works: bool, wav: Path) -> None:
    """An agent that comes when we are gone would open the room again, and stay in it."""
    world = World(works=works, join_after_s=None)
    placed = place(Script(), world, config(wav, join_timeout=3))
    assert placed.dispatches_left == 0


def test_a_dispatch_that_cannot_be_taken_back_hides_no_reason(wav: Path) -> None:
    """Why nobody came is the outcome; the log of the run has the rest."""
    fails = {"delete_dispatch": ProbeError(Reason.API_FAILED, "size mismatch")}
    world = World(works=True, join_after_s=None, api_fails=fails)
    placed = place(Script(), world, config(wav, join_timeout=3))
    assert placed.outcome.reason is Reason.JOIN_TIMEOUT
    assert any("dispatch not deleted: api_failed" in line for line in placed.outcome.log)


def test_without_a_dispatch_a_worker_without_a_name_is_missed(wav: Path) -> None:
    """With `dispatch: automatic` none is asked for, and the detail says who did not come."""
    placed = place(Script(), World(), config(wav, dispatch="automatic", join_timeout=3))
    assert placed.outcome.reason is Reason.NO_WORKER
    assert placed.outcome.detail == "no worker without a name accepted the job within 3 s"


def test_turns_before_the_deadline_are_kept(wav: Path) -> None:
    """A call that ran out of time still has the turns that it measured."""
    settings = config(wav, trials=10).model_copy(update={"deadline": 24.0})  # as /probe does
    placed = place(Script(delay_s=4.0), World(), settings)
    assert placed.outcome.reason is Reason.DEADLINE
    assert placed.outcome.detail == "not finished within 24 s"
    # 19 s are left for turns of about 6.5 s, after half a second of silence.
    assert [turn.e2e_s for turn in placed.call.turns] == pytest.approx([4.0] * 2, abs=RESOLUTION_S)
    assert_clean(placed)


def test_a_turn_that_failed_before_a_standstill_stays_failed(wav: Path) -> None:
    """1. No reply while the prober was well. 2. It stands still until the deadline is over."""
    settings = config(wav, trials=10, reply_timeout=3).model_copy(update={"deadline": 24.0})
    placed = place(Script(mute=True, blocks=((6.0, 9.0),)), World(), settings)
    assert placed.call.turns[0].reason is Reason.NO_REPLY
    assert placed.outcome.reason is Reason.NO_REPLY


def test_the_lag_of_a_call_is_told_with_its_turns(wav: Path) -> None:
    """The largest of the whole call; of a turn what was late at its two ends."""
    placed = place(Script(delay_s=4.0, blocks=((1.0, 0.5),)), World(), config(wav))
    assert placed.outcome.loop_lag_s == pytest.approx(0.49, abs=0.01)
    assert placed.call.turns[0].loop_lag_s == pytest.approx(0.0, abs=0.001)


def test_a_call_that_did_not_begin_has_no_lag(wav: Path) -> None:
    """Nobody was connected, so nothing was watched."""
    placed = place(Script(), World(refused="connection refused"), config(wav))
    assert placed.outcome.loop_lag_s is None


def test_a_first_turn_that_fails_is_not_hidden_as_warm_up(wav: Path) -> None:
    """It is one of the turns that were planned; not one more than those is counted."""
    placed = place(Script(mute=True), World(), config(wav, trials=2, reply_timeout=3))
    assert [turn.outcome for turn in placed.call.turns] == [TurnOutcome.FAILED] * 2
    assert not any(turn.warmup for turn in placed.call.turns)


def test_the_first_reply_is_the_warm_up_after_a_turn_that_failed(wav: Path) -> None:
    """1. No reply to the first utterance. 2. Replies. Result: the failure and two trials count."""
    placed = place(Script(cold=True), World(), config(wav, trials=3, reply_timeout=3))
    replied, failed = TurnOutcome.REPLIED, TurnOutcome.FAILED
    turns = [(turn.outcome, turn.warmup) for turn in placed.call.turns]
    assert turns == [(failed, False), (replied, True), (replied, False), (replied, False)]
    assert placed.outcome.reason is Reason.NO_REPLY


def test_the_turn_that_ended_the_call_is_its_last(wav: Path) -> None:
    """An agent that leaves after its reply has one good turn, and one that failed by it."""
    placed = place(Script(goodbye=True), World(), config(wav, trials=3))
    first, second = placed.call.turns
    assert first.outcome is TurnOutcome.REPLIED
    assert (second.outcome, second.reason) == (TurnOutcome.FAILED, Reason.AGENT_LEFT)
    assert placed.outcome.reason is Reason.AGENT_LEFT


def test_a_room_that_exists_already_is_left_alone(wav: Path) -> None:
    """A target's own room name that is in use is not entered and not deleted."""
    world = World(rooms=frozenset({"front-desk"}))
    placed = place(Script(), world, config(wav, room_name="front-desk"))
    assert placed.outcome.reason is Reason.API_FAILED
    assert "already exists" in placed.outcome.detail
    assert placed.rooms_left == {"front-desk"}
    assert placed.rooms_made == ()


@pytest.mark.parametrize("reason", [Reason.AUTH_FAILED, Reason.API_FAILED, Reason.CONNECT_FAILED])
def test_a_room_that_cannot_be_made_ends_the_call(reason: Reason, wav: Path) -> None:
    """The server's answer is the reason, and nothing is deleted that was not made."""
    fails = {
        "create_room": ProbeError(reason, "no"),
        "delete_room": ProbeError(Reason.API_FAILED, "not asked for"),
    }
    placed = place(Script(), World(api_fails=fails), config(wav))
    assert (placed.outcome.reason, placed.outcome.detail) == (reason, "no")
    assert not any("not deleted" in line for line in placed.outcome.log)


def test_a_room_that_cannot_be_deleted_costs_no_turn(wav: Path) -> None:
    """The turns are good all the same; the log of the run has it."""
    fails = {"delete_room": ProbeError(Reason.API_FAILED, "busy")}
    placed = place(Script(), World(api_fails=fails), config(wav))
    assert placed.outcome.reason is None
    assert any("not deleted: api_failed: busy" in line for line in placed.outcome.log)


def test_a_call_says_how_it_sounded(wav: Path) -> None:
    """The reply of each turn, who spoke for how long, and both ways of the media."""
    script = Script(pause_s=0.6, interrupt_s=1.4, delay_s=3.0)
    call = place(script, World(), target(utterance={"wav": wav})).call
    for turn in call.turns:
        assert turn.reply is not None
        assert turn.reply.longest_gap_s == pytest.approx(0.6, abs=0.01)
        assert turn.reply.clipped_ratio == 0.0
    assert call.speech_s is not None
    assert call.overlap_s is not None
    assert call.speech_s.caller > call.overlap_s > 0.1
    assert call.speech_s.agent > len(call.turns) * 2 * SOUND_S
    assert call.media is not None
    assert call.media.up == MediaDirection(1000, 10, 0.002)
    assert call.media.down.concealed_ratio == pytest.approx(0.01)
    assert replace(call.media.down, concealed_ratio=None) == MediaDirection(500, 5, 0.003)


Score = Callable[[Pcm], Mos]
GOOD = Mos(4.0, 4.5, 4.25)


def scored_call(wav: Path, monkeypatch: pytest.MonkeyPatch, score: Score, **more: Any) -> Placed:
    """Return a call whose replies `score` scores."""
    monkeypatch.setattr(sound, "find_spec", lambda _name: "there")
    monkeypatch.setattr(quality, "mos", score)
    settings: dict[str, Any] = {"trials": 2, "sound": {"mos": True}, **more}
    return place(Script(), World(), config(wav, **settings))


def scores(placed: Placed) -> list[Mos | None]:
    """Return the score of each reply of a call."""
    return [turn.reply.mos for turn in placed.call.turns if turn.reply]


def test_measured_replies_are_scored(wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each the audio from its first sound on; the run is as long as without."""
    heard: list[Pcm] = []

    def score(pcm: Pcm) -> Mos:
        heard.append(pcm)
        return GOOD

    placed = scored_call(wav, monkeypatch, score)
    assert scores(placed) == [None, GOOD, GOOD]
    for pcm in heard:
        begin, end = speech_bounds(pcm)
        assert begin < RATE * 0.01
        assert (end - begin) / RATE == pytest.approx(SOUND_S, abs=0.01)
    without = place(Script(), World(), config(wav, trials=2))
    assert placed.outcome.duration_s == pytest.approx(without.outcome.duration_s)


def test_no_reply_is_scored_unless_asked(wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And none is kept for it."""
    placed = scored_call(wav, monkeypatch, lambda _pcm: GOOD, sound={})
    assert scores(placed) == [None, None, None]


def test_ten_replies_of_a_call_are_scored(wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones: their audio is kept until then."""
    placed = scored_call(wav, monkeypatch, lambda _pcm: GOOD, trials=12)
    assert scores(placed) == [None, *[GOOD] * 10, None, None]


def test_a_fault_of_the_model_costs_no_turn(wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log says what it was, in one line; the other replies are scored."""
    faults = iter((RuntimeError("[ONNXRuntimeError] no\nmore"),))

    def score(_pcm: Pcm) -> Mos:
        for fault in faults:
            raise fault
        return GOOD

    placed = scored_call(wav, monkeypatch, score)
    assert placed.outcome.reason is None
    assert scores(placed) == [None, None, GOOD]
    logged = "a reply was not scored: RuntimeError: [ONNXRuntimeError] no"
    assert any(line.endswith(logged) for line in placed.outcome.log)


def test_what_cannot_be_scored_in_time_is_left(wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that passes its deadline loses everything; so the log has how many were left."""
    clock = Clock()
    run = Run("r1", SERVER, clock() + 3 * SCORE_S, clock=clock, started=clock())

    def score(_pcm: Pcm) -> Mos:
        clock.advance(SCORE_S + 0.1)
        return GOOD

    monkeypatch.setattr(quality, "mos", score)
    call = place(Script(), World(), config(wav, trials=3)).call
    replies = quality.Replies()
    for number in range(1, 4):
        replies.keep(number, np.zeros(0, np.int16))
    turns = asyncio.run(replies.scored(call, run)).turns
    assert [turn.reply.mos for turn in turns if turn.reply] == [None, GOOD, None, None]
    assert "2 replies not scored" in run.lines[-1]
