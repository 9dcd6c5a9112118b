"""Tables for people: every number with its n, every missing number with its reason."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from exporter.commands.once import with_known
from exporter.outcome import (
    AgentInRoom,
    Calibration,
    CallResult,
    Components,
    Finding,
    Listing,
    ModelUsage,
    Outcome,
    PendingDispatch,
    Reason,
    Verdict,
)
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.sfu.spec import SfuConfig
from exporter.report import agents, check, latency, printing, sfu
from exporter.report.agents import FleetReport, print_agents, print_workers
from exporter.report.calibrate import print_calibration
from exporter.report.call_figures import CallReport, LatencyReport
from exporter.report.check import CheckReport, print_check
from exporter.report.latency import NONE_FOUND, print_latency
from exporter.report.printing import age
from exporter.report.progress import StderrProgress
from exporter.report.sfu import SfuReport
from exporter.roster.types import Worker, WorkerStatus

from .calls import WHEN, broken, call, failed, heard, judged, replied, void
from .sfu import baselines

LISTED = judged(Outcome("agents", "", WHEN, 0.1, result=Listing()))
CONFIG = LatencyConfig(agent_name="demo", trials=2)
SPLIT = Components(0.12, 0.3, 0.45, 0.09, 0.06)


def printed(capsys: pytest.CaptureFixture[str], report: LatencyReport) -> list[str]:
    """Return the lines of a report, the spaces between columns made single."""
    print_latency(report)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def of(outcome: Outcome, floor: Outcome | None = None) -> LatencyReport:
    """Return the report of one call."""
    return LatencyReport(WHEN, "s", (CallReport(CONFIG, outcome),), floor)


def test_good_call(capsys: pytest.CaptureFixture[str]) -> None:
    """A good call shows n, what n allows, the floor beside it and the split."""
    floor = Outcome("calibrate", "", WHEN, 9.0, result=Calibration(0.094, 0.004, 10))
    outcome = call(replied(0.93, warmup=True), replied(0.8, split=SPLIT), replied(0.84))
    assert printed(capsys, of(outcome, floor)) == [
        "AGENT CALL TYPE N E2E AVG P50 MAX FLOOR TARGET VERDICT",
        "demo default 2 0.82s 0.82s 0.84s 0.094s <1.5s PASS",
        f"demo: transcription 0.12s {'█' * 6}",
        f"end of turn 0.30s {'█' * 16}",
        f"llm 0.45s {'█' * 24}",
        f"tts 0.09s {'█' * 5}",
        f"transport 0.06s {'█' * 3}",
        "floor: 0.094s (n 10, spread 0.004s) is the error of the measurement; it is not subtracted",
        "p95 needs 20 measured turns",
        "VERDICT: PASS",
    ]


def test_misheard_words_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """How much of what the caller said was understood, and with which error rate."""
    misheard = heard(6, substituted=1, inserted=1)
    lines = printed(capsys, of(call(replied(0.8, heard=misheard), replied(0.8, heard=heard(6)))))
    assert "demo: understood 11 of 12 words (word error rate 16.7%)" in lines


def test_fillers_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The row has the time to the answer, and each such turn both times."""
    outcome = call(replied(1.0), replied(0.93, answer_s=5.25))
    lines = printed(capsys, of(outcome))
    assert lines[1] == "demo default 2 3.12s 3.12s 5.25s <1.5s SLOW"
    assert "demo: turn 2: 5.25s (a filler after 0.93s)" in lines


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_wraps_at_words(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is wider than the terminal, no word is cut, and at 120 columns less is wrapped."""
    screen = io.StringIO()
    terminal = Console(
        file=screen, force_terminal=True, width=width, highlight=False, color_system=None
    )
    for module in (latency, check, sfu, agents, printing):
        monkeypatch.setattr(module, "console", lambda **_: terminal, raising=False)
    detail = "the agent was thinking for 10 s and then said nothing that could be heard at all"
    floor = Outcome("calibrate", "", WHEN, 9.0, result=Calibration(0.094, 0.004, 10))
    calls = of(call(replied(0.8, split=SPLIT), failed(detail=detail), void()), floor)
    worker = Worker("AW_1", "demo", WorkerStatus.BUSY, 2, 0.5, sdk_version="1.8.9")
    fleet = FleetReport(LISTED, (worker,), True, 0.0, (), (), ("the rooms of s",))
    print_latency(calls)
    baseline = baselines.baseline(quality=(("a", "excellent"),))
    print_check(CheckReport(fleet, calls, SfuReport(SfuConfig(), baseline)))
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    words = set(screen.getvalue().split())
    assert set(f"{detail} transcription transport excellent VANTAGE QUALITY".split()) <= words
    assert sum(line.startswith("VANTAGE RTT P50") for line in map(single, lines)) == 1
    whole = [line for line in lines if line.endswith(detail)]
    assert bool(whole) == (width == 120)


def single(line: str) -> str:
    """Return a line with single spaces."""
    return " ".join(line.split())


def test_check_leads_with_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict comes first, each part with its own and the reasons, and no verdict twice."""
    fleet = FleetReport(LISTED, (), False, 0.0)
    report = CheckReport(fleet, of(call(replied(2.0))), SfuReport(SfuConfig(), baselines.failed()))
    print_check(report)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "VERDICT: FAIL",
        "agents: PASS",
        "latency: SLOW: demo: 2.00 s on average is above 1.5 s",
        "sfu: FAIL: connect_failed: no route",
    ]
    assert not any(word in line for word in ("PASS", "SLOW", "FAIL") for line in lines[4:])


