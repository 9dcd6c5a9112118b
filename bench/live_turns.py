"""What `attach` costs an agent, and how true the estimate of what real callers hear is.

Run by `make bench-live`; prints tables and exits 1 when a bound does not hold. The truth is timed
by callers on the plain SDK; agent, providers and livekit-server are the demo's, on this machine.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle, islice
from pathlib import Path

import numpy as np
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bench.endurance import Exporter, fetch, wait_for
from bench.live_caller import LiveCaller, live_call
from bench.live_load import Cost
from bench.report import Report
from bench.stage import Stage, livekit_stage
from exporter.demo.livekit_server import free_ports
from exporter.demo.processes import Child
from exporter.demo.settings import DemoSettings
from exporter.rtc.clip import SHIPPED, Clip, shipped_clips
from exporter.server_api import ServerApi
from tests.integration.workers import demo_providers, demo_worker
from tests.patience import START_S

AGENT = "demo"
TURNS_PER_CALL = 5
LOAD_S = 20.0
PROBED_TURNS = 10
"""Measured by probes before callers come: jitter buffers differ from call to call."""
PROBED_WITHIN_S = 900.0
REPORTED_WITHIN_S = 60.0
MOST_TRIES = 2
"""So many times the turns asked for are tried, where the truth of some is not to be had."""
LATE_S = 0.02
"""A caller that was later has no truth to hold an estimate against."""
_RELOADED = "voice_exporter_config_last_reload_success"
_HEARD = "voice_live_heard_latency_seconds"
_LAG_MS, _GROWTH_MB, _P50_MS, _P95_MS = 1.0, 4.0, 40.0, 80.0


@contextmanager
def answering(stage: Stage, status: int, delay_s: float) -> Iterator[str]:
    """Run a collector in a process of its own; yields its URL."""
    port = free_ports().signal
    argv = [sys.executable, "-m", "bench.live_load", "collector", str(port)]
    child = Child(
        "collector", [*argv, str(status), str(delay_s)], log=stage.folder / "collector.log"
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _is_there(url), 30.0, child)
        yield url
    finally:
        child.stop(grace_s=1.0)


def _is_there(url: str) -> bool:
    ask = ["curl", "-s", "-o", "/dev/null", "-X", "POST", "-H", "Content-Length: 0", url]
    return subprocess.run(ask, check=False).returncode == 0


def loaded(url: str) -> Cost:
    """Return what an agent of 1,000 turns a second showed, attached to a collector or to none."""
    argv = [sys.executable, "-m", "bench.live_load", "agent", url, str(LOAD_S)]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return Cost(**json.loads(done.stdout))


def costs(report: Report, stage: Stage) -> None:
    """Compare agents whose collector is well, away, slow or in trouble with one that has none."""
    found = {"not attached": loaded(""), "away": loaded("http://127.0.0.1:9")}
    for name, status, delay_s in (("well", 204, 0.0), ("slow (3 s)", 204, 3.0), ("500", 500, 0.0)):
        with answering(stage, status, delay_s) as url:
            found[name] = loaded(url)
    columns = ("collector", "turns", "us a turn", "lag p50", "p95", "p99 ms", "grown MB", "CPU")
    table = report.table(f"1,000 turns a second for {LOAD_S:g} s: lateness of the loop", *columns)
    for name, cost in found.items():
        lags = (f"{lag:.2f}" for lag in (cost.lag_p50_ms, cost.lag_p95_ms, cost.lag_p99_ms))
        figures = (f"{cost.turn_us:.0f}", *lags, f"{cost.growth_mb:.1f}", f"{cost.cpu_share:.0%}")
        table.add_row(name, str(cost.turns), *figures)
    report.console.print(table)
    rows = report.figures("attach against none")
    base = found.pop("not attached")
    for name, cost in found.items():
        more = cost.lag_p95_ms - base.lag_p95_ms
        rows.check(
            f"p95 of the lag, {name}",
            cost.turns,
            f"{more:+.2f} ms",
            bound=f"≤ {_LAG_MS:g} ms",
            holds=more <= _LAG_MS,
        )
        rows.check(
            f"memory, {name}",
            cost.turns,
            f"{cost.growth_mb:+.1f} MB",
            bound=f"≤ {_GROWTH_MB:g} MB",
            holds=cost.growth_mb <= _GROWTH_MB,
        )
    rows.show()


def value(exporter: Exporter, name: str, agent_name: str | None = AGENT) -> float | None:
    """Return the sum of a metric over the agent's series; None where there is none."""
    page = fetch(f"http://{exporter.address}/metrics") or ""
    samples = (each for family in text_string_to_metric_families(page) for each in family.samples)
    found = [
        each.value
        for each in samples
        if each.name == name and each.labels.get("agent_name") == agent_name
    ]
    return sum(found) if found else None


