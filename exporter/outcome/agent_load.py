"""What a load of real calls on one agent found."""

from dataclasses import dataclass

from exporter.outcome.load import ProberLoad
from exporter.outcome.reasons import Reason


@dataclass(frozen=True, slots=True)
class LoadCall:
    """One call of a tier."""

    e2e_s: tuple[float, ...] = ()
    """Of each measured turn, without warm-up turns."""
    failures: tuple[Reason, ...] = ()
    """Of turns that failed, and of the call if it ended early."""
    voids: int = 0
    """Turns that the prober spoiled."""
    yields_s: tuple[float, ...] = ()
    """Time to yield of each interruption to which the agent yielded."""
    talked_on: int = 0
    """Interruptions to which it did not, or after which it went on with the same reply."""
    interruptions: int = 0
    """All of them, also void ones and those that came too late."""
    time_to_agent_s: float | None = None

    @property
    def turns(self) -> int:
        """Turns that the agent was asked for, the warm-up turn and interruptions included."""
        asked = len(self.e2e_s) + len(self.failures) + self.voids
        return 1 + asked + self.interruptions


@dataclass(frozen=True, slots=True)
class WorkerUse:
    """What the agent's workers use together, as they report it."""

    jobs: int
    memory_bytes: float
    cpu_cores: float | None


@dataclass(frozen=True, slots=True)
class LoadTier:
    """So many calls at one time."""

    calls: int
    """Asked for; there is one member for each."""
    members: tuple[LoadCall, ...]
    load: tuple[ProberLoad, ...]
    """One for each process of the prober that lived to the end of the tier."""
    cores: float
    """That the prober may use."""
    memory_free_ratio: float = 1.0
    worker: WorkerUse | None = None
    """None where no running exporter knows it."""


@dataclass(frozen=True, slots=True)
class AgentLoad:
    """The tiers of a load, from few calls to many, as far as it came."""

    agent_name: str
    call_type: str
    scenario: str
    tiers: tuple[LoadTier, ...] = ()
