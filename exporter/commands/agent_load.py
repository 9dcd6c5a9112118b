"""A load on an agent for a person who waits: `agent-load`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime

from exporter.commands.once import one_runner, run
from exporter.daemon.plan import account_of
from exporter.errors import ConfigError, StoreError
from exporter.outcome import Outcome, RampProgress
from exporter.probes.agent_load.spec import AgentLoadConfig
from exporter.run.budget import opening, spending
from exporter.run.runner import new_run_id
from exporter.run.scheduler import Work
from exporter.server_api import Server
from exporter.settings.load import override
from exporter.settings.settings import Settings
from exporter.store.config import folder_of
from exporter.store.protocol import Store
from exporter.store.records import NO_BUDGET_LIMITS, BudgetLimits, OpenRun, RunRecord
from exporter.store.sqlite import SqliteStore, open_sqlite
from exporter.store.taken_over import REFRESH_S

log = logging.getLogger(__name__)


def plan_load(settings: Settings, flags: Mapping[str, object]) -> AgentLoadConfig:
    """Return the load that is asked for.

    Args:
        settings: The whole configuration.
        flags: Keys of `agent_load` that replace what is configured; None means not given.

    Raises:
        ConfigError: A flag is impossible.
    """
    return settings.load_here(override(settings.agent_load, flags, "agent_load"))


def load_agent(
    settings: Settings, config: AgentLoadConfig, show: Callable[[RampProgress], None]
) -> Outcome:
    """Load an agent once, and charge it to the budget of its target.

    Raises:
        ConfigError: Credentials are missing, or it may cost more than is left today.
    """
    return run(_load(settings, settings.server(), config, show))


async def _load(
    settings: Settings,
    server: Server,
    config: AgentLoadConfig,
    show: Callable[[RampProgress], None],
) -> Outcome:
    account = account_of(settings, config)
    work = Work("agent_load", "agent_load", "", config, config.interval, account)
    opened, limits = opening(work, new_run_id(), datetime.now(UTC))
    async with one_runner(server) as runner, _charged(settings, opened, limits) as settle:
        found = await runner.run("agent_load", config, opened.run_id, on_progress=show)
        settle(found)
        return found


@asynccontextmanager
async def _charged(
    settings: Settings, opened: OpenRun, limits: BudgetLimits
) -> AsyncIterator[Callable[[Outcome], None]]:
    """Reserve what a run may cost, and yield what takes its Outcome, by which it is settled.

    Without limits nothing is noted.

    Raises:
        ConfigError: It is more than is left today.
    """
    if limits == NO_BUDGET_LIMITS:
        yield lambda _outcome: None
        return
    with closing(_ledger(settings)) as store:
        if not store.begin(opened, limits):
            raise ConfigError(_refusal(store, opened, limits))
        ended, over = list[Outcome](), asyncio.Event()
        beat = asyncio.create_task(_stay(store, opened, over))
        try:
            yield ended.append
        finally:
            over.set()
            await asyncio.gather(beat, return_exceptions=True)
            for outcome in ended:
                _settle(store, outcome, opened)


def _ledger(settings: Settings) -> Store:
    """Return the ledger; one in memory, which knows of nothing spent, where it cannot be used."""
    try:
        if settings.store.is_shared:
            return settings.store.redis.opener()()
        if settings.store.enabled:
            return open_sqlite(folder_of(settings.store))
    except StoreError as error:
        log.error(  # noqa: TRY400 - a command shows no warnings, and the text says it all
            "the load is held to the budget of a whole day and not charged: the ledger cannot be "
            "used",
            extra={"error": str(error)},
        )
    return SqliteStore()


def _refusal(store: Store, opened: OpenRun, limits: BudgetLimits) -> str:
    spent = store.spent(opened.day).get((opened.target, opened.day))
    before = f"; {spent.turns} turns and {spent.call_seconds:.0f} s are spent" if spent else ""
    most = {
        "turns_per_day": limits.turns,
        "call_seconds_per_day": limits.call_seconds,
        "tokens_per_day": limits.tokens,
    }
    known = ", ".join(f"{name} {value:g}" for name, value in most.items() if value is not None)
    return (
        f"the load may take {opened.plan.turns} turns and {opened.plan.call_seconds:.0f} s of "
        f"calls, more than the budget of {opened.agent_name} leaves today ({known}{before}); "
        f"expected fewer or shorter tiers, or a larger budget"
    )


async def _stay(store: Store, opened: OpenRun, over: asyncio.Event) -> None:
    """Let the others that share the ledger know that the run goes on, until it is over.

    It returns once nothing is asked any more: a run that is begun after its end would be open, and
    charged, again.
    """
    while not over.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(REFRESH_S):
                await over.wait()
                return
        with suppress(StoreError):
            await asyncio.to_thread(store.begin, opened)  # it is open: this is heard, and no more


def _settle(store: Store, outcome: Outcome, opened: OpenRun) -> None:
    record = replace(RunRecord.of(outcome), run_id=opened.run_id)
    try:
        store.end(record, spending(outcome, opened.plan))
    except StoreError as error:
        log.error(  # noqa: TRY400 - as above
            "what the load cost is not noted", extra={"error": str(error)}
        )
