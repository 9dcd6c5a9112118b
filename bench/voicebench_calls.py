"""Let voicebench 0.2.0 call an agent of known turn-taking through its LiveKit adapter.

It runs in an environment of its own (see environments.py). Its command is run unchanged: the
driver beside this file only writes down how far a session is, and how late its caller's audio is.

What it does, read in its source and seen by running it:

- It joins a room with a token of its own and waits for an audio track, of whoever. It dispatches
  an agent by name only where the option `agent_name` is set; here the agent comes by itself.
- Its clock begins before it connects. It then hands over the frames of the time it took to join
  as fast as they are taken, into a source that holds 1 s: for the rest of the session its caller's
  audio leaves that much later than its script says, and what it measures is that much too long.
  On a machine that was late once, it is later from then on.
- A session ends `tail_ms` after the last turn, once no audio of the agent waits to be put on the
  recording (`playout <= pos` in runner.py). A LiveKit track delivers audio without a break, silence
  too, so that never comes: each session lasts until `max_duration_ms` of its script, 120 s unless
  set, and of a late machine longer.
- A turn that was not played by then is `not_played`, without a figure.
"""

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench import environments
from exporter.demo.processes import Child, describe_exit
from exporter.server_api import Server

VERSION = "0.2.0"
REQUIREMENTS = Path(__file__).with_name("voicebench-requirements.txt")
_DRIVER = Path(__file__).with_name("voicebench_driver.py")
_SLACK = 1.5
"""A session may take so much longer than its script says, on a machine that is late ..."""
_START_S = 45.0
"""... and so long before it: to import the SDK, and to wait 20 s for the agent."""

Expect = Literal["respond", "stop", "ignore"]
After = Literal["session_start", "previous_turn_end", "agent_speech_start", "agent_speech_end"]


@dataclass(frozen=True, slots=True)
class Line:
    """One turn of its script."""

    expect: Expect
    """What the agent is to do: `respond`, `stop` speaking, or `ignore` it."""
    after: After
    """The event after which it is said ..."""
    delay_s: float
    """... and how long after it."""
    wav: Path | None
    """What is said; None for the cough of its own example."""

    def row(self) -> dict[str, Any]:
        """Return the turn as its script has it."""
        cough = {"synth": "noise", "duration_ms": 180, "level_db": -25}
        return {
            "audio": cough if self.wav is None else {"file": str(self.wav)},
            "start": {"after": self.after, "delay_ms": self.delay_s * 1e3},
            "expect": self.expect,
        }


@dataclass(frozen=True, slots=True)
class Script:
    """What it says in one session."""

    lines: tuple[Line, ...]
    longest_s: float
    """Its `max_duration_ms`: the session lasts as long."""

    def text(self, room: str) -> str:
        """Return it as a file of voicebench: JSON is YAML."""
        adapter = {"type": "livekit", "options": {"room": room}}
        turns = [line.row() for line in self.lines]
        longest_ms = self.longest_s * 1e3
        return json.dumps(
            {
                "name": "side-by-side",
                "adapter": adapter,
                "turns": turns,
                "max_duration_ms": longest_ms,
            }
        )

    @property
    def limit_s(self) -> float:
        """Seconds after which its process is killed."""
        return self.longest_s * _SLACK + _START_S


@dataclass(frozen=True, slots=True)
class Heard:
    """What it says of one turn; None where it says nothing. All times in seconds."""

    expect: Expect
    played: bool
    """It came to this turn before the session's time was over."""
    response_s: float | None
    """End of the caller's speech to the first sound of the reply, on its recording."""
    first_audio_s: float | None
    """End of the caller's speech to the arrival of that sound."""
    stop_s: float | None
    """First sound of the caller to the end of the agent's speech, on its recording."""
    verdict: str
    """Its word: responded, stopped, kept talking, nothing to stop, ignored, ..."""
    late_s: float | None
    """How late the caller's audio left, by the driver, where the turn began."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session with an agent."""

    turns: tuple[Heard, ...] = ()
    joined_s: float | None = None
    """Its clock's beginning to its first frame; None where it did not come so far."""
    ended_by_limit: bool = False
    """It ended because its `max_duration_ms` was over, and for no other reason."""
    error: str = ""
    """Why there is no report, and how far it came."""