def test_a_name_that_no_worker_has(capsys: pytest.CaptureFixture[str]) -> None:
    """The known workers are named: most such names are typing mistakes."""
    (lost,) = of(broken(Reason.NO_WORKER, "no worker named 'ghost' took the job")).calls
    idle = Worker("AW_1", "demo", WorkerStatus.IDLE, last_heartbeat=0.0)
    gone = Worker("AW_2", "old", WorkerStatus.OFFLINE)
    fleet = FleetReport(LISTED, (idle, gone), True, 0.0)
    calls = with_known((lost,), fleet)
    print_latency(LatencyReport(WHEN, "s", calls))
    assert "demo: known workers: demo; compare agent_name" in capsys.readouterr().out
    print_latency(LatencyReport(WHEN, "s", with_known((lost,), replace(fleet, workers=()))))
    assert "demo: no worker is known; compare agent_name" in capsys.readouterr().out


def test_a_turn_without_a_measurement_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a report follows, the progress leaves it to that."""
    outcome = call(replied(0.9), void())
    with StderrProgress(reported=True) as progress:
        progress.calling(CONFIG)
        for turn in of(outcome).calls[0].turns:
            progress.turn(turn)
    print_latency(of(outcome))
    captured = capsys.readouterr()
    assert (captured.out + captured.err).count("31 ms late") == 1
    assert "turn 1: 0.90s" in captured.err


def test_usage_is_shown_by_model(capsys: pytest.CaptureFixture[str]) -> None:
    """Tokens with those of the cache, characters and seconds; nothing that is not known."""
    voice = ModelUsage("voice", tts_characters=312)
    used = ModelUsage("reader", 1500, 900, 60), voice, ModelUsage("ear", stt_seconds=9.4)
    assert (
        "demo: used reader 1500 tokens in (900 cached), 60 out; voice 312 characters spoken; "
        "ear 9 s recognised"
    ) in printed(capsys, of(call(replied(1.0), usage=used)))
    few = call(replied(1.0), usage=(ModelUsage("reader", 20, 0, 5),))
    assert "demo: used reader 20 tokens in, 5 out" in printed(capsys, of(few))


def test_several_agents_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A call in which two agents spoke is SLOW, and says why."""
    outcome = call(replied(1.0))
    assert isinstance(outcome.result, CallResult)
    twice = judged(replace(outcome, result=replace(outcome.result, agents=2)))
    lines = printed(capsys, of(twice))
    assert "demo: the caller heard 2 agents of this name at once" in lines
    assert lines[-1] == "VERDICT: SLOW"


def test_turns_without_a_measurement(capsys: pytest.CaptureFixture[str]) -> None:
    """Failed and void turns are listed with reason and detail; an absent split with its cause."""
    outcome = call(
        replied(0.9), failed(detail="silence for 10 s"), void(), absent="agents 1.4 reports none"
    )
    assert printed(capsys, of(outcome))[2:6] == [
        "demo: no components: agents 1.4 reports none",
        "demo: turn 2 failed: no_reply: silence for 10 s",
        "demo: turn 3 void: the prober was 31 ms late",
        "p95 needs 20 measured turns",
    ]


def test_call_that_failed(capsys: pytest.CaptureFixture[str]) -> None:
    """A call without turns has no columns of numbers, and one line that says why."""
    lines = printed(capsys, of(broken(Reason.NO_WORKER, "no worker took the dispatch")))
    assert lines[1:] == [
        "demo default 0 <1.5s FAIL",
        "demo: call failed: no_worker: no worker took the dispatch",
        "VERDICT: FAIL",
    ]


def test_reason_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A call that ended with its last turn does not repeat that turn's reason."""
    outcome = call(failed(Reason.AGENT_LEFT, detail="gone"), reason=Reason.AGENT_LEFT)
    lines = printed(capsys, of(outcome))
    assert lines[2:] == ["demo: turn 1 failed: agent_left: gone", "VERDICT: FAIL"]


