"""Thresholds that only the alert rules use; they are exported, so that no rule is ever edited."""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import Field

from exporter.config.values import Duration, Section


class AlertsConfig(Section):
    """Thresholds of alert rules without another setting, exported as voice_alert_threshold."""

    dispatch_pending_after: Duration = Field(
        30.0, gt=0, description="VoiceDispatchPending: age of a pending dispatch."
    )
    latency_disagrees_by: Duration = Field(
        0.5,
        gt=0,
        description=(
            "VoiceLatencyDisagrees: difference between the measured and the agent's reported mean "
            "latency over an hour."
        ),
    )
    tokens_jump: float = Field(
        2,
        gt=1,
        description=(
            "VoiceAgentTokensJump: tokens per turn of an hour, as a multiple of those of the past "
            "day."
        ),
    )
    max_void_ratio: float = Field(
        0.2, gt=0, lt=1, description="VoiceTooManyVoids: share of void turns."
    )
    certificate_expires_in: Duration = Field(
        14 * 86400.0,
        gt=0,
        description=(
            "VoiceCertificateExpires: time until a certificate of the server or its TURN servers "
            "expires."
        ),
    )
    lost_connections: int = Field(
        2, ge=1, description="VoiceSfuReconnects: connections lost during baselines within an hour."
    )
    fast_burn_turns: int = Field(
        10, ge=1, description="VoiceSloBurnFast: minimum number of turns in the long window."
    )
    slow_burn_turns: int = Field(
        30, ge=1, description="VoiceSloBurnSlow: minimum number of turns in the long window."
    )

    @property
    def by_alert(self) -> Mapping[str, float]:
        """Each threshold by the alert that compares with it, in seconds where it is a time."""
        return MappingProxyType(
            {
                "VoiceDispatchPending": self.dispatch_pending_after,
                "VoiceLatencyDisagrees": self.latency_disagrees_by,
                "VoiceAgentTokensJump": self.tokens_jump,
                "VoiceTooManyVoids": self.max_void_ratio,
                "VoiceCertificateExpires": self.certificate_expires_in,
                "VoiceSfuReconnects": self.lost_connections,
                "VoiceSloBurnFast": self.fast_burn_turns,
                "VoiceSloBurnSlow": self.slow_burn_turns,
            }
        )
