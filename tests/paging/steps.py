"""What goes wrong on a site, and how long it takes until someone is told."""

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
_FAILURES = f'voice_probe_failures_total{{agent_name="{AGENT}",probe="latency"}}'


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
    assert told.receiver == "chat"  # nobody gets up for it
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
    before = _failures(scene)
    cause = now()
    scene.worker.stop()
    page = scene.arrival("VoiceAgentFailing", "firing", cause)
    failed = _failures(scene) - before
    _is_clear(page)
    assert page.receiver == "pager"
    assert 2 <= failed <= INTERVALS, f"paged after {failed} calls"
    assert {each.name for each in scene.told(cause) if each.receiver == "pager"} == {page.name}
    cure = now()
    scene.worker.start()
    over = scene.arrival("VoiceAgentFailing", "resolved", cure)
    return [
        Timing(DEAD_AGENT, page.at - cause),
        Timing("worker started to resolved", over.at - cure),
    ]


def dead_exporter(scene: Scene) -> list[Timing]:
    """Kill the exporter: one alert of it, none of its agents, also not where they fail too.

    That the agents' alerts are held back is seen by thirty that are sent to Alertmanager, as a
    Prometheus would which has not yet noticed; they are like the one that paged before.
    """
    scene.until_well()
    cause = now()
    scene.exporter.kill()
    page = scene.arrival("VoiceExporterDown", "firing", cause)
    _send_thirty(scene)
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


def _failures(scene: Scene) -> int:
    return int(scene.value(_FAILURES) or 0)


def _send_thirty(scene: Scene) -> None:
    """Let thirty agents fail, and wait until every alert of them is held back."""
    like = next(each for each in scene.webhook.notices if each.name == "VoiceAgentFailing")
    begun = datetime.now(UTC).isoformat()
    scene.alertmanager.take(
        [
            {
                "labels": {**like.labels, "agent_name": name},
                "annotations": dict(like.annotations),
                "startsAt": begun,
            }
            for name in OTHERS
        ]
    )

    def held_back() -> int:
        return sum(
            bool(each["status"]["inhibitedBy"])
            for each in scene.alertmanager.alerts()
            if each["labels"].get("agent_name") in OTHERS
        )

    until(lambda: held_back() == len(OTHERS), what="thirty alerts of agents held back")
