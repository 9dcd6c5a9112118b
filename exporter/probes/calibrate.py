"""Measure the floor: the same caller against an echo whose delay is known exactly."""

from pydantic import Field

from exporter.config.values import Duration, Section
from exporter.outcome import Outcome
from exporter.probes.run import Run

ECHO_ATTRIBUTE = "voice-exporter.echo"
"""On the participant that replies in a calibration: it stands in for an agent and is none."""


class CalibrateConfig(Section):
    """How the floor of the method is measured."""

    interval: Duration = Field(3600.0, ge=60, description="Time between two calibrations.")
    calls: int = Field(
        5,
        ge=1,
        le=20,
        description="Calls to the echo; the jitter buffers settle anew in each, by some 10 ms.",
    )
    trials: int = Field(2, ge=1, le=100, description="Measured turns in each call.")
    delay: Duration = Field(0.5, ge=0.2, le=5, description="Delay of the echo.")
    deadline: Duration = Field(120.0, gt=0, description="A calibration that takes longer is ended.")


async def probe_calibrate(config: CalibrateConfig, run: Run) -> Outcome:
    """Measure the floor through the server and return it."""
    from exporter.call.calibration import calibrate  # noqa: PLC0415 - the SDK only where needed

    return await calibrate(config, run)
