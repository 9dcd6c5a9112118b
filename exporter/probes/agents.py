"""List what the server knows: agents in rooms, rooms, participants, dispatches without agent."""

from pydantic import BaseModel, ConfigDict, Field

from exporter.duration import Duration
from exporter.outcome import Outcome
from exporter.probes.run import Run


class AgentsConfig(BaseModel):
    """How rooms and agents are listed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    interval: Duration = Field(15.0, ge=1, description="Time between two listings.")
    deadline: Duration = Field(30.0, gt=0, description="A listing that takes longer is ended.")
    concurrency: int = Field(16, ge=1, le=256, description="Rooms asked about at one time.")
    stuck_after: Duration = Field(
        30.0, gt=0, description="Time in initializing or thinking after which an agent is stuck."
    )


async def probe_agents(config: AgentsConfig, run: Run) -> Outcome:
    """List agents, rooms and pending dispatches once."""
    raise RuntimeError("being written")
