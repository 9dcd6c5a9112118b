"""A load on an agent for a person who waits: `agent-load`."""

from collections.abc import Callable, Mapping

from exporter.commands.once import one_runner, run
from exporter.outcome import Outcome, RampProgress
from exporter.probes.agent_load.spec import AgentLoadConfig
from exporter.server_api import Server
from exporter.settings.load import override
from exporter.settings.settings import Settings


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
    """Load an agent once.

    Raises:
        ConfigError: Credentials are missing.
    """
    return run(_load(settings.server(), config, show))


async def _load(
    server: Server, config: AgentLoadConfig, show: Callable[[RampProgress], None]
) -> Outcome:
    async with one_runner(server) as runner:
        return await runner.run("agent_load", config, on_progress=show)
