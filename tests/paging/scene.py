"""A whole site on this machine: agent, exporter, Prometheus, Alertmanager, and who is paged.

All of it is real. What differs from a site that follows the examples in alerts/ is time alone:
calls come every ten seconds, rules are evaluated every second, and waits are shorter.
The agent is the demo's, which can be made slow (`demo_site`), or one that needs no providers, hears
by level and so is as quick on a busy machine (`scripted_site`).
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import yaml

from exporter.config.schedule import DAYS
from exporter.demo.livekit_server import free_ports
from exporter.demo.processes import Child
from exporter.demo.settings import DemoSettings
from exporter.server_api import Server
from tests import patience
from tests.integration.scripts import Script
from tests.integration.workers import demo_providers, demo_worker, truth_worker
from tests.monitoring import rules
from tests.monitoring.services import (
    Alertmanager,
    Prometheus,
    run_alertmanager,
    run_prometheus,
)
from tests.monitoring.site import JOB
from tests.monitoring.webhook import Notice, Webhook, run_webhook
from tests.patience import until

AGENT = "demo"
INTERVAL_S = 10.0
"""Between two calls: the least that the exporter takes."""
OTHERS = tuple(f"agent-{number:02}" for number in range(1, 31))
"""Agents that may be targets, too, at a time of the week that is not now."""
SHORTER = 12.0
"""What the rules' waits (`for`) are divided by: a minute becomes five seconds."""
FAST_S, SLOW_S = 0.35, 2.0
"""Of the language model, to the first token."""
_TARGET_MS = 2200
_COMMON: dict[str, object] = {
    "interval": INTERVAL_S,
    "trials": 1,
    "warmup": False,
    "greeting": "none",
}
_GROUP_WAITS = {"group_wait": "200ms", "group_interval": "1s"}
_COMES_WITHIN_S = 300.0
"""On a machine that is so busy that most calls are spoiled, and say nothing."""


Starter = Callable[[Path], AbstractContextManager[object]]
"""Runs a worker, with its files in a folder, until the block ends; registered when it begins."""


class Worker:
    """The worker of the agent, which may be stopped and started."""

    def __init__(self, run: Starter, folder: Path) -> None:
        """Prepare it; nothing runs yet.

        Args:
            run: Runs it.
            folder: Takes a folder for each start: the log of a start says when it is registered.
        """
        self._run = run
        self._folder = folder
        self._starts = count(1)
        self._running = ExitStack()

    def start(self) -> None:
        """Start it, and return once it is registered."""
        folder = self._folder / f"worker-{next(self._starts)}"
        folder.mkdir()
        self._running.enter_context(self._run(folder))

    def stop(self) -> None:
        """Stop it, if it runs."""
        self._running.close()

    @contextmanager
    def begun(self) -> Iterator[Future[None]]:
        """Let it start while the block goes on; it is stopped in the end."""
        with ExitStack() as stack:
            stack.callback(self.stop)
            yield stack.enter_context(ThreadPoolExecutor(1)).submit(self.start)


@dataclass(frozen=True, slots=True)
class Scene:
    """The site, and what can be done to it. Moments are of the monotonic clock."""

    prometheus: Prometheus
    alertmanager: Alertmanager
    webhook: Webhook
    exporter: Child
    worker: Worker
    providers: str
    """The URL of the demo's; "" for an agent that has none."""

    def set_llm_delay(self, seconds: float) -> None:
        """Let the agent's language model take so long from now on."""
        settings = {"llm": {"delay_s": seconds}}
        url = f"{self.providers}/settings"
        httpx.put(url, json=settings, timeout=30, trust_env=False).raise_for_status()

    def value(self, expression: str, at: float | None = None) -> float | None:
        """Return the sum of what Prometheus says to an expression, None if there is nothing.

        Args:
            expression: PromQL.
            at: The moment that it is asked for, as Unix time; now if not given.
        """
        series = self.prometheus.ask(expression, at).series
        return sum(each.value for each in series) if series else None

    def until_well(self) -> None:
        """Wait until the agent's last call was good and nothing is said about the agent."""
        well = f'voice_verdict{{agent_name="{AGENT}",check="latency",verdict="PASS"}} == 1'
        alerts = f'ALERTS{{agent_name="{AGENT}",alertstate="firing"}}'
        until(
            lambda: self.value(well) and self.value(alerts) is None,
            _COMES_WITHIN_S,
            "a good call and no alert of the agent",
        )

    def arrival(self, alert: str, status: str, since: float) -> Notice:
        """Wait for an alert at the pager; of the agent's alerts only the demo's count."""

        def wanted(notice: Notice) -> bool:
            agent = notice.labels.get("agent_name", AGENT)
            return notice.name == alert and notice.status == status and agent == AGENT

        what = f"{alert} {status}"
        return self.webhook.wait(wanted, what, since=since, within_s=_COMES_WITHIN_S)

    def told(self, since: float) -> list[Notice]:
        """Return what has arrived firing since a moment, without the watchdog."""
        return [
            each
            for each in self.webhook.notices
            if each.at >= since and each.status == "firing" and each.labels["severity"] != "none"
        ]


