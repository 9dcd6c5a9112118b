"""What runs may cost: a gate that reserves before a run starts, a listener that settles after it.

A run reserves all that it may cost: its turns and its deadline; its tokens are known only after
it, so the last run of a day may exceed them. What a run that never ended has
reserved stays spent, so an exporter that dies again and again cannot spend more than the budget.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Protocol

from exporter.config.schedule import BudgetConfig, zone
from exporter.outcome import AgentLoad, Calibration, CallResult, ModelUsage, Outcome, Reason, tokens
from exporter.probes.charge import charge_of
from exporter.probes.latency.spec import LatencyConfig, as_target
from exporter.run.process import ProbeTable
from exporter.run.scheduler import Work
from exporter.store.buffered import BufferedStore
from exporter.store.records import (
    NO_BUDGET_LIMITS,
    BudgetLimits,
    CalibrationRecord,
    OpenRun,
    Remaining,
    RunRecord,
    Spending,
)

CUT_SHORT = frozenset({Reason.DEADLINE, Reason.PROBE_CRASHED})
"""Reasons of runs that could not report their current turn."""


class BudgetSeries(Protocol):
    """Told of what is left and what was spent: metrics."""

    def create(self, agent_name: str, *, priced: bool) -> None:
        """Let the series of an agent exist."""

    def remove(self, agent_name: str) -> None:
        """Let them go."""

    def show(self, agent_name: str, remaining: Remaining) -> None:
        """Show what is left."""

    def spend(self, agent_name: str, spent: Spending, cost: float | None) -> None:
        """Count what a run cost; `cost` is None where no price is set."""


class Budgets:
    """The budgets of all targets, in a ledger that outlives the process."""

    def __init__(
        self,
        store: BufferedStore,
        series: BudgetSeries,
        table: ProbeTable,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Set up.

        Args:
            store: The ledger.
            series: Told of every change.
            table: The probes: runs in their lane `call` are opened in the ledger.
            clock: The wall clock.
        """
        self._store = store
        self._series = series
        self._table = table
        self._clock = clock
        self._targets: dict[str, tuple[Work, LatencyConfig]] = {}
        self._running: dict[str, Work] = {}
        self._failing: dict[str, Reason] = {}

    def add(self, work: Work) -> None:
        """Know a target; a known one is replaced."""
        if (target := as_target(work.config)) is not None:
            self._targets[work.id] = work, target
            self._series.create(work.agent_name, priced=target.budget.priced)
            self._show(work.agent_name)

    def remove(self, work: Work) -> None:
        """Forget a target; what it spent today stays spent should it come back."""
        if self._targets.pop(work.id, None) is None:
            return
        if work.agent_name in self._agents():
            self._show(work.agent_name)
        else:
            self._series.remove(work.agent_name)

    async def admit(self, work: Work, run_id: str) -> str:
        """Reserve what a run may cost; the last of the gates.

        Returns:
            `budget` when less is left than it may cost, else "".
        """
        if self._table.load()[work.probe].lane != "call":
            return ""  # it makes no room, and costs nothing that anyone counts
        run, limits = opening(work, run_id, self._clock())
        if not await self._store.begin(run, limits):
            return "budget"
        self._running[run_id] = work
        if work.shared_account:
            self._show_all()  # the others have less left as well
        else:
            self._show(work.agent_name)
        return ""

    def remaining(self, work_id: str) -> Remaining:
        """Return what a target has left today; other work has no limits."""
        known = self._targets.get(work_id)
        if known is None:
            return Remaining()
        work, target = known
        day = _day(target.budget, self._clock())
        return _left(target.budget, self._store.spent_on(work.account, day))

    def record(self, outcome: Outcome) -> None:
        """Settle what a run really cost and put it into the history: the listener."""
        work = self._running.pop(outcome.run_id, None)
        if work is not None:
            self._settle(work, outcome)
        elif self._is_news(outcome):
            self._store.end(RunRecord.of(outcome))
        self._show_all()  # a new day may have begun

    def stop(self) -> None:
        """Forget the runs under way that are about the server: all in their rooms was ours.

        Calls stay open in the ledger: the next start sees to their rooms and ends them.
        """
        for run_id, work in self._running.items():
            if charge_of(work.config) is None:
                self._store.cancel(run_id)
        self._running.clear()

    def forfeit(self, run: OpenRun) -> None:
        """Count the reservation of a run that never ended as spent."""
        key = run.agent_name, run.call_type, run.scenario
        for _, target in self._targets.values():
            if target.key == key:
                self._spend(target, run.plan)

    def _settle(self, work: Work, outcome: Outcome) -> None:
        charge = charge_of(work.config)
        spent = None if charge is None else spending(outcome, charge.plan)
        self._store.end(RunRecord.of(outcome), spent)
        if isinstance(outcome.result, Calibration):
            self._store.add_calibration(CalibrationRecord(outcome.started_at, outcome.result))
        is_shown = not self._targets.keys().isdisjoint((work.id, work.account))
        if charge is not None and spent is not None and is_shown:  # else its series have gone
            self._spend(charge.target, spent, _usage(outcome))

    def _spend(
        self, target: LatencyConfig, spent: Spending, usage: Sequence[ModelUsage] = ()
    ) -> None:
        cost = target.budget.cost(spent.call_seconds, usage)
        self._series.spend(target.agent_name, spent, cost)

    def _is_news(self, outcome: Outcome) -> bool:
        """Return whether a run that costs nothing belongs into the history.

        A listing each 15 seconds would soon fill it: only the first failure of several alike does.
        """
        before = self._failing.pop(outcome.probe, None)
        if outcome.reason is not None:
            self._failing[outcome.probe] = outcome.reason
        return outcome.reason not in (None, before)

    def _agents(self) -> set[str]:
        return {target.agent_name for _, target in self._targets.values()}

    def _show(self, agent: str) -> None:
        """Show what the targets of an agent have left, together."""
        accounts = {
            work.account: self.remaining(name)
            for name, (work, _) in self._targets.items()
            if work.agent_name == agent
        }
        self._series.show(agent, _together(accounts.values()))

    def _show_all(self) -> None:
        """Show every agent, in one pass over the targets."""
        left: dict[str, dict[str, Remaining]] = {}
        for name, (work, _) in self._targets.items():
            # Scenarios share the budget of their target.
            left.setdefault(work.agent_name, {})[work.account] = self.remaining(name)
        for agent, each in left.items():
            self._series.show(agent, _together(each.values()))


