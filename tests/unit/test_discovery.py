"""Which agents are called though nobody named them."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from exporter.daemon.discovery import KEPT_INTERVALS, Discovery
from exporter.outcome import AgentInRoom, Listing, Outcome
from exporter.probes.latency.spec import LatencyConfig
from exporter.settings.discover import DiscoverConfig

WHEN = datetime(2026, 11, 20, tzinfo=UTC)


class Watch:
    """A discovery with a clock that is set by hand."""

    def __init__(self, config: DiscoverConfig, named: Sequence[LatencyConfig] = ()) -> None:
        self.now = 0.0
        self.targets: list[LatencyConfig] = []
        self.removed: list[LatencyConfig] = []
        self.discovery = Discovery(config, named, self._add, self._remove, lambda: self.now)

    def _add(self, target: LatencyConfig) -> None:
        self.targets = [each for each in self.targets if each.key != target.key] + [target]

    def _remove(self, target: LatencyConfig) -> None:
        self.targets.remove(target)
        self.removed.append(target)

    def see(self, *names: str, unread: int = 0) -> list[str]:
        """List agents; return who is called then."""
        agents = tuple(AgentInRoom(name, f"id-{name}", "r", "", 1, 1) for name in names)
        self.discovery.record(
            Outcome("agents", "", WHEN, 0.1, result=Listing(agents, unread=unread))
        )
        return sorted(target.agent_name for target in self.targets)


def test_nobody_is_called_unless_asked_for() -> None:
    """Calls cost money: without `enabled` nothing is discovered."""
    assert Watch(DiscoverConfig()).see("a", "b") == []


def test_what_was_found_goes_with_the_listing() -> None:
    """Another exporter lists rooms from now on, and calls what it finds; it may come back."""
    watch = Watch(DiscoverConfig(enabled=True))
    assert watch.see("a", "b") == ["a", "b"]
    watch.discovery.forget()
    assert {target.agent_name for target in watch.removed} == {"a", "b"}
    assert watch.see("b") == ["b"]


def test_named_and_excluded_agents_are_not_discovered() -> None:
    """A target keeps its own settings, and an excluded agent is left in peace."""
    watch = Watch(DiscoverConfig(enabled=True, exclude=("b",)), [LatencyConfig(agent_name="a")])

    assert watch.see("a", "b", "c", "c") == ["c"]


def test_what_is_no_name_is_not_called() -> None:
    """An agent may call itself anything; what no target may be called by is left alone."""
    assert Watch(DiscoverConfig(enabled=True)).see("a\x1b[2J", "a b") == ["a b"]


def test_discovered_agent_is_called_as_discover_says() -> None:
    """The settings of `discover` make the target; an agent without a name joins unasked."""
    watch = Watch(DiscoverConfig(enabled=True, trials=7, target_ms=900))

    watch.see("a", "")

    by_name = {target.agent_name: target for target in watch.targets}
    assert (by_name["a"].trials, by_name["a"].target_ms) == (7, 900)
    assert by_name["a"].dispatch == "explicit"
    assert by_name[""].dispatch == "automatic"


def test_agent_is_forgotten_only_when_gone_for_long() -> None:
    """An idle agent is in no room: it is called on until it was not seen for a bounded time."""
    watch = Watch(DiscoverConfig(enabled=True, interval=100, forget_after=1000))
    watch.see("a")

    watch.now = 1000
    assert watch.see() == ["a"]
    watch.now += 1
    assert watch.see() == []
    assert watch.see("a") == ["a"]


def test_agent_is_not_forgotten_while_rooms_are_not_read() -> None:
    """It may be in one of them."""
    watch = Watch(DiscoverConfig(enabled=True, interval=100, forget_after=1000))
    watch.see("a")
    watch.now = 2000
    assert watch.see(unread=1) == ["a"]
    assert watch.see() == []


def test_agent_is_called_some_times_before_it_is_forgotten() -> None:
    """However long the interval: that it does not answer must be reported first."""
    watch = Watch(DiscoverConfig(enabled=True, interval=1000, forget_after=10))
    watch.see("a")

    watch.now = KEPT_INTERVALS * 1000
    assert watch.see() == ["a"]
    watch.now += 1
    assert watch.see() == []


def test_reload_changes_found_targets_in_place() -> None:
    """Removing and adding a target would begin its agent's counters anew."""
    watch = Watch(DiscoverConfig(enabled=True, trials=3))
    watch.see("a")

    watch.discovery.reconfigure(DiscoverConfig(enabled=True, trials=5), ())
    assert [target.trials for target in watch.targets] == [5]
    assert watch.removed == []

    watch.discovery.reconfigure(DiscoverConfig(enabled=True, trials=5, call_type="sales"), ())
    assert [target.call_type for target in watch.targets] == ["sales"]
    assert [target.call_type for target in watch.removed] == ["default"]


def test_reload_that_names_a_found_agent_leaves_its_target_to_the_name() -> None:
    """Of the same key: the named one took its place. Of another: the found one goes."""
    config = DiscoverConfig(enabled=True)
    watch = Watch(config)
    watch.see("a", "b")

    named = [LatencyConfig(agent_name="a"), LatencyConfig(agent_name="b", call_type="sales")]
    watch.discovery.reconfigure(config, named)

    assert [target.agent_name for target in watch.removed] == ["b"]
    assert watch.see("a", "b") == ["a"]


def test_reload_that_ends_discovery_ends_its_calls() -> None:
    """Nobody is called any more whom nobody named."""
    watch = Watch(DiscoverConfig(enabled=True))
    watch.see("a")
    watch.discovery.reconfigure(DiscoverConfig(), ())
    assert watch.targets == []


def test_no_more_agents_are_called_than_allowed(caplog: pytest.LogCaptureFixture) -> None:
    """Every agent costs money: the first ones are called, each of the others is told of once."""
    watch = Watch(DiscoverConfig(enabled=True, max_agents=2))
    assert len(watch.see("a", "b")) == 2

    assert watch.see("a", "b", "c") == ["a", "b"]
    assert watch.see("a", "b", "c") == ["a", "b"]

    assert [vars(record)["agent_name"] for record in caplog.records] == ["c"]
