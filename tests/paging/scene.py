"""A whole site on this machine: agent, exporter, Prometheus, Alertmanager, and who is paged.

All of it is real. What differs from a site that follows the examples in alerts/ is time alone:
calls come every ten seconds, rules are evaluated every second, and waits are shorter.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
from tests.integration.workers import demo_providers, demo_worker
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
"""Agents that are targets, too, at a time of the week that is not now."""
SHORTER = 12.0
"""What the rules' waits (`for`) are divided by: a minute becomes five seconds."""
FAST_S, SLOW_S = 0.35, 2.0
"""Of the language model, to the first token."""
_TARGET_MS = 2200
_GROUP_WAITS = {"group_wait": "200ms", "group_interval": "1s"}
_COMES_WITHIN_S = 300.0
"""On a machine that is so busy that most calls are spoiled, and say nothing."""


class Worker:
    """The worker of the demo's agent, which may be stopped and started."""

    def __init__(self, server: Server, folder: Path, providers: str) -> None:
        """Prepare it; nothing runs yet."""
        self._server = server
        self._folder = folder
        self._providers = providers
        self._running = ExitStack()

    def start(self) -> None:
        """Start it, and return once it is registered."""
        worker = demo_worker(self._server, self._folder, self._providers)
        self._running.enter_context(worker)

    def stop(self) -> None:
        """Stop it, if it runs."""
        self._running.close()

    @contextmanager
    def begun(self) -> Iterator[Future[None]]:
        """Let it start beside what the block does; it is stopped in the end."""
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
    """Their URL."""

    def set_llm_delay(self, seconds: float) -> None:
        """Let the agent's language model take so long from now on."""
        settings = {"llm": {"delay_s": seconds}}
        url = f"{self.providers}/settings"
        httpx.put(url, json=settings, timeout=30, trust_env=False).raise_for_status()

    def value(self, expression: str) -> float | None:
        """Return the sum of what Prometheus says to an expression, None if there is nothing."""
        series = self.prometheus.ask(expression).series
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
def whole_site(server: Server, folder: Path) -> Iterator[Scene]:
    """Run everything until the block ends; yields once the watchdog has arrived."""
    address = f"127.0.0.1:{free_ports().signal}"
    with (
        run_webhook() as webhook,
        run_alertmanager(folder, alertmanager_configuration(webhook.url)) as alertmanager,
        demo_providers(folder, DemoSettings()) as providers,
        (worker := Worker(server, folder, providers)).begun() as begun,
        _exporter(server, folder, address) as exporter,
        run_prometheus(folder, _prometheus(folder, address, alertmanager)) as prometheus,
    ):
        begun.result()
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
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": [exporter]}]}],
        "rule_files": rules.write_shortened(folder, SHORTER),
        "alerting": {"alertmanagers": [{"static_configs": [pager]}]},
    }


@contextmanager
def _exporter(server: Server, folder: Path, address: str) -> Iterator[Child]:
    """Run `voice-exporter serve`; ready when the block begins."""
    config = folder / "voice-exporter.yaml"
    config.write_text(yaml.safe_dump(_configuration(folder, address)), encoding="utf-8")
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


def _configuration(folder: Path, address: str) -> Mapping[str, object]:
    # Not today, and not tomorrow either, should it be midnight.
    other_day = DAYS[(datetime.now(UTC) + timedelta(days=3)).weekday()]
    common = {"interval": INTERVAL_S, "trials": 1, "warmup": False, "greeting": "none"}
    target = {"agent_name": AGENT, "target_ms": _TARGET_MS, "join_timeout": 5}
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
        "targets": [
            common | target,
            *(common | {"agent_name": name, "windows": [{"days": other_day}]} for name in OTHERS),
        ],
    }


def now() -> float:
    """Return the moment, as notices have it."""
    return time.monotonic()