def opening(work: Work, run_id: str, now: datetime) -> tuple[OpenRun, BudgetLimits]:
    """Return what to open in the ledger, and within which limits; not all runs have a budget."""
    charge = charge_of(work.config)
    if charge is None:
        return OpenRun(run_id, work.probe, work.agent_name, "", "", now), NO_BUDGET_LIMITS
    target, budget = charge.target, charge.target.budget
    run = OpenRun(
        run_id=run_id,
        probe=work.probe,
        agent_name=target.agent_name,
        call_type=target.call_type,
        scenario=target.scenario,
        started_at=now,
        target=work.account,
        day=_day(budget, now),
        plan=charge.plan,
        room_name=target.room_name,
    )
    return run, BudgetLimits(
        budget.turns_per_day, budget.call_seconds_per_day, budget.tokens_per_day
    )


def spending(outcome: Outcome, plan: Spending) -> Spending:
    """Return what a run really cost.

    A turn counts from its start: one that a kill ended before it was reported counts.
    """
    if isinstance(outcome.result, AgentLoad) and outcome.ok:
        return _spending_of_load(outcome.result, outcome.duration_s, plan)
    if outcome.probe == "agent_load":
        return plan  # what its calls took is not known
    call = outcome.result if isinstance(outcome.result, CallResult) else None
    turns = len(call.turns) + len(call.interruptions) if call else 0
    if outcome.reason in CUT_SHORT:
        turns = min(turns + 1, plan.turns)
    return Spending(turns, outcome.duration_s, tokens(_usage(outcome)))


def _spending_of_load(load: AgentLoad, duration_s: float, plan: Spending) -> Spending:
    """Return what a load cost: its tiers last alike, and all calls of a tier as long as it."""
    turns = sum(call.turns for tier in load.tiers for call in tier.members)
    calls = sum(tier.calls for tier in load.tiers)
    seconds = calls * duration_s / max(1, len(load.tiers))
    return Spending(min(turns, plan.turns), min(seconds, plan.call_seconds))


def _usage(outcome: Outcome) -> tuple[ModelUsage, ...]:
    """Return what the agent told of a call; a killed one tells nothing."""
    return outcome.result.usage if isinstance(outcome.result, CallResult) else ()


def _together(left: Collection[Remaining]) -> Remaining:
    turns = [each.turns for each in left if each.turns is not None]
    seconds = [each.call_seconds for each in left if each.call_seconds is not None]
    of_models = [each.tokens for each in left if each.tokens is not None]
    return Remaining(
        sum(turns) if turns else None,
        sum(seconds) if seconds else None,
        sum(of_models) if of_models else None,
    )


def _left(budget: BudgetConfig, spent: Spending) -> Remaining:
    turns, seconds, most = budget.turns_per_day, budget.call_seconds_per_day, budget.tokens_per_day
    return Remaining(
        turns=None if turns is None else max(0, turns - spent.turns),
        call_seconds=None if seconds is None else max(0.0, seconds - spent.call_seconds),
        tokens=None if most is None else max(0, most - spent.tokens),
    )


def _day(budget: BudgetConfig, now: datetime) -> str:
    return f"{now.astimezone(zone(budget.time_zone)):%Y-%m-%d}"