def configure(file: Path, address: str, interval: str) -> None:
    """Write a configuration that calls the agent so often, and nothing else."""
    target = {"agent_name": AGENT, "interval": interval, "trials": 3, "greeting": "none"}
    config = {
        "web": {"listen_address": address},
        "store": {"enabled": False},
        "targets": [target],
        "calibrate": {"interval": "1d"},
        **{name: {"enabled": False} for name in ("sfu", "reach", "reconnect")},
    }
    file.write_text(yaml.safe_dump(config), encoding="utf-8")


def learn(stage: Stage, exporter: Exporter) -> None:
    """Let the exporter measure the agent, and then leave the machine to the callers."""
    probed, reloaded = "voice_e2e_latency_seconds_count", f"{_RELOADED}_timestamp_seconds"
    wait_for(
        lambda: (value(exporter, probed) or 0) >= PROBED_TURNS, PROBED_WITHIN_S, exporter.child
    )
    before = value(exporter, reloaded, agent_name=None)
    configure(stage.folder / "exporter.yaml", exporter.address, "1d")
    exporter.main.send_signal(signal.SIGHUP)
    wait_for(lambda: value(exporter, reloaded, agent_name=None) != before, START_S, exporter.child)
    wait_for(lambda: not asyncio.run(_rooms(stage)), PROBED_WITHIN_S, exporter.child)


async def _rooms(stage: Stage) -> int:
    async with ServerApi(stage.server) as api:
        return len(await api.list_rooms())


