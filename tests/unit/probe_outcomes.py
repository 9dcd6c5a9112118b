"""One good and one bad Outcome of every probe, as its process returns them: not judged yet."""

from dataclasses import dataclass, replace

from exporter.outcome import (
    Calibration,
    CallResult,
    Listing,
    Outcome,
    Reason,
    Reconnect,
    SfuReach,
    SfuReconnects,
    Transport,
    Verdict,
    WorkerPage,
    WorkerScrape,
)
from tests.unit import load_tiers
from tests.unit.calls import WHEN, replied
from tests.unit.ramp.tiers import ramp, tier
from tests.unit.sfu.baselines import GOOD


@dataclass(frozen=True, slots=True)
class Pair:
    """What a probe may find when all is well, and when it is not."""

    good: Outcome
    bad: Outcome
    worse: Verdict
    """Of the bad one, by the default thresholds."""


def _outcome(probe: str, result: object = None, reason: Reason | None = None) -> Outcome:
    agent = "demo" if probe == "latency" else ""
    detail = "why it failed" if reason else ""
    return Outcome(probe, agent, WHEN, 9.0, reason, detail, result)


def _call(*e2e_s: float) -> CallResult:
    return CallResult("demo", "default", "default", tuple(map(replied, e2e_s)))


def _reach(*, udp: bool) -> SfuReach:
    ways = (Transport("udp", udp, ("192.0.2.9:7882",)), Transport("tcp", True, ()))
    return SfuReach(0.05, "1.13.5", ways, (), 0.0)


def _reconnects(gap_s: float) -> SfuReconnects:
    return SfuReconnects((Reconnect("signal", 0.4, gap_s), Reconnect("full", 1.0, 0.3)))


OUTCOMES = {
    "latency": Pair(_outcome("latency", _call(1.0)), _outcome("latency", _call(2.0)), Verdict.SLOW),
    "agents": Pair(
        _outcome("agents", Listing(rooms=2)),
        _outcome("agents", reason=Reason.API_FAILED),
        Verdict.FAIL,
    ),
    "workers": Pair(
        _outcome("workers", WorkerScrape((WorkerPage("http://w:8081"),))),
        _outcome("workers", reason=Reason.CONNECT_FAILED),
        Verdict.FAIL,
    ),
    "calibrate": Pair(
        _outcome("calibrate", Calibration(0.094, 0.004, 10)),
        _outcome("calibrate", reason=Reason.VOID),
        Verdict.UNKNOWN,
    ),
    "sfu": Pair(
        _outcome("sfu", GOOD),
        _outcome("sfu", replace(GOOD, round_trips_s=(0.5,) * 21)),
        Verdict.SLOW,
    ),
    "ramp": Pair(
        replace(ramp(tier(2), tier(10)), findings=None),
        replace(ramp(tier(2, 300)), findings=None),
        Verdict.SLOW,
    ),
    "agent_load": Pair(
        load_tiers.loaded(load_tiers.tier(1), load_tiers.tier(2)),
        load_tiers.loaded(load_tiers.tier(1, 2000)),
        Verdict.SLOW,
    ),
    "reach": Pair(
        _outcome("reach", _reach(udp=True)), _outcome("reach", _reach(udp=False)), Verdict.SLOW
    ),
    "reconnect": Pair(
        _outcome("reconnect", _reconnects(0.2)),
        _outcome("reconnect", _reconnects(9.0)),
        Verdict.SLOW,
    ),
}
"""By the name of the probe; the bad ones measured something wherever a threshold can be passed."""
