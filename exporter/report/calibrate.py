"""The floor of the method: what `calibrate` prints."""

from dataclasses import dataclass

from exporter.outcome import (
    Calibration,
    Outcome,
    Reason,
)
from exporter.report.printing import (
    Timestamp,
    console,
    seconds,
    why,
)


@dataclass(frozen=True, slots=True)
class CalibrateDocument:
    """What `calibrate --json` prints."""

    run_at: Timestamp
    server: str
    floor_s: float | None
    spread_s: float | None
    n: int
    voids: int
    reason: Reason | None
    detail: str
    loop_lag_s: float | None
    """As of a run."""

    @classmethod
    def of(cls, server: str, outcome: Outcome) -> "CalibrateDocument":
        """Describe a calibration."""
        found = outcome.result if isinstance(outcome.result, Calibration) else None
        return cls(
            run_at=outcome.started_at,
            server=server,
            floor_s=found.floor_s if found else None,
            spread_s=found.spread_s if found else None,
            n=found.n if found else 0,
            voids=found.voids if found else 0,
            reason=outcome.reason,
            detail=outcome.detail,
            loop_lag_s=outcome.loop_lag_s,
        )


def print_calibration(outcome: Outcome) -> None:
    """Print the floor of the method, or why it is not known."""
    found = outcome.result
    if not isinstance(found, Calibration):
        console().print(f"floor not measured: {why(outcome)}")
        return
    voids = f", {found.voids} void" if found.voids else ""
    console().print(
        f"floor {seconds(found.floor_s, 3)}  spread {seconds(found.spread_s, 3)}  "
        f"n {found.n}{voids}"
    )
