"""What bench/voicebench.py makes of the calls of both callers, and what it prints of them."""

import asyncio
import io
import json
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench import voicebench, voicebench_calls, voicebench_driver
from bench.report import Report
from bench.voicebench import Both
from bench.voicebench_calls import Session
from exporter.outcome import CallResult, Interruption, InterruptionOutcome
from exporter.server_api import Server
from tests.turn_agents import CASES, Truth, TurnCall, yields
from tests.unit.calls import call as placed
from tests.unit.calls import replied

LATE_S = 1.25
TURN: dict[str, Any] = {
    "expect": "respond",
    "trigger": "anchor",
    "start_s": 0.5,
    "responded": None,
    "response_latency_ms": None,
    "ttfa_ms": None,
    "stopped": None,
    "stop_latency_ms": None,
    "false_barge_in": None,
    "spurious_response": None,
}
"""A turn as voicebench 0.2.0 reports it; keys that are not read are left out."""
STAGES = tuple(
    json.dumps(each)
    for each in (
        {"stage": "joining", "at_s": 0.0},
        {"stage": "joined", "at_s": LATE_S},
        {"stage": "speaking", "at_s": LATE_S, "script_s": 0.0, "queued_s": 0.0, "late_s": LATE_S},
        {"stage": "speaking", "at_s": 9.0, "script_s": 7.0, "queued_s": 1.0, "late_s": 3.0},
    )
)


def report_of(*turns: dict[str, Any], truncated: bool = True) -> dict[str, Any]:
    """Return a report with one session of these turns."""
    return {"sessions": [{"turns": [TURN | turn for turn in turns], "truncated": truncated}]}


def session(*turns: dict[str, Any]) -> Session:
    """Return what is read of that."""
    return voicebench_calls.read(report_of(*turns), STAGES)


def responded(seconds: float, start_s: float = 0.5) -> dict[str, Any]:
    """Return a turn that was replied to."""
    ms = seconds * 1e3
    return {"response_latency_ms": ms, "ttfa_ms": ms - 30, "responded": True, "start_s": start_s}


def stop(seconds: float | None, *, stopped: bool | None) -> dict[str, Any]:
    """Return a turn in which the agent was to stop."""
    ms = None if seconds is None else seconds * 1e3
    return {"expect": "stop", "stop_latency_ms": ms, "stopped": stopped}


def ours(*interruptions: Interruption, truth: Truth) -> TurnCall:
    """Return a call of ours with two turns, and these interruptions."""
    outcome = placed(replied(1.2), replied(1.1))
    assert isinstance(outcome.result, CallResult)
    result = replace(outcome.result, interruptions=interruptions)
    return TurnCall(replace(outcome, result=result), truth.yields_s, truth.late_s, truth.replies_s)


def printed(tell: Any, *arguments: Any) -> str:
    """Return what is printed."""
    out = io.StringIO()
    tell(Report(Console(file=out, width=200)), *arguments)
    return out.getvalue()


def test_each_word_of_a_turn_is_read() -> None:
    """Also where a turn was not played."""
    ignore = {"expect": "ignore", "false_barge_in": False, "spurious_response": False}
    found = session(
        responded(2.0),
        {"responded": False},
        stop(0.7, stopped=True),
        stop(2.7, stopped=False),
        stop(None, stopped=None),
        ignore,
        ignore | {"false_barge_in": True},
        ignore | {"spurious_response": True},
        stop(None, stopped=None) | {"trigger": "not_played"},
    )
    assert [turn.verdict for turn in found.turns] == [
        "responded",
        "no response",
        "stopped",
        "kept talking",
        "nothing to stop",
        "ignored",
        "false barge-in",
        "spurious response",
        "not played",
    ]
    first = found.turns[0]
    assert (first.response_s, first.first_audio_s) == (2.0, 1.97)
    assert (found.joined_s, found.ended_by_limit, found.error) == (LATE_S, True, "")


def test_lateness_is_that_of_when_the_turn_began() -> None:
    """It grows within a session, on a machine that is late."""
    found = session(responded(2.0), responded(2.0, start_s=8.0))
    assert [turn.late_s for turn in found.turns] == [LATE_S, 3.0]


