"""Try every way to the SFU on purpose: signalling, UDP, TCP and TURN."""

from pydantic import Field

from exporter.config.values import Duration, Section
from exporter.outcome import Outcome
from exporter.probes.run import Run


class ReachConfig(Section):
    """How it is found out which ways to the SFU are open from here."""

    enabled: bool = Field(True, description="Try them on a schedule.")
    interval: Duration = Field(900.0, ge=10, description="Time between two rounds.")
    timeout: Duration = Field(8.0, gt=0, le=60, description="What one way may take to connect.")
    warn_before: Duration = Field(
        14 * 86400.0, ge=0, description="Rest of a certificate's life below which it is SLOW."
    )
    max_skew: Duration = Field(
        10.0,
        gt=0,
        description="Difference to the server's clock above which it is SLOW: tokens carry times.",
    )
    deadline: Duration = Field(60.0, gt=0, description="A round that takes longer is ended.")


async def probe_reach(config: ReachConfig, run: Run) -> Outcome:
    """Try each way once and return which ones are open."""
    from exporter.sfu.reach import measure_reach  # noqa: PLC0415 - the SDK only where needed

    return await measure_reach(config, run)
