"""Calls to agents that are found in rooms and are not targets."""

from typing import Literal

from pydantic import (
    Field,
)

from exporter.config.labels import OwnLabels
from exporter.config.rules import Faults, rule
from exporter.config.schedule import BudgetConfig, WindowConfig
from exporter.config.values import (
    Duration,
    Name,
    Section,
)
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.latency.utterances import Utterance


class DiscoverBudgetConfig(BudgetConfig):
    """Daily budget of the calls to all found agents together. Every turn costs money."""

    turns_per_day: int | None = Field(
        1200,
        ge=1,
        description="Maximum number of turns, including warm-up turns; null: no limit.",
    )


_OF_DISCOVERY = {"enabled", "exclude", "max_agents", "forget_after"}
"""What discovery does not share with a target."""


class DiscoverConfig(Section):
    """Calls to agents that are found in rooms and are not targets. Every turn costs money."""

    enabled: bool = Field(False, description="Call every agent found in a room.")
    exclude: tuple[str, ...] = Field((), description="Names of agents that are never called.")
    max_agents: int = Field(
        20,
        ge=1,
        description="Maximum number of agents to call; further agents are only logged.",
    )
    forget_after: Duration = Field(
        3600.0,
        gt=0,
        description=(
            "Time without being seen in a room after which an agent is no longer called, at least "
            "three intervals. Rooms of probes do not count."
        ),
    )
    call_type: Name = Field(
        "default", min_length=1, description="Value of the label call_type for these calls."
    )
    interval: Duration = Field(
        300.0, ge=10, description="Time between two calls to the same agent."
    )
    trials: int = Field(3, ge=1, le=100, description="Measured turns in each call.")
    warmup: bool = Field(True, description="Run one unmeasured warm-up turn first.")
    target_ms: float = Field(
        1500, gt=0, description="Average latency above which an agent is SLOW."
    )
    slo: bool = Field(True, description="Turns of these calls count for the objective.")
    page_on: Literal["slow", "fail", "none"] = Field(
        "slow", description="Verdict from which these agents page, as for a target."
    )
    labels: OwnLabels = Field(
        default_factory=dict, description="Labels of your own, as those of a target."
    )
    metadata: str = Field("", description="Metadata of the dispatch.")
    utterance: Utterance = Field(default=Utterance(), description="The caller's speech.")
    budget: DiscoverBudgetConfig = Field(
        default=DiscoverBudgetConfig(), description="Daily budget of all these calls together."
    )
    windows: tuple[WindowConfig, ...] = Field(
        (), description="Time windows in which calls may start; none: at any time."
    )

    @rule
    def _budget_holds_turns(self) -> Faults:
        return self.budget.holds_turns(self.trials + self.warmup)

    @rule
    def _budget_holds_seconds(self) -> Faults:
        limit_s = self.budget.call_seconds_per_day
        if limit_s is not None and limit_s > 0:
            yield from self.budget.holds_seconds(self._target("", ("trials", "warmup")).deadline)

    def target(self, agent_name: str) -> LatencyConfig:
        """Return how to call an agent that was found; one without a name joins every room."""
        return self._target(agent_name, tuple(DiscoverConfig.model_fields.keys() - _OF_DISCOVERY))

    def _target(self, agent_name: str, shared: tuple[str, ...]) -> LatencyConfig:
        return LatencyConfig(
            agent_name=agent_name,
            dispatch="explicit" if agent_name else "automatic",
            **{name: getattr(self, name) for name in shared},
        )
