"""The whole /metrics page of the demo, as it must stay: `python -m tests.golden_metrics` writes it.

Names, types, labels and help are fixed by the golden file; values are blanked, as are the labels
that differ from machine to machine. What Python itself exports is there by name only.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from exporter.daemon.parts import Daemon
from exporter.daemon.plan import call_work, server_works
from exporter.metrics.exposition import Format
from exporter.metrics.registry import process_metrics
from exporter.outcome import (
    AgentInRoom,
    Calibration,
    CallResult,
    Components,
    Listing,
    Outcome,
    Reconnect,
    SfuReach,
    SfuReconnects,
    Transport,
    Turn,
    TurnOutcome,
    WorkerPage,
    WorkerScrape,
)
from exporter.probes.latency.spec import LatencyConfig
from exporter.roster.types import WorkerReport, WorkerStatus
from exporter.settings.settings import Settings
from tests.unit.sfu.baselines import baseline

GOLDEN = Path(__file__).parent / "golden" / "metrics.txt"
TARGET = LatencyConfig(agent_name="demo")
_WHEN = datetime(2026, 11, 20, tzinfo=UTC)
_PAGE = WorkerPage("http://127.0.0.1:8081", "127.0.0.1", "127.0.0.1", 8081, None, "", "demo", 0, 0)
_WORKER = WorkerReport(
    "AW_1",
    "demo",
    WorkerStatus.IDLE,
    active_jobs=0,
    load=0.0,
    memory_bytes=10**9,
    cpu_ratio=0.1,
    addresses=(_PAGE.address,),
    http_port=_PAGE.port,
)
"""The worker of the demo, which reports itself and has a page."""
_BY_NAME_ONLY = re.compile(r"(?:# \w+ )?((?:process|python)_\w+)")
_LOCAL_LABEL = re.compile(r'\b(server|(?:\w+_)?version|worker_id)="[^"]*"')
_LATER = re.compile(r'^(voice_sfu_|voice_reconnect_|voice_media_gap_)|="(sfu|reach|reconnect)"')
_VALUE = re.compile(r" \S+$")


def blanked(page: str) -> str:
    """Return a page in the text format without what differs between machines and moments.

    Within a family the order of the series tells only what happened first, so they are sorted.
    """
    families: list[tuple[list[str], list[str]]] = [([], [])]
    for line in page.splitlines():
        own = _BY_NAME_ONLY.match(line)
        head, series = families[-1]
        if line.startswith("# HELP") or (own and own[1] not in series):
            head, series = [], []
            families.append((head, series))
        if own:
            series.append(own[1])
        elif line.startswith("#"):
            head.append(line)
        else:
            series.append(_VALUE.sub(" *", _LOCAL_LABEL.sub(r'\1="*"', line)))
    lines = [line for head, series in families for line in (*head, *sorted(set(series)))]
    return "\n".join(dict.fromkeys(lines)) + "\n"


def golden_page() -> str:
    """Return the page of a daemon after every probe has run once."""
    settings = Settings.model_validate(
        {
            "server_name": "test",
            "livekit": {"url": "ws://127.0.0.1:1", "api_key": "key", "api_secret": "very-secret"},
            "store": {"enabled": False},
            "workers": {"scrape": [_PAGE.url]},
        }
    )
    daemon = Daemon(settings, settings.server(), lambda: settings)
    for work in server_works(settings):
        daemon.works.add(work, 0)
    daemon.works.add(call_work(TARGET), 0)
    # What exists only while it runs: the loop that may be late, and the opened ledger.
    daemon.own.loop_lag(0)
    daemon.ledger.store._store.works()
    daemon.fleet.roster.heartbeat(_WORKER)
    for outcome in _outcomes():
        for listener in daemon.listeners:
            listener(outcome)
    return blanked(Format.accepted("").page(daemon.metrics.snapshot(), process_metrics()))


def missing(page: str) -> list[str]:
    """Return the series of the golden page that a page lacks while the exporter runs.

    What a probe of the network finds stands on a page only once it has run: that may lack. More
    may stand there, such as what an agent reports of its own accord.
    """
    golden, live = (set(text.splitlines()) for text in (GOLDEN.read_text("utf-8"), blanked(page)))
    return sorted(line for line in golden - live if not _LATER.search(line))


def _outcomes() -> tuple[Outcome, ...]:
    agent = AgentInRoom("demo", "agent-1", "room", "listening", humans=1, age_s=3)
    listing = Listing((agent,), (), 1, (("agent", 1), ("standard", 1)))
    turns = [
        Turn(
            TurnOutcome.REPLIED,
            warmup=place == 0,
            e2e_s=1.2,
            components=Components(0.2, 0.3, 0.35, 0.15, 0.2),
            reported_e2e_s=1.1,
            jitter_buffer_s=0.04,
        )
        for place in range(TARGET.trials + 1)
    ]
    call = CallResult("demo", "default", "default", tuple(turns), 0.4, 0.9)
    return (
        Outcome("workers", "", _WHEN, 0.1, result=WorkerScrape((_PAGE,))),
        Outcome("agents", "", _WHEN, 0.1, result=listing),
        Outcome("calibrate", "", _WHEN, 30, result=Calibration(0.094, 0.004, 10), loop_lag_s=0.001),
        Outcome("latency", "demo", _WHEN, 20, result=call, loop_lag_s=0.001),
        replace(baseline(vantage="default"), loop_lag_s=0.001),
        Outcome("reach", "", _WHEN, 9, result=_reach()),
        Outcome("reconnect", "", _WHEN, 9, result=_reconnects(), loop_lag_s=0.001),
    )


def _reach() -> SfuReach:
    transports = tuple(Transport(name, works=True, offered=()) for name in ("udp", "tcp", "turn"))
    return SfuReach(0.1, "1.13.5", transports, (), 0.0, "ams", "ND_1")


def _reconnects() -> SfuReconnects:
    kinds = ("signal", "full", "migration")
    return SfuReconnects(tuple(Reconnect(kind, 1.0, 1.0) for kind in kinds))


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(golden_page(), encoding="utf-8")
