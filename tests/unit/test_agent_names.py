"""An agent name for each call: the series of names that nobody configured are limited."""

from prometheus_client import CollectorRegistry

from exporter.daemon.parts import Daemon
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.registry import Metrics
from exporter.outcome import AgentInRoom, Listing, Outcome, PendingDispatch
from exporter.roster.types import WorkerReport, WorkerStatus
from exporter.settings.settings import Settings
from tests.unit.calls import WHEN, judged

_CREDENTIALS = {"url": "ws://127.0.0.1:1", "api_key": "k", "api_secret": "a" * 32}


def settings(**more: object) -> Settings:
    """Return a configuration of a server that nobody asks."""
    fixed = {"server_name": "s", "livekit": _CREDENTIALS, "store": {"enabled": False}}
    return Settings.model_validate({**fixed, **more})


def listing(*names: str, pending: tuple[PendingDispatch, ...] = ()) -> Outcome:
    """Return a listing of an agent of each name, in a room of its own."""
    agents = tuple(AgentInRoom(name, "a", name, "listening", 1, 9) for name in names)
    return judged(Outcome("agents", "", WHEN, 0.1, result=Listing(agents, pending)))


class Site:
    """A daemon that is told of listings and workers, and what it shows."""

    def __init__(self, **more: object) -> None:
        first = settings(**more)
        self.daemon = Daemon(first, first.server(), lambda: first)
        self.daemon.recorder.add("agents", first.agents)

    def list(self, *names: str, pending: tuple[PendingDispatch, ...] = ()) -> None:
        """Tell of an agent of each name, in a room of its own."""
        outcome = listing(*names, pending=pending)
        self.daemon.recorder.record(self.daemon.names.capped(outcome))
        self.daemon.fleet.record(outcome)

    def tell(self, *names: str, pending: tuple[PendingDispatch, ...] = ()) -> None:
        """Tell all listeners of an agent of each name, in a room of its own."""
        for listener in self.daemon.listeners:
            listener(listing(*names, pending=pending))

    def beat(self, name: str, status: WorkerStatus = WorkerStatus.IDLE) -> None:
        """Tell of a worker of that agent."""
        self.daemon.fleet.roster.heartbeat(WorkerReport(f"AW_{name}", name, status))
        self.daemon.fleet._metrics.follow()

    def shown(self, metric: str, **labels: str) -> dict[str, float]:
        """Return the values of a metric by agent name."""
        return {
            sample.labels.get("agent_name", ""): sample.value
            for family in self.daemon.metrics.collect()
            for sample in family.samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        }


def test_names_are_labels_in_the_order_in_which_they_are_found() -> None:
    """Configured ones are not counted; a name that is gone makes room for the next new one."""
    metrics = Metrics(CollectorRegistry(), "s")
    names = AgentNames(metrics, 1, ["demo"])

    def labels(*wanted: str) -> list[str]:
        names.use("listing", wanted)
        return [names.label(name) for name in wanted]

    assert labels("demo", "b", "c") == ["demo", "b", "other"]
    names.use("workers", ["c"])
    assert labels("c", "d") == ["other", "d"]
    names.use("workers", [])
    assert labels("d", "c") == ["d", "other"]
    assert labels() == []
    assert labels("c") == ["c"]


def test_listing_shows_the_names_beyond_the_limit_together() -> None:
    """Counts are sums, ages the largest; how many names share the label is counted."""
    site = Site(max_agent_names=1, targets=[{"agent_name": "demo"}])
    waits = (PendingDispatch("c", "x", 9), PendingDispatch("b", "x", 4))

    site.list("demo", "a", "b", "c", pending=waits)

    assert site.shown("voice_agents", state="listening") == {"demo": 1, "a": 1, "other": 2}
    assert site.shown("voice_dispatches_pending") == {"demo": 0, "a": 0, "other": 2}
    assert site.shown("voice_dispatch_oldest_pending_seconds")["other"] == 9
    assert site.shown("voice_agent_names_capped") == {"": 2}
    site.list("demo")
    assert site.shown("voice_agents", state="listening") == {"demo": 1}
    assert site.shown("voice_agent_names_capped") == {"": 0}


