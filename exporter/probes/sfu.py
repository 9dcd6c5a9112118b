"""Measure the way between this host and the SFU, with two participants of our own."""

from pydantic import Field, model_validator

from exporter.config.values import Duration, Section, fault
from exporter.outcome import Outcome
from exporter.probes.run import Run


class SfuConfig(Section):
    """How the way to the SFU is measured. It calls no agent and costs no provider's money."""

    enabled: bool = Field(True, description="Measure it on a schedule.")
    vantage: str = Field(
        "default", min_length=1, description="Label: from where it is measured, as `iad`."
    )
    interval: Duration = Field(60.0, ge=10, description="Time between two baselines.")
    pings: int = Field(
        50, ge=1, le=10_000, description="Data messages whose round trip is taken, at least."
    )
    packets: int = Field(
        2000,
        ge=50,
        le=1_000_000,
        description="RTP packets each way over which loss is counted, at least.",
    )
    tracks: int = Field(
        4, ge=1, le=16, description="Opus tracks of 50 packets a second that carry them."
    )
    target_rtt_ms: float = Field(
        100, gt=0, description="Above this median round trip the SFU is SLOW."
    )
    fail_rtt_ms: float | None = Field(
        None, gt=0, description="Above this it is FAIL; not set: a slow network never fails."
    )
    target_jitter_ms: float = Field(
        30, gt=0, description="Above this interarrival jitter, either way, it is SLOW."
    )
    max_loss: float = Field(
        1.0, ge=0, le=100, description="Percent of packets; above this, either way, it is SLOW."
    )
    fail_loss: float = Field(
        10.0, gt=0, le=100, description="Percent of packets; above this, either way, it is FAIL."
    )
    deadline: Duration = Field(60.0, gt=0, description="A baseline that takes longer is ended.")

    @model_validator(mode="after")
    def _check(self) -> "SfuConfig":
        if self.fail_rtt_ms is not None and self.fail_rtt_ms <= self.target_rtt_ms:
            raise fault("{value} must be above target_rtt_ms", "fail_rtt_ms")
        if self.fail_loss <= self.max_loss:
            raise fault("{value} must be above max_loss", "fail_loss")
        return self


async def probe_sfu(config: SfuConfig, run: Run) -> Outcome:
    """Take one baseline and return it."""
    from exporter.sfu.baseline import measure_baseline  # noqa: PLC0415 - the SDK only where needed

    return await measure_baseline(config, run)