def test_floor_that_could_not_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """A calibration that failed is said, not left out."""
    lines = printed(capsys, of(call(replied(1.0)), broken(Reason.DEADLINE, "120 s")))
    assert "floor not measured: deadline: 120 s" in lines


def test_agents_that_may_be_missing_are_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    """The exporter that knows idle agents did not answer: who was called may not be all."""
    calls = (CallReport(CONFIG, call(replied(0.8))),)
    unasked = (Finding(Verdict.UNKNOWN, "cannot read the roster"),)
    assert printed(capsys, LatencyReport(WHEN, "s", calls, unasked=unasked))[-2:] == [
        "UNKNOWN: cannot read the roster",
        "VERDICT: UNKNOWN",
    ]


def test_no_agent_found(capsys: pytest.CaptureFixture[str]) -> None:
    """No agent in any room is one clear line and UNKNOWN."""
    assert printed(capsys, LatencyReport(WHEN, "s")) == [
        NONE_FOUND,
        "VERDICT: UNKNOWN",
    ]


def test_text_from_elsewhere_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences and markup in names and details are shown, not obeyed."""
    config = LatencyConfig.model_construct(agent_name="[red]\x1b[2Jx")  # such as no check lets in
    outcome = broken(Reason.AGENT_ERROR, "\x1b]0;title\x07[bold]\nsecond line")
    print_latency(LatencyReport(WHEN, "s", (CallReport(config, outcome),)))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[red]?[2Jx: call failed: agent_error: ?]0;title?[bold]?second line" in out


def test_agents_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Agents in rooms and absent ones are rows, below them the sums and what is not known."""
    listing = Listing(
        agents=(
            AgentInRoom("demo", "agent-1", "room-1", "thinking", 1, 42.0),
            AgentInRoom("", "agent-2", "room-1", "", 1, 301.0),
        ),
        pending=(PendingDispatch("sales", "room-2", 8.0, 2),),
        rooms=2,
    )
    print_agents(listing)
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "AGENT ROOM STATE HUMANS AGE",
        "demo room-1 thinking 1 42s",
        "(unnamed) room-1 active 1 5m",
        "sales room-2 dispatched 2 8s",
        "",
        "2 agents active in 1 room, 1 dispatches pending.",
    ]


def test_workers_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Workers are rows, what is not known is a dash, below them how many do what."""
    worker = Worker("AW_1", "demo", WorkerStatus.BUSY, 2, 0.5, sdk_version="1.8.9")
    offline = Worker("h:8081", "\x1b", WorkerStatus.OFFLINE, last_scrape=900.0)
    idle = Worker("AW_2", "", WorkerStatus.IDLE, 0, 0.0, last_heartbeat=995.0)
    print_workers((replace(worker, last_heartbeat=1000.0), offline, idle), 1000.0)
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "AGENT WORKER STATUS JOBS LOAD VERSION SEEN",
        "demo AW_1 busy 2 0.50 1.8.9 0s",
        "? h:8081 offline - - - 1m",
        "(unnamed) AW_2 idle 0 0.00 - 5s",
        "",
        "3 workers registered (1 idle, 1 busy, 1 offline).",
    ]
    print_workers((), 1000.0)
    assert capsys.readouterr().out == "0 workers registered.\n"


def test_calibration_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The floor is printed with its spread and n, and a failure with its reason."""
    print_calibration(
        judged(Outcome("calibrate", "", WHEN, 9.0, result=Calibration(0.094, 0.004, 9, 1)))
    )
    print_calibration(broken(Reason.API_FAILED, "503"))
    assert capsys.readouterr().out.splitlines() == [
        "floor 0.094s  spread 0.004s  n 9, 1 void",
        "floor not measured: api_failed: 503",
    ]


def test_progress_on_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Progress goes to stderr as plain lines, the cost warning once and before the first call."""
    with StderrProgress() as progress:
        progress.doing("listing agents in rooms")
        for _ in range(2):
            progress.calling(CONFIG)
            progress.turn(replied(0.9, warmup=True))
            progress.turn(failed(detail="silence"))
    captured = capsys.readouterr()
    assert captured.out == ""
    per_call = [
        "calling demo (3 turns)",
        "demo turn 1 (warm-up): 0.90s",
        "demo turn 2 failed: no_reply: silence",
    ]
    assert captured.err.splitlines() == [
        "listing agents in rooms",
        "voice-exporter: each turn is a real agent turn and costs what its providers charge",
        *per_call,
        *per_call,
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59, "59s"), (61, "1m"), (3599, "59m"), (7300, "2h")]
)
def test_age(seconds: float, text: str) -> None:
    """Ages are in the largest unit that fits."""
    assert age(seconds) == text
