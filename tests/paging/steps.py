"""What goes wrong on a site, and how long it takes until someone is told.

Each scenario waits until the site is well before it begins, so none depends on another. What it
counts are the product's own counters, at the moment at which the rule was first true.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.monitoring.webhook import Notice
from tests.paging.scene import AGENT, FAST_S, OTHERS, SLOW_S, Scene, now
from tests.patience import until

INTERVALS = 3
"""Calls within which a dead agent pages."""
DEAD_AGENT = "worker stopped to VoiceAgentFailing"
_LOOKS = 10
"""Evaluations of every rule after which nothing more is to come."""
_PAGE = "VoiceAgentFailing"
_OF_CALLS = f'agent_name="{AGENT}",probe="latency"'
_FAILURES = f'voice_probe_failures_total{{{_OF_CALLS},reason!~"void|probe_crashed"}}'
"""Failed calls; those that the prober itself spoiled count neither here nor in a verdict."""
_STREAK = f'voice_verdict_streak{{agent_name="{AGENT}",check="latency",verdict="FAIL"}}'


@dataclass(frozen=True, slots=True)
class Timing:
    """From a cause to the notice of it."""

    what: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.what}: {self.seconds:.1f} s"


def slow_agent(scene: Scene) -> list[Timing]:
    """Slow the language model until someone is told, and make it quick again."""
    scene.until_well()
    cause = now()
    scene.set_llm_delay(SLOW_S)
    told = scene.arrival("VoiceAgentSlow", "firing", cause)
    _is_clear(told)
    assert told.receiver == "pager"  # page_on is slow unless the target says otherwise
    cure = now()
    scene.set_llm_delay(FAST_S)
    over = scene.arrival("VoiceAgentSlow", "resolved", cure)
    return [
        Timing("language model slow to VoiceAgentSlow", told.at - cause),
        Timing("quick again to resolved", over.at - cure),
    ]


def dead_agent(scene: Scene) -> list[Timing]:
    """Stop the worker until someone is woken, and start it again."""
    scene.until_well()
    before = scene.value(_FAILURES) or 0
    cause = now()
    scene.worker.stop()
    page = scene.arrival(_PAGE, "firing", cause)
    _is_clear(page)
    assert page.receiver == "pager"
    assert page.labels == _failing(scene, AGENT)
    in_a_row = scene.value(_STREAK, page.starts_at) or 0
    failed = (scene.value(_FAILURES, page.starts_at) or 0) - before
    assert in_a_row >= 2, f"paged after {in_a_row:g} calls in a row"
    assert failed <= INTERVALS, f"paged after {failed:g} calls"
    cure = now()
    scene.worker.start()
    over = scene.arrival(_PAGE, "resolved", cure)
    assert {each.name for each in scene.told(cause) if each.receiver == "pager"} == {_PAGE}
    return [
        Timing(DEAD_AGENT, page.at - cause),
        Timing("worker started to resolved", over.at - cure),
    ]


def dead_exporter(scene: Scene) -> list[Timing]:
    """Kill the exporter: one alert of it, none of its agents, also not where they fail too.

    That the agents' alerts are held back is seen by thirty that are sent to Alertmanager, as a
    Prometheus would which has not yet noticed; they are like the one of a dead agent.
    """
    scene.until_well()
    failing = [_failing(scene, name) for name in OTHERS]
    cause = now()
    scene.exporter.kill()
    page = scene.arrival("VoiceExporterDown", "firing", cause)
    _send(scene, failing)
    scene.prometheus.let_rules_be_evaluated(_LOOKS)
    told = {frozenset(each.labels.items()) for each in scene.told(cause)}
    assert told == {frozenset(page.labels.items())}
    return [Timing("exporter killed to VoiceExporterDown", page.at - cause)]


STEPS: tuple[Callable[[Scene], list[Timing]], ...] = (slow_agent, dead_agent, dead_exporter)
"""In this order: the last one leaves no exporter."""


def _is_clear(notice: Notice) -> None:
    """Check that who is told knows of whom it is and where to look."""
    assert AGENT in notice.annotations["summary"]
    assert notice.annotations["description"]
    assert notice.annotations["runbook_url"].endswith(f"{notice.name}.md")
    assert "/d/voice-" in notice.annotations["dashboard_url"]


def _failing(scene: Scene, agent: str) -> dict[str, str]:
    """Return the labels of the page about an agent that fails, as its rule makes them."""
    (server,) = scene.prometheus.label_values("server", f'voice_verdict{{agent_name="{AGENT}"}}')
    target = {"call_type": "default", "scenario": "default", "page_on": "slow"}
    return {
        "alertname": _PAGE,
        "server": server,
        "agent_name": agent,
        **target,
        "severity": "page",
    }


def _send(scene: Scene, failing: list[dict[str, str]]) -> None:
    """Let agents fail, and wait until every alert of them is held back."""
    begun = datetime.now(UTC).isoformat()
    scene.alertmanager.take([{"labels": labels, "startsAt": begun} for labels in failing])

    def held_back() -> int:
        return sum(
            bool(each["status"]["inhibitedBy"])
            for each in scene.alertmanager.alerts()
            if each["labels"].get("agent_name") in OTHERS
        )

    until(lambda: held_back() == len(failing), what="every alert of an agent held back")