@contextmanager
def demo_site(server: Server, folder: Path) -> Iterator[Scene]:
    """Run everything until the block ends, with the demo's agent and with all other targets."""
    with demo_providers(folder, DemoSettings()) as providers:
        start = partial(_demo_worker, server, providers)
        target = _target()
        with _site(server, folder, start, [target, *_others()], providers) as scene:
            yield scene


@contextmanager
def scripted_site(server: Server, folder: Path) -> Iterator[Scene]:
    """Run everything until the block ends, with an agent that replies after a known delay."""
    start = partial(_scripted_worker, server)
    target = _target(metadata=Script(delay_s=FAST_S).metadata())
    with _site(server, folder, start, [target]) as scene:
        yield scene


def _demo_worker(server: Server, providers: str, folder: Path) -> AbstractContextManager[object]:
    return demo_worker(server, folder, providers)


def _scripted_worker(server: Server, folder: Path) -> AbstractContextManager[object]:
    return truth_worker(server, folder, AGENT)


@contextmanager
def _site(
    server: Server, folder: Path, start: Starter, targets: Sequence[object], providers: str = ""
) -> Iterator[Scene]:
    """Run everything; yields once the watchdog has arrived.

    The exporter comes after the worker: a first call that nobody takes is ten seconds lost.
    """
    address = f"127.0.0.1:{free_ports().signal}"
    with ExitStack() as stack:
        worker = Worker(start, folder)
        begun = stack.enter_context(worker.begun())
        webhook = stack.enter_context(run_webhook())
        alertmanager = stack.enter_context(
            run_alertmanager(folder, alertmanager_configuration(webhook.url))
        )
        prometheus = stack.enter_context(
            run_prometheus(folder, _prometheus(folder, address, alertmanager))
        )
        begun.result()
        exporter = stack.enter_context(_exporter(server, folder, address, targets))
        scene = Scene(prometheus, alertmanager, webhook, exporter, worker, providers)
        scene.arrival("VoiceWatchdog", "firing", since=0)
        yield scene


def alertmanager_configuration(webhook: str) -> dict[str, Any]:
    """Return the example of alerts/ with our receiver's URL and shorter waits for a group."""
    content: dict[str, Any] = yaml.safe_load((rules.ALERTS / "alertmanager.yaml").read_text())
    for receiver in content["receivers"]:
        kinds = [key for key in receiver if key.endswith("_configs")]
        for kind in kinds:
            del receiver[kind]
        if kinds:
            receiver["webhook_configs"] = [{"url": webhook, "send_resolved": True}]
    for route in _routes(content["route"]):
        route |= {key: value for key, value in _GROUP_WAITS.items() if key in route}
    content["route"] |= _GROUP_WAITS
    return content


def _routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield route
    for child in route.get("routes", ()):
        yield from _routes(child)


def _prometheus(folder: Path, exporter: str, alertmanager: Alertmanager) -> dict[str, object]:
    pager = {"targets": [alertmanager.url.removeprefix("http://")]}
    return {
        # A scrape may take as long as its interval: one that is given up would be an outage.
        "global": {"scrape_interval": "2s", "evaluation_interval": "1s"},
        "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": [exporter]}]}],
        "rule_files": rules.write_shortened(folder, SHORTER),
        "alerting": {"alertmanagers": [{"static_configs": [pager]}]},
    }


@contextmanager
def _exporter(
    server: Server, folder: Path, address: str, targets: Sequence[object]
) -> Iterator[Child]:
    """Run `voice-exporter serve`; ready when the block begins."""
    config = folder / "voice-exporter.yaml"
    config.write_text(yaml.safe_dump(_configuration(folder, address, targets)), encoding="utf-8")
    environ = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    argv = [sys.executable, "-m", "exporter", "serve", "--config", str(config)]
    child = Child("exporter", argv, log=folder / "exporter.log", environ=environ)
    try:
        until(lambda: _is_ready(child, address), patience.START_S, "the exporter")
        yield child
    finally:
        child.stop(grace_s=15.0)


def _is_ready(child: Child, address: str) -> bool:
    if child.exit_code is not None:
        raise RuntimeError(child.obituary())
    try:
        return httpx.get(f"http://{address}/-/ready", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _configuration(folder: Path, address: str, targets: Sequence[object]) -> Mapping[str, object]:
    off = {"enabled": False}
    return {
        "web": {"listen_address": address},
        "store": {"folder": str(folder / "state")},
        "agents": {"interval": 5},
        # A site of two minutes has no hour whose share of bad turns would say something.
        "alerts": {"fast_burn_turns": 10_000, "slow_burn_turns": 10_000},
        "calibrate": {"interval": "1d", "calls": 1, "trials": 1},
        "sfu": off,
        "reach": off,
        "reconnect": off,
        "targets": list(targets),
    }


def _target(**more: object) -> Mapping[str, object]:
    return _COMMON | {"agent_name": AGENT, "target_ms": _TARGET_MS, "join_timeout": 5} | more


def _others() -> Iterator[Mapping[str, object]]:
    # Not today, and not tomorrow either, should it be midnight.
    other_day = DAYS[(datetime.now(UTC) + timedelta(days=3)).weekday()]
    for name in OTHERS:
        yield _COMMON | {"agent_name": name, "windows": [{"days": other_day}]}


def now() -> float:
    """Return the moment, as notices have it."""
    return time.monotonic()
