"""What `attach` costs an agent, and how true the estimate of what real callers hear is.

Run by `make bench-live`; prints tables and exits 1 when a bound does not hold. The truth is timed
by callers on the plain SDK; agent, providers and livekit-server are the demo's, on this machine.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice

import numpy as np
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bench.endurance import Exporter, fetch, wait_for
from bench.live_caller import live_call
from bench.live_load import Cost
from bench.report import Report
from bench.stage import Stage, livekit_stage
from exporter.demo.livekit_server import free_ports
from exporter.demo.processes import Child
from exporter.demo.settings import DemoSettings
from exporter.rtc.clip import shipped_clips
from tests.integration.workers import demo_providers, demo_worker
from tests.patience import START_S

AGENT = "demo"
TURNS_PER_CALL = 5
LOAD_S = 20.0
PROBED_WITHIN_S = 600.0
REPORTED_WITHIN_S = 60.0
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


def value(exporter: Exporter, name: str) -> float | None:
    """Return the sum of a metric over the agent's series; None where there is none."""
    page = fetch(f"http://{exporter.address}/metrics") or ""
    samples = (each for family in text_string_to_metric_families(page) for each in family.samples)
    found = [
        each.value
        for each in samples
        if each.name == name and each.labels.get("agent_name") == AGENT
    ]
    return sum(found) if found else None


def started(stage: Stage, address: str) -> Exporter:
    """Return an exporter that calls the agent, and nothing else, once it is ready."""
    target = {"agent_name": AGENT, "interval": "90s", "trials": 3, "greeting": "none"}
    config = {
        "web": {"listen_address": address},
        "store": {"enabled": False},
        "targets": [target],
        "calibrate": {"interval": "1d"},
        **{name: {"enabled": False} for name in ("sfu", "reach", "reconnect")},
    }
    file = stage.folder / "exporter.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
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


async def heard(stage: Stage, exporter: Exporter, turns: int) -> list[tuple[float, float]]:
    """Have turns of real callers; return what each heard, and what the exporter estimates."""
    found: list[tuple[float, float]] = []
    clips = cycle(shipped_clips())
    for call in range(-(-turns // TURNS_PER_CALL)):
        async with live_call(stage.server, f"live-{call}", AGENT) as caller:
            for clip in islice(clips, min(TURNS_PER_CALL, turns - call * TURNS_PER_CALL)):
                before = await asyncio.to_thread(_estimated, exporter)
                truth_s = await caller.turn(clip)
                if truth_s is None:
                    print("a turn without a reply")
                    continue
                after = await asyncio.to_thread(_next_estimate, exporter, before)
                estimate_s = (after[1] - before[1]) / (after[0] - before[0])
                found.append((truth_s, estimate_s))
    return found


def _estimated(exporter: Exporter) -> tuple[float, float]:
    """Return number and sum of the estimates so far."""
    return value(exporter, f"{_HEARD}_count") or 0.0, value(exporter, f"{_HEARD}_sum") or 0.0


def _next_estimate(exporter: Exporter, before: tuple[float, float]) -> tuple[float, float]:
    """Wait for one more than before; return number and sum then."""
    wait_for(lambda: _estimated(exporter)[0] > before[0], REPORTED_WITHIN_S, exporter.child)
    return _estimated(exporter)


def truth(report: Report, stage: Stage, turns: int) -> None:
    """Compare the estimates of real turns with what their callers heard."""
    address = f"127.0.0.1:{free_ports().signal}"
    with (
        demo_providers(stage.folder, DemoSettings()) as providers,
        demo_worker(stage.server, stage.folder, providers, f"http://{address}"),
    ):
        exporter = started(stage, address)
        try:
            probed = "voice_e2e_latency_seconds_count"
            wait_for(lambda: bool(value(exporter, probed)), PROBED_WITHIN_S, exporter.child)
            found = asyncio.run(heard(stage, exporter, turns))
            offset_s = value(exporter, "voice_live_heard_offset_seconds")
        finally:
            exporter.child.stop(grace_s=12.0)
    errors_ms = [(estimate - real) * 1e3 for real, estimate in found]
    rows = report.figures("estimate of what real callers hear, against what they heard")
    rows.add("offset in use", 0, f"{(offset_s or 0) * 1e3:.0f} ms")
    rows.add("mean heard", len(found), f"{np.mean([real for real, _ in found]):.3f} s")
    rows.add("median error, with its sign", len(found), f"{np.median(errors_ms):+.0f} ms")
    for share, bound in ((50, _P50_MS), (95, _P95_MS)):
        error = float(np.percentile(np.abs(errors_ms), share))
        rows.check(
            f"error, p{share}",
            len(found),
            f"{error:.0f} ms",
            bound=f"≤ {bound:g} ms",
            holds=error <= bound,
        )
    rows.check(
        "turns that were estimated",
        turns,
        str(len(found)),
        bound=f"{turns}",
        holds=len(found) == turns,
    )
    rows.show()


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
