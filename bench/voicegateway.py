"""Measure an agent with voicegateway 0.27.0, to put its numbers beside ours.

It runs in an environment of its own below the user's cache folder, made at the first use with
pip: its dependencies and ours do not meet. Its command is run unchanged (see
voicegateway_driver.py), without a configuration or data base of the user's.

What it does, read in its source and seen by running it: each trial is a room and a call of its
own; it speaks two seconds after the agent joined, whatever the agent does then; it takes the end
of its clip for the end of speech (the clip ends with 75 ms of silence) without the audio still
queued in the source; the first three loud frames of any audio track since it was subscribed are
the reply. A trial without a reply is left out of n and of the average. Its exit status is 0 in
all these cases.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import environments
from exporter.demo.processes import Child, describe_exit
from exporter.server_api import Server

VERSION = "0.27.0"
REQUIREMENTS = Path(__file__).with_name("voicegateway-requirements.txt")
_DRIVER = Path(__file__).with_name("voicegateway_driver.py")
_TRIAL_LIMIT_S = 45.0
"""Its own limits for one trial: 8 s to join, 2 s to settle, 15 s to reply, 4 s after it."""
_VERDICTS = ("GOOD", "SLOW")


@dataclass(frozen=True, slots=True)
class Reading:
    """What voicegateway says about one agent."""

    agent_name: str
    trials: int
    """How many measured calls were asked for."""
    samples_s: tuple[float, ...] = ()
    """End-to-end latency of the trials that it counts, in seconds; at most `trials`."""
    avg_s: float | None = None
    """Its own statistics over them; None when it counts none."""
    p50_s: float | None = None
    p95_s: float | None = None
    verdict: str = ""
    """Its word for the agent, GOOD or SLOW; "" when it gives none."""
    error: str = ""
    """Its words on what went wrong, or why it could not be run to the end."""
    output: str = ""
    """All that it printed."""
    exit_code: int | None = None
    """None when it was ended at the time limit."""


def install(folder: Path | None = None) -> Path:
    """Return the Python of its environment: see `environments.install`."""
    return environments.install(f"voicegateway-{VERSION}", REQUIREMENTS, folder)


def measure(
    python: Path,
    server: Server,
    agent_name: str,
    *,
    trials: int = 5,
    warmup: bool = True,
    metadata: str = "",
    target_ms: float = 1500,
    limit_s: float | None = None,
) -> Reading:
    """Let it measure one agent and return what it says; whatever it does, this returns.

    Args:
        python: From `install`.
        server: Where the agent's worker is registered.
        agent_name: Name that the worker registered with.
        trials: Measured calls.
        warmup: Whether it places one more call first, which it does not count.
        metadata: Of the dispatch.
        target_ms: Its average above this is SLOW.
        limit_s: Seconds after which it is killed; enough for all its own limits if not given.
    """
    limit = limit_s if limit_s is not None else _TRIAL_LIMIT_S * (trials + warmup) + 30
    arguments = [
        *("livekit", "latency", "--agent", agent_name, "--trials", str(trials)),
        *("--target-ms", str(target_ms), "--warmup" if warmup else "--no-warmup"),
        *(("--metadata", metadata) if metadata else ()),
    ]
    with tempfile.TemporaryDirectory(prefix="voicegateway-") as name:
        home = Path(name)
        result = home / "result.json"
        # -P: without it this folder comes first, and there its name means the file you read.
        argv = [python, "-P", _DRIVER, result, *arguments]
        log = home / "output.txt"
        child = Child("voicegateway", argv, log=log, environ=environments.variables(server, home))
        child.wait(limit)
        exit_code = child.exit_code
        child.kill()
        output = log.read_text(encoding="utf-8", errors="replace")
        told = json.loads(result.read_text(encoding="utf-8")) if result.exists() else []
    if not told:
        ended = f"did not end within {limit:g} s" if exit_code is None else describe_exit(exit_code)
        return Reading(agent_name, trials, error=ended, output=output, exit_code=exit_code)
    (agent,) = told
    counted = bool(agent["samples_s"])
    return Reading(
        agent_name,
        trials,
        samples_s=tuple(agent["samples_s"]),
        avg_s=agent["stats"]["avg"] if counted else None,
        p50_s=agent["stats"]["p50"] if counted else None,
        p95_s=agent["stats"]["p95"] if counted else None,
        verdict=next((word for word in _VERDICTS if f"   {word} (<" in output), ""),
        error=agent["error"] or ("" if counted else "no reply"),
        output=output,
        exit_code=exit_code,
    )