def started(stage: Stage, address: str) -> Exporter:
    """Return an exporter that calls the agent, and nothing else, once it is ready."""
    file = stage.folder / "exporter.yaml"
    configure(file, address, "45s")
    server = stage.server
    environ = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    argv = [sys.executable, "-m", "exporter", "serve", "--config", str(file)]
    child = Child("exporter", argv, log=stage.folder / "exporter.log", environ=environ)
    began = time.monotonic()
    wait_for(lambda: fetch(f"http://{address}/-/ready") is not None, START_S, child)
    return Exporter(child, address, time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class Estimated:
    """One turn whose truth is known."""

    clip: str
    is_first: bool
    """Of its call, when jitter buffers have not settled."""
    truth_s: float
    estimate_s: float

    @property
    def error_ms(self) -> float:
        """Of the estimate, with its sign."""
        return (self.estimate_s - self.truth_s) * 1e3


@dataclass(slots=True)
class Turns:
    """What came of the turns, those without a truth among them."""

    wanted: int
    found: list[Estimated] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    """How late the caller was in each that is left out for it."""
    unanswered: int = 0
    mixed: int = 0
    """Left out, because the exporter took more than one at once."""

    @property
    def tried(self) -> int:
        """How many were had."""
        return len(self.found) + len(self.late_s) + self.unanswered + self.mixed

    @property
    def is_over(self) -> bool:
        """Whether there are enough, or no more are tried."""
        return len(self.found) >= self.wanted or self.tried >= MOST_TRIES * self.wanted


async def heard(stage: Stage, exporter: Exporter, turns: Turns) -> None:
    """Have turns of real callers; take what each heard, and what the exporter estimates."""
    clips = cycle(zip(SHIPPED, shipped_clips(), strict=True))
    for call in count():
        if turns.is_over:
            return
        async with live_call(stage.server, f"live-{call}", AGENT) as caller:
            for place, (name, clip) in enumerate(islice(clips, TURNS_PER_CALL)):
                if not turns.is_over:
                    await have(turns, exporter, caller, (name, clip), is_first=place == 0)


async def have(
    turns: Turns, exporter: Exporter, caller: LiveCaller, said: tuple[str, Clip], *, is_first: bool
) -> None:
    """Have one turn."""
    name, clip = said
    before = await asyncio.to_thread(_estimated, exporter)
    truth = await caller.turn(clip)
    if truth is None:
        turns.unanswered += 1
        return
    after = await asyncio.to_thread(_next_estimate, exporter, before)
    if after[0] - before[0] != 1:
        turns.mixed += 1
    elif truth.late_s > LATE_S:
        turns.late_s.append(truth.late_s)
    else:
        turns.found.append(Estimated(name, is_first, truth.heard_s, after[1] - before[1]))


def _estimated(exporter: Exporter) -> tuple[float, float]:
    """Return number and sum of the estimates so far."""
    return value(exporter, f"{_HEARD}_count") or 0.0, value(exporter, f"{_HEARD}_sum") or 0.0


def _next_estimate(exporter: Exporter, before: tuple[float, float]) -> tuple[float, float]:
    """Wait for one more than before; return number and sum then."""
    wait_for(lambda: _estimated(exporter)[0] > before[0], REPORTED_WITHIN_S, exporter.child)
    return _estimated(exporter)


def truth(report: Report, stage: Stage, wanted: int) -> None:
    """Compare the estimates of real turns with what their callers heard."""
    address = f"127.0.0.1:{free_ports().signal}"
    turns = Turns(wanted)
    with (
        demo_providers(stage.folder, DemoSettings()) as providers,
        demo_worker(stage.server, stage.folder, providers, f"http://{address}"),
    ):
        exporter = started(stage, address)
        try:
            learn(stage, exporter)
            asyncio.run(heard(stage, exporter, turns))
            offset_s = value(exporter, "voice_live_heard_offset_seconds")
        finally:
            exporter.child.stop(grace_s=12.0)
    say_kinds(report, turns)
    rows = report.figures("estimate of what real callers hear, against what they heard")
    rows.add("offset in use", 0, f"{(offset_s or 0) * 1e3:.0f} ms")
    rows.add("left out: the caller itself was late", len(turns.late_s), _worst(turns.late_s))
    rows.add("left out: several turns at once", turns.mixed, "")
    rows.check(
        "turns without a reply",
        turns.tried,
        str(turns.unanswered),
        bound="0",
        holds=not turns.unanswered,
    )
    found = turns.found
    rows.check(
        "turns with a truth",
        turns.tried,
        str(len(found)),
        bound=f"{wanted}",
        holds=len(found) >= wanted,
    )
    for share, bound in ((50, _P50_MS), (95, _P95_MS)):
        error = float(np.percentile([abs(each.error_ms) for each in found] or [np.inf], share))
        rows.check(
            f"error, p{share}",
            len(found),
            f"{error:.0f} ms",
            bound=f"≤ {bound:g} ms",
            holds=error <= bound,
        )
    rows.show()


def say_kinds(report: Report, turns: Turns) -> None:
    """Print the errors of each kind of turn: whether one offset is true of all of them."""
    columns = ("turns", "n", "mean heard", "median error", "worst error, ms")
    table = report.table("error of the estimate, with its sign", *columns)
    found = turns.found
    kinds = {"first of a call": [each for each in found if each.is_first]}
    for clip in SHIPPED:
        kinds[f"later, {clip}"] = [e for e in found if e.clip == clip and not e.is_first]
    for kind, group in kinds.items():
        if group:
            errors = [each.error_ms for each in group]
            mean_s = np.mean([each.truth_s for each in group])
            worst = max(errors, key=abs)
            figures = (f"{mean_s:.3f} s", f"{np.median(errors):+.0f}", f"{worst:+.0f}")
            table.add_row(kind, str(len(group)), *figures)
    report.console.print(table)


def _worst(late_s: list[float]) -> str:
    return f"up to {max(late_s) * 1e3:.0f} ms" if late_s else ""


def main() -> int:
    """Print both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=50, help="of real callers")
    parser.add_argument("--part", choices=("cost", "truth"), help="only this one")
    arguments = parser.parse_args()
    report = Report()
    with livekit_stage(report.say) as stage:
        if arguments.part != "truth":
            costs(report, stage)
        if arguments.part != "cost":
            truth(report, stage, arguments.turns)
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
