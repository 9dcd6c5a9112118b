"""The caller as the agent sees it: its participant, its room, its RPCs."""

from typing import Literal

from pydantic import Field

from exporter.config.values import Section


class CallerIdentity(Section):
    """What the agent can read of the caller, as a participant."""

    identity: str | None = Field(
        None, description="Participant identity of the caller; random if not set."
    )
    name: str = Field("", description="Participant name.")
    metadata: str = Field("", description="Participant metadata of the caller.")
    attributes: dict[str, str] = Field(
        default_factory=dict,
        description="Participant attributes of the caller.",
    )
    kind: Literal["standard", "sip"] = Field(
        "standard",
        description=(
            "Participant kind of the caller; sip for agents that expect telephone callers, which "
            "also have attributes such as sip.phoneNumber."
        ),
    )


class RoomConfig(Section):
    """What the agent can read of the room."""

    metadata: str = Field("", description="Metadata of the room.")


class TurnConfig(Section):
    """Push-to-talk: RPCs by which the agent knows the caller's turn."""

    start_rpc: str = Field("", description="Method performed before each utterance; none if empty.")
    end_rpc: str = Field(
        "",
        description="Method performed when the last sample of the utterance has left; none if "
        "empty.",
    )

    @property
    def methods(self) -> int:
        """How many RPCs a turn has."""
        return bool(self.start_rpc) + bool(self.end_rpc)
