"""Writes the series of the ledger: whether it works, and what is left of the budgets."""

from typing import Literal

from exporter.metrics.own_families import BUDGETS
from exporter.metrics.registry import Metrics
from exporter.store.buffered import OPERATIONS
from exporter.store.records import Remaining, Spending


class StoreSeries:
    """Shows whether the store works."""

    def __init__(self, metrics: Metrics, backend: Literal["sqlite", "redis"]) -> None:
        self._metrics = metrics
        self._backend = backend
        for operation in OPERATIONS:
            metrics.create("voice_store_errors_total", operation)

    def up(self, works: bool) -> None:
        """Note whether the store can be written."""
        self._metrics.set("voice_store_up", works, self._backend)

    def failed(self, operation: str) -> None:
        """Count an operation that failed."""
        self._metrics.add("voice_store_errors_total", 1, operation)


class BudgetSeries:
    """Shows what is left of budgets and counts what was spent."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def create(self, agent_name: str, *, priced: bool) -> None:
        """Let the counters of an agent exist, at 0."""
        self._metrics.create("voice_budget_spent_total", agent_name)
        self._metrics.create("voice_budget_spent_call_seconds_total", agent_name)
        if priced:
            self._metrics.create("voice_budget_cost_total", agent_name)

    def remove(self, agent_name: str) -> None:
        """Let the series of an agent go, with its last target."""
        for family in BUDGETS:
            self._metrics.remove(family.name, agent_name=agent_name)

    def show(self, agent_name: str, remaining: Remaining) -> None:
        """Show what is left; without a limit there is no series."""
        self._show("voice_budget_remaining_turns", agent_name, remaining.turns)
        self._show("voice_budget_remaining_call_seconds", agent_name, remaining.call_seconds)
        self._show("voice_budget_remaining_tokens", agent_name, remaining.tokens)

    def spend(self, agent_name: str, spent: Spending, cost: float | None) -> None:
        """Count what a run cost."""
        self._metrics.add("voice_budget_spent_total", spent.turns, agent_name)
        seconds = spent.call_seconds
        self._metrics.add("voice_budget_spent_call_seconds_total", seconds, agent_name)
        if cost is not None:
            self._metrics.add("voice_budget_cost_total", cost, agent_name)

    def _show(self, name: str, agent_name: str, value: float | None) -> None:
        if value is None:
            self._metrics.remove(name, agent_name=agent_name)
        else:
            self._metrics.set(name, value, agent_name)
