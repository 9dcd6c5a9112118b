"""Tiers as a ramp would return them, for the tests of what is made of them."""

from typing import Any

from exporter.outcome import (
    Loss,
    Outcome,
    ProberLoad,
    Ramp,
    RampClient,
    RampTier,
    Reason,
)
from exporter.probes.ramp.judge import JudgedTier, Targets, judge_tier
from exporter.probes.ramp.summary import TierSummary
from tests.unit import calls
from tests.unit.calls import WHEN

TARGETS = Targets(rtt_ms=100, loss_pct=1, failed_pct=1)
IDLE = ProberLoad(
    clients=2,
    cpu_cores=0.1,
    lag_s=0.001,
    send_wait_s=0.001,
    sent_ratio=1.0,
    memory_bytes=100_000_000,
)


def client(rtt_ms: float = 10, **changes: Any) -> RampClient:
    """Return a client that is well, but for these changes."""
    well: dict[str, Any] = {
        "round_trips_s": (rtt_ms / 1000,) * 20,
        "media": Loss(1000, 0),
        "quality": "excellent",
        "sent_kbps": 40.0,
        "received_kbps": 80.0,
    }
    return RampClient(**(well | changes))


def tier(clients: int, rtt_ms: float = 10, load: ProberLoad = IDLE, **changes: Any) -> RampTier:
    """Return a tier whose clients are all alike."""
    return RampTier(clients, (client(rtt_ms, **changes),) * clients, (load,), cores=2.0)


def judged(each: RampTier) -> JudgedTier:
    """Judge a tier by the usual targets."""
    return judge_tier(TierSummary.of(each), TARGETS)


def ramp(*tiers: RampTier, reason: Reason | None = None) -> Outcome:
    """Return the outcome of a ramp with these tiers."""
    return calls.judged(
        Outcome("ramp", "", WHEN, 9.0, reason, "why" if reason else "", Ramp(tiers))
    )
