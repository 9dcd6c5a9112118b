"""Targets that nobody wrote down: agents seen in rooms, where the configuration asks for them."""

import logging
import time
from collections.abc import Callable, Sequence

from exporter.config.values import is_name
from exporter.outcome import Listing, Outcome
from exporter.probes.latency.spec import LatencyConfig
from exporter.settings.discover import DiscoverConfig

log = logging.getLogger(__name__)

_MOST_LOGGED = 100
"""Names that are logged: a fleet with one agent name per call would fill the log."""
KEPT_INTERVALS = 3
"""Calls before an agent in no room is forgotten, at least: its failure must be reported first."""


class Discovery:
    """Compares listings with the targets; a listener of Outcomes."""

    def __init__(
        self,
        config: DiscoverConfig,
        named: Sequence[LatencyConfig],
        add: Callable[[LatencyConfig], None],
        remove: Callable[[LatencyConfig], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up.

        Args:
            config: Whether to discover, and how to call what is found.
            named: The targets of the configuration, whose agents are not discovered.
            add: Called with each new target.
            remove: Called with each target whose agent is gone for long.
            clock: Seconds, monotonic.
        """
        self._config = config
        self._ignored = _ignored(config, named)
        self._add = add
        self._remove = remove
        self._clock = clock
        self._found: dict[str, tuple[LatencyConfig, float]] = {}
        self._logged: set[str] = set()

    def reconfigure(self, config: DiscoverConfig, named: Sequence[LatencyConfig]) -> None:
        """Follow a new configuration; what is still to be called goes on as it was.

        A found target whose place a named one has taken is forgotten, not removed.
        """
        self._config = config
        self._ignored = _ignored(config, named)
        taken = {target.key for target in named}
        for name, (target, seen) in list(self._found.items()):
            if not config.enabled or name in self._ignored:
                del self._found[name]
                if target.key not in taken:
                    self._remove(target)
            elif (changed := config.target(name)) != target:
                self._found[name] = changed, seen
                self._add(changed)  # before the other goes: the agent keeps its counters
                if changed.key != target.key:
                    self._remove(target)

    def forget(self) -> None:
        """Let all that was found go: another exporter lists rooms from now on, and finds it."""
        found, self._found = self._found, {}
        for target, _ in found.values():
            self._remove(target)

    def record(self, outcome: Outcome) -> None:
        """Take note of a listing."""
        if not self._config.enabled or not isinstance(outcome.result, Listing):
            return
        now = self._clock()
        names = filter(is_name, {agent.agent_name for agent in outcome.result.agents})
        for name in set(names) - self._ignored:
            if name in self._found:
                self._found[name] = self._found[name][0], now
            elif self._is_room(name):
                target = self._config.target(name)
                self._found[name] = target, now
                self._add(target)
        if outcome.result.unread:  # it may be in a room that was not read
            return
        kept_s = max(self._config.forget_after, KEPT_INTERVALS * self._config.interval)
        for name, (target, seen) in list(self._found.items()):
            if now - seen > kept_s:
                del self._found[name]
                self._remove(target)

    def _is_room(self, name: str) -> bool:
        """Return whether one more may be called; say once of each that may not."""
        if len(self._found) < self._config.max_agents:
            return True
        if name not in self._logged and len(self._logged) < _MOST_LOGGED:
            self._logged.add(name)
            fields = {"agent_name": name, "max_agents": self._config.max_agents}
            log.warning("agent not called: discover.max_agents is reached", extra=fields)
        return False


def _ignored(config: DiscoverConfig, named: Sequence[LatencyConfig]) -> set[str]:
    return {target.agent_name for target in named} | set(config.exclude)
