"""What is kept and sent of a ramp: its knee and a few figures of each tier."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from exporter.config.values import MOST_CHARACTERS, is_name
from exporter.probes.ramp.families import CLIENTS_MAX, KNEE, LIMITED, LOSS, RTT, TIMESTAMP
from exporter.probes.ramp.judge import JudgedTier, Knee, KneeKind
from exporter.series import Reading

MOST_TIERS = 100
_MANY = 10**6
_Clients = Annotated[int, Field(ge=0, le=_MANY)]


class _Figures(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True
    )


class TierFigures(_Figures):
    """One tier."""

    clients: _Clients
    held: bool = Field(description="Every target held.")
    limited: bool = Field(description="The prober was the limit, not the SFU.")
    rtt_ms: float | None = Field(
        None, ge=0, le=_MANY, description="95th percentile, or the largest below 20 messages."
    )
    loss_ratio: float | None = Field(None, ge=0, le=1)


class RampFigures(_Figures):
    """One ramp: the body of `POST /api/v1/ramps`. Unknown keys are refused."""

    vantage: str = Field(
        min_length=1,
        max_length=MOST_CHARACTERS,
        description="From where: the label of that name.",
    )
    started_at: AwareDatetime
    knee: KneeKind
    knee_clients: _Clients | None = Field(None, description="Only if the knee was found.")
    tiers: tuple[TierFigures, ...] = Field(min_length=1, max_length=MOST_TIERS)

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Refuse a knee that the rest contradicts: it would be shown as a capacity."""
        if (self.knee is KneeKind.FOUND) is (self.knee_clients is None):
            raise ValueError("knee_clients: expected if and only if the knee is found")
        held = {tier.clients for tier in self.tiers if tier.held and not tier.limited}
        if self.knee_clients is not None and self.knee_clients not in held:
            raise ValueError("knee_clients: expected the clients of a tier that held")
        return self

    @classmethod
    def of(
        cls, vantage: str, started_at: datetime, tiers: Sequence[JudgedTier], knee: Knee
    ) -> Self:
        """Take the figures of a ramp.

        Args:
            vantage: From where.
            started_at: When it began.
            tiers: Judged; at least one.
            knee: That they make.
        """
        return cls(
            vantage=vantage,
            started_at=started_at,
            knee=knee.kind,
            knee_clients=knee.clients,
            tiers=tuple(_of_tier(tier) for tier in tiers),
        )

    @property
    def can_be_shown(self) -> bool:
        """Whether the vantage can be a label."""
        return is_name(self.vantage)

    def readings(self) -> Iterator[Reading]:
        """Return what it shows on /metrics."""
        yield TIMESTAMP.read(self.started_at.timestamp())
        yield LIMITED.read(self.knee is KneeKind.LIMITED)
        if self.knee_clients is not None:
            yield KNEE.read(self.knee_clients)
        good = [tier.clients for tier in self.tiers if tier.held and not tier.limited]
        yield CLIENTS_MAX.read(max(good, default=0))
        for tier in self.tiers:
            clients = str(tier.clients)
            if tier.rtt_ms is not None:
                yield RTT.read(tier.rtt_ms, clients=clients)
            if tier.loss_ratio is not None:
                yield LOSS.read(tier.loss_ratio, clients=clients)


def _of_tier(tier: JudgedTier) -> TierFigures:
    tail_s = tier.summary.rtt_tail_s
    return TierFigures(
        clients=tier.clients,
        held=tier.held,
        limited=tier.limited,
        rtt_ms=None if tail_s is None else tail_s * 1000,
        loss_ratio=tier.summary.loss_ratio,
    )
