"""The web server on a real socket, with the parts behind it that a test can look at."""

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from prometheus_client import CollectorRegistry

from exporter.calls.turns import TurnBatch
from exporter.metrics.registry import Metrics
from exporter.outcome import CallResult, Outcome, Turn, TurnOutcome
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.ramp.figures import RampFigures
from exporter.roster.roster import Roster
from exporter.store.records import RunQuery, RunRecord
from exporter.store.sqlite import SqliteStore
from exporter.web.app import make_app
from exporter.web.refusals import Refusals
from exporter.web.server import ConnectionLimits, WebServer, listen
from exporter.web.settings import WebSettings
from exporter.web.sources import Sources
from exporter.web.web_config import WebConfigWatch
from tests.patience import WAIT_S
from tests.unit.calls import WHEN

REFUSED = "voice_exporter_http_requests_refused_total"
DEMO = LatencyConfig(agent_name="demo")


@dataclass
class Behind:
    """What a request can change."""

    roster: Roster = field(default_factory=Roster)
    store: SqliteStore = field(default_factory=SqliteStore)
    ramps: list[RampFigures] = field(default_factory=list)
    turns: list[TurnBatch] = field(default_factory=list)
    reloads: int = 0
    calls: int = 0
    cancelled: int = 0
    calls_end: bool = True
    bad_configuration: str = ""

    async def reload(self) -> str:
        """Count, and say what is wrong with the configuration."""
        self.reloads += 1
        return self.bad_configuration

    async def call(self, target: LatencyConfig, on_turn: Callable[[Turn], None]) -> Outcome:
        """Count, and have one turn."""
        self.calls += 1
        if not self.calls_end:
            try:
                await asyncio.sleep(3600)
            finally:
                self.cancelled += 1
        turn = Turn(TurnOutcome.REPLIED, e2e_s=0.7)
        on_turn(turn)
        result = CallResult(target.agent_name, target.call_type, target.scenario, (turn,))
        return Outcome("latency", target.agent_name, WHEN, 1.5, result=result, run_id="0123")

    def take_ramp(self, figures: RampFigures) -> str:
        """Keep the result of a ramp, and refuse those of one vantage."""
        self.ramps.append(figures)
        return "too many" if figures.vantage == "refused" else ""

    async def take(self, body: bytes, token: str) -> str:
        """Refuse every delivery: none is signed."""
        return "signature" if body or token else "body"

    def refuse(self, reason: str) -> None:
        """Count nothing."""
        assert reason

    async def runs(self, query: RunQuery) -> tuple[RunRecord, ...]:
        """Read the store."""
        return self.store.runs(query)

    async def run(self, run_id: str) -> RunRecord | None:
        """Read the store."""
        return self.store.run(run_id)

    @property
    def untouched(self) -> bool:
        """Whether nothing was changed and no call was made."""
        return (self.reloads, self.calls, self.roster.workers()) == (0, 0, ())


class Serving:
    """A running server; it has a loop and a thread of its own."""

    def __init__(
        self,
        address: str = "127.0.0.1",
        file: Path | None = None,
        limits: ConnectionLimits = ConnectionLimits(),  # noqa: B008 - frozen
        **settings: Any,
    ) -> None:
        self.behind = Behind()
        self.registry = CollectorRegistry()
        self.web_config = WebConfigWatch(file)
        self._web = WebSettings(**settings)
        self._listener = listen(WebSettings(listen_address=f"{address}:0"))
        self.address: tuple[str, int] = (address or "127.0.0.1", self._listener.getsockname()[1])
        self._limits = limits
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._server: WebServer | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()

    def url(self, path: str = "") -> str:
        """Return where a page is."""
        scheme = "https" if self.web_config.current.tls else "http"
        return f"{scheme}://{self.address[0]}:{self.address[1]}{path}"

    def refused(self, reason: str) -> float:
        """Return how many requests were refused for a reason."""
        labels = {"server": "sfu", "reason": reason}
        return self.registry.get_sample_value(REFUSED, labels) or 0.0

    def connect(self) -> socket.socket:
        """Return a bare connection."""
        return socket.create_connection(self.address, timeout=WAIT_S)

    async def _serve(self) -> None:
        metrics = Metrics(self.registry, "sfu")
        refusals = Refusals(metrics)
        app = make_app(self._sources(metrics), lambda: self._web, self.web_config, refusals)
        self._server = WebServer(app, self.web_config, refusals, self._limits)
        await self._server.serve(sockets=[self._listener])

    def _sources(self, metrics: Metrics) -> Sources:
        return Sources(
            metrics=metrics,
            server_name="sfu",
            thresholds=(),
            not_healthy=lambda: "",
            not_ready=lambda: "",
            status_page=lambda _viewer: lambda: "<p>status</p>",
            reload=self.behind.reload,
            targets=lambda: (DEMO,),
            call=self.behind.call,
            roster=self.behind.roster,
            history=self.behind,
            take_ramp=self.behind.take_ramp,
            take_turns=self.behind.turns.append,
            deliveries=self.behind,
        )