def install(folder: Path | None = None) -> Path:
    """Return the Python of its environment: see `environments.install`."""
    return environments.install(f"voicebench-{VERSION}", REQUIREMENTS, folder)


def measure(python: Path, server: Server, room: str, script: Script) -> Session:
    """Let it play a script in a room and return what it says; whatever it does, this returns.

    Args:
        python: From `install`.
        server: Where the room is to be.
        room: Into which the agent goes.
        script: What is said.
    """
    with tempfile.TemporaryDirectory(prefix="voicebench-") as name:
        home = Path(name)
        file, stages, log = home / "script.yaml", home / "stages.jsonl", home / "output.txt"
        file.write_text(script.text(room), encoding="utf-8")
        arguments = ["run", str(file), "--out", str(home / "out"), "--format", "json"]
        # -P: without it this folder comes first, and there its name means another file.
        argv: list[str | Path] = [python, "-P", _DRIVER, stages, *arguments]
        environ = environments.variables(server, home)
        child = Child("voicebench", argv, log=log, environ=environ)
        child.wait(script.limit_s)
        code = child.exit_code
        child.kill()
        told = stages.read_text("utf-8").splitlines() if stages.exists() else []
        report = home / "out" / "report.json"
        if report.exists():
            return read(json.loads(report.read_text("utf-8")), told)
        how = f"killed after {script.limit_s:g} s" if code is None else describe_exit(code)
        said = re.findall(r"^error: (.+)", child.tail(), re.MULTILINE)
        return Session(error="; ".join([how, how_far(told), *said]), joined_s=_joined(told))


def read(report: dict[str, Any], stages: Sequence[str]) -> Session:
    """Return the first session of a report, with what the driver wrote of it."""
    (session,) = report["sessions"]
    marks = [each for each in map(json.loads, stages) if each["stage"] == "speaking"]
    turns = tuple(_heard(turn, marks) for turn in session["turns"])
    return Session(turns, _joined(stages), session["truncated"])


def _heard(turn: dict[str, Any], marks: Sequence[dict[str, float]]) -> Heard:
    before = [mark["late_s"] for mark in marks if mark["script_s"] <= turn["start_s"]]
    return Heard(
        turn["expect"],
        turn["trigger"] != "not_played",
        _seconds(turn["response_latency_ms"]),
        _seconds(turn["ttfa_ms"]),
        _seconds(turn["stop_latency_ms"]),
        _verdict(turn),
        before[-1] if before else None,
    )


def _verdict(turn: dict[str, Any]) -> str:
    if turn["trigger"] == "not_played":
        return "not played"
    if turn["expect"] == "respond":
        return "responded" if turn["responded"] else "no response"
    if turn["expect"] == "stop":
        words = {True: "stopped", False: "kept talking", None: "nothing to stop"}
        return words[turn["stopped"]]
    if turn["spurious_response"]:
        return "spurious response"
    return "false barge-in" if turn["false_barge_in"] else "ignored"


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1e3


def _joined(stages: Sequence[str]) -> float | None:
    at = [each["at_s"] for each in map(json.loads, stages) if each["stage"] == "joined"]
    return float(at[0]) if at else None


def how_far(stages: Sequence[str]) -> str:
    """Say how far a session came that gave no report."""
    if not stages:
        return "its session had not begun"
    last = json.loads(stages[-1])
    words = f"{last['stage']}, {last['at_s']:.0f} s after its clock began"
    if "script_s" in last:
        words += f", {last['script_s']:.0f} s into its script"
    return words
