"""A livekit-server that is away for two minutes under an exporter as it is by default.

Run by `make bench-outage`; prints a table and exits 1 when a bound does not hold.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from bench.report import Report
from bench.stage import AGENT, truth_stage
from exporter.demo.livekit_server import LiveKitServer
from exporter.probes.agents.spec import AgentsConfig
from tests.integration.exporters import Exporter, exporters, value

AWAY_S = 120.0
CALL_INTERVAL_S = 20
MARGIN = 1.05 + 0.1
"""The jitter of an interval, and the look at the page."""
LOOK_EVERY_S = 0.25


def main() -> int:
    """Run the bench and return the exit status."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--away", type=float, default=AWAY_S, metavar="SECONDS")
    away_s: float = options.parse_args().away
    report = Report()
    with truth_stage(report.say) as stage, exporters(stage.folder) as start:
        config = _config(stage.livekit, stage.folder)
        exporter = start("exporter", "serve", "--config", str(config))
        _outage(report, stage.livekit, exporter, away_s)
    return 0 if report.held else 1


def _outage(report: Report, livekit: LiveKitServer, exporter: Exporter, away_s: float) -> None:
    _until(lambda: _success(exporter, "latency"), 60)
    before = len(exporter.text().splitlines())
    livekit.stop()
    gone = time.monotonic()
    noticed_s = _until(lambda: not _success(exporter, "agents"), 60)
    time.sleep(max(0.0, gone + away_s - time.monotonic()))
    during = exporter.text().splitlines()[before:]
    states = _verdicts(exporter)
    livekit.start()
    listed_s = _until(lambda: _success(exporter, "agents"), 120)
    called_s = _until(lambda: _success(exporter, "latency"), 120)
    listing_s = AgentsConfig().interval
    figures = report.figures(f"livekit-server away for {away_s:.0f} s")
    figures.check(
        "gone to seen on /metrics",
        1,
        f"{noticed_s:.1f} s",
        bound=f"<= one listing, {listing_s:g} s",
        holds=noticed_s <= listing_s * MARGIN,
    )
    figures.check(
        "verdicts FAIL: the listing, the agent, the SFU",
        len(states),
        ", ".join(states),
        bound="agents among them",
        holds="agents" in states,
    )
    figures.check(
        "lines of log in that time",
        len(during),
        str(len(during)),
        bound="<= 3 for each probe",
        holds=len(during) <= 12,
    )
    figures.check(
        "back to listed",
        1,
        f"{listed_s:.1f} s",
        bound=f"<= one listing, {listing_s:g} s",
        holds=listed_s <= listing_s * MARGIN,
    )
    figures.check(
        "listed to a good call",
        1,
        f"{called_s:.1f} s",
        bound=f"<= one interval, {CALL_INTERVAL_S} s, and a call",
        holds=called_s <= CALL_INTERVAL_S * MARGIN + 15,
    )
    figures.show()
    for line in during:
        report.say(line)


def _config(livekit: LiveKitServer, folder: Path) -> Path:
    server = livekit.server
    keys = {"url": server.url, "api_key": server.api_key, "api_secret": server.api_secret}
    target = {"agent_name": AGENT, "interval": CALL_INTERVAL_S, "trials": 1, "warmup": False}
    config = {
        "livekit": keys,
        "web": {"listen_address": "127.0.0.1:0"},
        "targets": [target | {"metadata": '{"delay_s": 0.5}'}],
        "store": {"folder": str(folder / "state")},
    }
    file = folder / "exporter.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


def _success(exporter: Exporter, probe: str) -> bool:
    agent = AGENT if probe == "latency" else ""
    series = f'voice_probe_success{{agent_name="{agent}",probe="{probe}"'
    page = exporter.get("/metrics").text if exporter.serving else ""
    return series in page and value(page, series) == 1


def _verdicts(exporter: Exporter) -> list[str]:
    """Return the checks that are FAIL."""
    lines = exporter.get("/metrics").text.splitlines()
    failed = [line for line in lines if 'verdict="FAIL"' in line and line.endswith(" 1.0")]
    return sorted({line.split('check="')[1].split('"')[0] for line in failed})


def _until(condition: Callable[[], bool], within_s: float) -> float:
    """Wait for a condition and return the seconds it took.

    Raises:
        TimeoutError: It did not come true in time.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() > began + within_s:
            raise TimeoutError(f"waited {within_s:g} s")
        time.sleep(LOOK_EVERY_S)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