def test_figures_are_less_those_of_the_agent() -> None:
    """And without the first turn of a call, which is the warm-up."""
    truth = Truth((), (1.0, 1.0), 0.0)
    theirs = session(responded(9.0), responded(2.4))
    rows = voicebench.reply_figures([Both(ours(truth=truth), theirs, truth)], 1)
    errors_ms = [error for row in rows for call in row.errors_ms for error in call]
    assert errors_ms == pytest.approx([100, 1400, 1370, 150])
    text = printed(voicebench.tell_figures, "an agent", rows)
    assert "+1400 ms" in text
    assert "1 of 1" in text


def test_the_words_for_an_agent_that_stopped_are_counted() -> None:
    """Late as its caller is, it may call one that stopped soon a talker."""
    truth = Truth((0.5, 0.5), (), 0.0)
    heard = session(stop(0.9, stopped=True), stop(1.8, stopped=False), stop(None, stopped=None))
    text = printed(voicebench.tell_words, [Both(ours(truth=truth), heard, truth)])
    assert text.strip().endswith("where the agent stopped: 1 stopped, 1 kept talking")


def test_turns_that_are_not_as_many_as_the_agents_are_not_paired() -> None:
    """Any of them could be the one that is missing; it is said."""
    truth = Truth((0.5, 0.5), (), 0.0)
    one = Interruption(InterruptionOutcome.YIELDED, 0.6)
    both = Both(ours(one, truth=truth), session(stop(0.6, stopped=True)), truth)
    rows = voicebench.yield_figures([both], 2)
    assert {row.cells[2] for row in rows} == {"0 of 2"}
    text = printed(voicebench.tell_unpaired, [both])
    assert "stops measured: 1, the agent's: 2" in text


def test_of_an_agent_that_was_late_nothing_is_known() -> None:
    """Of either caller: it may not have done what it was told to."""
    late = Truth((0.5,), (1.0,), 2.0)
    one = Interruption(InterruptionOutcome.YIELDED, 0.6)
    both = Both(ours(one, truth=late), session(stop(0.6, stopped=True)), late)
    assert {row.cells[2] for row in voicebench.yield_figures([both], 1)} == {"0 of 1"}
    text = printed(voicebench.tell_missing, [both])
    assert text.count("the agent heard 2000 ms late: no truth") == 2


def test_what_did_not_come_is_said() -> None:
    """A session that was killed has said how far it came; one that ended, what ended it."""
    truth = Truth((), (1.0, 1.0), 0.0)
    killed = Session(error=f"killed after 90 s; {voicebench_calls.how_far(STAGES)}")
    played = session(responded(2.0), {"trigger": "not_played"})
    call = ours(truth=truth)
    both = [Both(call, killed, None), Both(call, played, truth), Both(call, played, None)]
    text = printed(voicebench.tell_missing, both)
    assert "killed after 90 s; speaking, 9 s after its clock began, 7 s into its script" in text
    assert "call 2, voicebench: turns not played: 1" in text
    assert "call 3, voicebench: the agent did not see its caller leave: no truth" in text
    assert "only by their max_duration_ms: 2 of 2" in text


def test_outcomes_stand_beside_the_true_one() -> None:
    """One that resumes is a stop to a tool that has no other word."""
    truth = Truth((0.5,), (0.6,), 0.0)
    resumed = Interruption(InterruptionOutcome.RESUMED)
    both = Both(ours(resumed, truth=truth), session(stop(0.7, stopped=True)), truth)
    text = printed(voicebench.tell_outcomes, {"resumes after a second": both})
    (row,) = [line for line in text.splitlines() if "resumes after a second" in line]
    assert [cell.strip() for cell in row.strip("│ ").split("│")[1:]] == [
        "resumed",
        "1 resumed",
        "1 stopped",
    ]