def test_workers_of_names_beyond_the_limit_are_shown_together() -> None:
    """Only those of an agent that is waited for do not take jobs; a worker that goes is gone."""
    site = Site(max_agent_names=1)
    for name in ("a", "b", "c"):
        site.beat(name)
    assert site.shown("voice_workers", status="idle") == {"a": 1, "other": 2}
    assert len(site.shown("voice_worker_status", status="idle")) == 2

    site.list(pending=(PendingDispatch("c", "x", 99),))
    assert site.shown("voice_workers_not_taking_jobs") == {"a": 0, "other": 1}

    for name in ("b", "c"):
        site.beat(name, WorkerStatus.OFFLINE)
    assert site.shown("voice_workers", status="idle") == {"a": 1, "other": 0}
    site.daemon.fleet.roster._clock = lambda: 1e12
    site.daemon.fleet._metrics.follow()
    assert site.shown("voice_workers") == {}


def test_name_that_is_configured_by_a_reload_gets_its_series() -> None:
    """An alert about it asks for its workers."""
    site = Site(max_agent_names=0)
    site.beat("a")
    site.beat("demo")
    assert site.shown("voice_workers", status="idle") == {"other": 2}

    site.daemon.apply(settings(max_agent_names=0, targets=[{"agent_name": "demo"}]))

    assert site.shown("voice_workers", status="idle") == {"demo": 1, "other": 1}
    assert site.shown("voice_worker_status", status="idle") == {"demo": 1, "other": 1}
    assert site.shown("voice_agent_names_capped") == {"": 1}


def test_name_that_a_reload_drops_leaves_no_series_under_two_labels() -> None:
    """1. A target with a worker goes. 2. The worker reports. Result: all of it is `other`."""
    site = Site(max_agent_names=0, targets=[{"agent_name": "demo"}])
    site.beat("demo")
    assert site.shown("voice_workers", status="idle") == {"demo": 1}

    site.daemon.apply(settings(max_agent_names=0))

    for _ in range(2):
        assert site.shown("voice_workers", status="idle") == {"other": 1}
        assert site.shown("voice_worker_status", status="idle") == {"other": 1}
        assert site.shown("voice_agent_names_capped") == {"": 1}
        site.beat("demo")


def test_name_that_a_reload_drops_keeps_its_label_below_the_limit() -> None:
    """It is a name that was found, from then on."""
    site = Site(targets=[{"agent_name": "demo"}])
    site.beat("demo")

    site.daemon.apply(settings())
    site.beat("demo")

    assert site.shown("voice_workers", status="idle") == {"demo": 1}
    assert site.shown("voice_worker_status", status="idle") == {"demo": 1}


def test_found_agent_that_is_called_has_its_figures_under_its_own_name() -> None:
    """As its calls have. 1. It is found beyond the limit. 2. It is called no more: `other`."""
    site = Site(max_agent_names=1, discover={"enabled": True, "exclude": ["a", "b"]})
    for name in ("a", "b", "found"):
        site.beat(name)

    site.tell("a", "b", "found", pending=(PendingDispatch("found", "x", 9),))

    assert site.shown("voice_agents", state="listening") == {"a": 1, "found": 1, "other": 1}
    assert site.shown("voice_dispatches_pending") == {"a": 0, "found": 1, "other": 0}
    assert site.shown("voice_workers", status="idle") == {"a": 1, "found": 1, "other": 1}

    site.daemon.apply(settings(max_agent_names=1))
    site.tell("a", "b", "found")

    assert site.shown("voice_agents", state="listening") == {"a": 1, "other": 2}
    assert site.shown("voice_workers", status="idle") == {"a": 1, "other": 2}


def test_names_keep_their_labels_when_another_one_is_configured() -> None:
    """A place that becomes free is for the next new name: no series jumps."""
    names = AgentNames(Metrics(CollectorRegistry(), "s"), 1)
    names.use("listing", ["a", "b"])

    assert not names.reconfigure(1, ["a"])
    assert [names.label(name) for name in ("a", "b")] == ["a", "other"]
    assert names.reconfigure(2, ["a"])
    assert [names.label(name) for name in ("a", "b")] == ["a", "b"]
