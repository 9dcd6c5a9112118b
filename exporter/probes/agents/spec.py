"""List what the server knows: agents in rooms, rooms, participants, dispatches without agent."""

from pydantic import Field

from exporter.config.values import Duration, ProbeSection
from exporter.outcome import Listing
from exporter.probe import Probe, failed_is_all
from exporter.probes.agents.families import FAMILIES, Listings


class AgentsConfig(ProbeSection):
    """Listing of rooms and agents."""

    interval: Duration = Field(15.0, ge=1, description="Time between two listings.")
    deadline: Duration = Field(30.0, gt=0, description="Time limit of a listing.")
    concurrency: int = Field(
        16, ge=1, le=256, description="Number of rooms queried at the same time."
    )
    stuck_after: Duration = Field(
        30.0,
        gt=0,
        description="Time in state initializing or thinking after which an agent is stuck.",
    )
    no_job_after: Duration = Field(
        15.0,
        gt=0,
        description=(
            "Age of a pending dispatch from which the idle workers of its agent count as not "
            "taking jobs."
        ),
    )
    unclosed_after: Duration = Field(
        600.0, gt=0, description="Time without a human after which a room counts as unclosed."
    )


def summary(result: Listing) -> str:
    """Say how much is there."""
    pending = f"{len(result.pending)} dispatches pending"
    return f"{result.rooms} rooms, {len(result.agents)} agents, {pending}"


PROBE = Probe(
    name="agents",
    config=AgentsConfig,
    measure="exporter.probes.agents.measure:list_agents",
    lane="api",
    judge=failed_is_all,
    summary=summary,
    families=FAMILIES,
    reader=Listings,
)
