"""Break connections to the SFU on purpose, and time how they come back."""

from pydantic import Field

from exporter.config.values import Duration, Section
from exporter.outcome import Outcome
from exporter.probes.run import Run


class ReconnectConfig(Section):
    """How connections of our own are broken; those of callers are not touched."""

    enabled: bool = Field(True, description="Break them on a schedule.")
    interval: Duration = Field(3600.0, ge=60, description="Time between two rounds.")
    timeout: Duration = Field(
        30.0, gt=0, le=300, description="A connection that takes longer to come back has failed."
    )
    max_gap: Duration = Field(5.0, gt=0, description="Silence above which it is SLOW.")
    deadline: Duration = Field(150.0, gt=0, description="A round that takes longer is ended.")


async def probe_reconnect(config: ReconnectConfig, run: Run) -> Outcome:
    """Break one connection in every way, each once, and return how they came back."""
    from exporter.sfu.reconnect import measure_reconnects  # noqa: PLC0415 - the SDK only here

    return await measure_reconnects(config, run)