def test_outcomes_of_an_agent_that_was_late_are_not_counted() -> None:
    """It may not have done what it was told to, and neither caller is to blame."""
    late = Truth((0.5,), (0.6,), 2.0)
    talked = session(stop(2.7, stopped=False))
    both = Both(ours(Interruption(InterruptionOutcome.TALKED_ON), truth=late), talked, late)
    text = printed(voicebench.tell_outcomes, {"yields": both})
    assert "talked_on" not in text
    assert "kept talking" not in text


@pytest.mark.parametrize("name", voicebench.OUTCOMES)
def test_a_question_is_asked_when_the_agent_is_silent(name: str, tmp_path: Path) -> None:
    """Its caller does not wait for the answer to an interruption: the script has to be slow."""
    case = CASES[name]
    manner = case.manner
    script = voicebench.interruptions(case, tmp_path / "a.wav", 2)
    control, first, into, second, last = script.lines
    assert [line.expect for line in (control, first, second)] == ["respond"] * 3
    assert into == last
    assert into.expect == ("stop" if case.kind == "barge_in" else "ignore")
    assert into.delay_s == case.settings["after"]
    spoken_on_s = manner.reply_s + (manner.resumes_s or 0.0) - into.delay_s
    assert second.delay_s > max(spoken_on_s, manner.answer_s if manner.answers else 0.0)
    assert script.limit_s > script.longest_s


def test_the_script_is_a_file_of_voicebench(tmp_path: Path) -> None:
    """With the room that the agent goes into, and the time that ends the session."""
    wav = tmp_path / "a.wav"
    told = json.loads(voicebench.interruptions(yields(0.5), wav, 1).text("a-room"))
    assert told["adapter"] == {"type": "livekit", "options": {"room": "a-room"}}
    assert told["turns"][2] == {
        "audio": {"file": str(wav)},
        "start": {"after": "agent_speech_start", "delay_ms": 800},
        "expect": "stop",
    }
    assert told["max_duration_ms"] > 10_000


PROGRAM = """\
import json, sys, time
if {hangs}:
    time.sleep(600)
sys.exit("error: no agent")
"""


@pytest.mark.parametrize(("hangs", "why"), [(True, "killed after"), (False, "exit status 1")])
def test_a_run_without_a_report_is_ended_and_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str, *, hangs: bool
) -> None:
    """A program that hangs is killed at the limit, not waited for."""
    driver = tmp_path / "driver.py"
    driver.write_text(PROGRAM.format(hangs=hangs), encoding="utf-8")
    monkeypatch.setattr(voicebench_calls, "_DRIVER", driver)
    monkeypatch.setattr(voicebench_calls, "_START_S", 0.5 if hangs else 60.0)
    server = Server("ws://127.0.0.1:1", "key", "secret")
    script = voicebench_calls.Script((), 0.1)
    found = voicebench_calls.measure(Path(sys.executable), server, "a-room", script)
    assert why in found.error
    assert "its session had not begun" in found.error
    assert ("no agent" in found.error) is not hangs


class Adapter:
    """As much of voicebench's adapter as the driver knows."""

    session = types.SimpleNamespace(frame_ms=20.0)
    _source = types.SimpleNamespace(queued_duration=0.75)

    async def connect(self) -> None:
        """Join."""

    async def send_audio(self, pcm: bytes) -> None:
        """Send."""

    async def close(self) -> None:
        """Leave."""


def test_the_driver_notes_how_late_a_frame_leaves(tmp_path: Path) -> None:
    """By what waits before it, and by how far the script is behind the clock."""
    file = tmp_path / "stages"

    class Watched(Adapter):
        pass

    voicebench_driver.watch(Watched, voicebench_driver.Stages(file))

    async def session_of_one_frame() -> None:
        adapter = Watched()
        await adapter.connect()
        await adapter.send_audio(b"")
        await adapter.close()

    asyncio.run(session_of_one_frame())
    told = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [each["stage"] for each in told] == ["joining", "joined", "speaking", "leaving", "left"]
    sent = told[2]
    assert sent["script_s"] == 0.0
    assert sent["late_s"] == pytest.approx(sent["at_s"] + 0.75, abs=0.5)
    assert sent["late_s"] >= 0.75
