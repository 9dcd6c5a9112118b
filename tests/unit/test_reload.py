"""A new configuration under the parts of a daemon, which is not started: nothing is called."""

import asyncio

from exporter.daemon.parts import Daemon
from exporter.daemon.plan import call_work, server_works
from exporter.outcome import CallResult, Outcome, Reason, Verdict
from exporter.probes import PROBES
from exporter.settings.settings import Settings
from tests.unit.calls import WHEN, judged, replied

NO_TARGET = {"agent_name": "", "call_type": "", "scenario": "", "vantage": "default"}
EVERYTHING_ON = {
    "workers": {"scrape": ["http://127.0.0.1:1"]},
    "ramp": {"enabled": True, "max_clients": 50, "windows": [{"days": "sun"}]},
    "agent_load": {
        "enabled": True,
        "agent_name": "demo",
        "max_calls": 8,
        "windows": [{"days": "sun"}],
    },
}
Targets = list[dict[str, str]]


def settings(targets: Targets, **more: object) -> Settings:
    """Return a configuration with these targets."""
    return Settings.model_validate(
        {
            "server_name": "s",
            "livekit": {"url": "ws://127.0.0.1:1", "api_key": "key", "api_secret": "very-secret"},
            "store": {"enabled": False},
            "targets": targets,
            **more,
        }
    )


class Page:
    """A daemon that was started with some targets, and what it shows."""

    def __init__(self, targets: Targets, **more: object) -> None:
        first = settings(targets, **more)
        self.daemon = Daemon(first, first.server(), lambda: first)
        for target in first.targets:
            self.daemon.works.add(call_work(target), 0)

    def end_call(self, scenario: str) -> None:
        """Let a call end well."""
        result = CallResult("demo", "default", scenario, (replied(1.0),) * 3)
        self.tell(judged(Outcome("latency", "demo", WHEN, 9, result=result)))

    def tell(self, outcome: Outcome) -> None:
        """Give an outcome to all listeners."""
        for listener in self.daemon.listeners:
            listener(outcome)

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample's value, None if it is absent."""
        return self.daemon.metrics.registry.get_sample_value(name, {"server": "s", **labels})

    def attempts(self) -> float | None:
        """Return how many calls to the agent were counted."""
        return self.value("voice_probe_attempts_total", probe="latency", agent_name="demo")


def test_agent_keeps_its_counters_when_its_target_is_renamed() -> None:
    """1. A call ends. 2. Its target gets another scenario. Result: the agent has one count."""
    page = Page([{"agent_name": "demo", "scenario": "short"}])
    page.end_call("short")
    page.daemon.apply(settings([{"agent_name": "demo", "scenario": "long"}]))
    assert page.attempts() == 1
    turns = {
        "agent_name": "demo",
        "call_type": "default",
        "outcome": "replied",
        "vantage": "default",
    }
    assert page.value("voice_turns_total", **turns, scenario="short") is None
    assert page.value("voice_turns_total", **turns, scenario="long") == 0


def test_target_that_is_changed_keeps_its_last_run() -> None:
    """The status page and the API do not say UNKNOWN of what they know."""
    page = Page([{"agent_name": "demo"}])
    page.end_call("default")
    page.daemon.apply(settings([{"agent_name": "demo", "metadata": "new"}]))
    (line,) = page.daemon.watch_list.lines.values()
    assert (line.verdict, line.work.config.metadata) == (Verdict.PASS, "new")  # type: ignore[attr-defined]


def test_call_that_ends_after_its_target_has_gone_brings_nothing_back() -> None:
    """1. A reload removes a target. 2. Its call, which was under way, ends. Result: no series."""
    page = Page([{"agent_name": "demo"}])
    page.daemon.apply(settings([]))
    page.end_call("default")
    assert page.attempts() is None


def test_every_probe_of_the_table_reaches_the_page() -> None:
    """A run of each fails: it is counted, and it has a verdict."""

    async def story() -> None:
        page = Page([], **EVERYTHING_ON)
        for work in server_works(settings([], **EVERYTHING_ON)):
            page.daemon.works.add(work, 0)
        for probe in PROBES.keys() - {"latency"}:
            page.tell(
                judged(Outcome(probe, "", WHEN, 1, Reason.CONNECT_FAILED, "no route", run_id=probe))
            )
            series = {"check": probe, **NO_TARGET}
            shown = [v for v in Verdict if page.value("voice_verdict", **series, verdict=v)]
            assert shown == [Verdict.FAIL], probe
            failures = {"probe": probe, **NO_TARGET, "reason": "connect_failed"}
            assert page.value("voice_probe_failures_total", **failures) == 1, probe

    asyncio.run(story())
