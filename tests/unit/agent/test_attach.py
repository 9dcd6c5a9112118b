"""Turns reach a collector in batches, and a collector in trouble costs the agent nothing."""

import asyncio
import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.rtc import EventEmitter

from exporter.calls.turns import MAX_BODY_BYTES, TurnBatch
from exporter.probe import PROBE_ATTRIBUTE, ROOM_PREFIX
from tests.patience import WAIT_S, until
from tests.unit.agent.collector import Handler, serving
from voice_exporter_agent import attaching as module
from voice_exporter_agent.collector import Collector
from voice_exporter_agent.delivery import BATCH, WAITING, Delivery
from voice_exporter_agent.turns import Report

attach = module.attach
SOON_S = 0.01
_REPORT = Report("demo", "order", "answered", e2e_s=1.2)


@dataclass
class Exporter:
    """Takes batches as the exporter does."""

    status: int = 204
    asked: int = 0
    batches: list[TurnBatch] = field(default_factory=list)
    bearer: str | None = None
    answers: threading.Event = field(default_factory=threading.Event)
    url: str = ""


@contextmanager
def taking(status: int = 204, *, answers: bool = True) -> Iterator[Exporter]:
    """Run a collector that answers so, or not before it is told to."""
    exporter = Exporter(status)
    if answers:
        exporter.answers.set()

    class Taking(Handler):
        def do_POST(self) -> None:  # noqa: N802 - as inherited
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/api/v1/turns"
            assert len(body) <= MAX_BODY_BYTES
            exporter.asked += 1
            exporter.bearer = self.headers["Authorization"]
            exporter.answers.wait(WAIT_S)
            if exporter.status < 300:
                exporter.batches.append(TurnBatch.model_validate_json(body))
            self.send_response(exporter.status)
            self.end_headers()
            self.wfile.write(json.dumps({"error": "turns.0.e2e_s: bad"}).encode())

    with serving(Taking) as port:
        exporter.url = f"http://127.0.0.1:{port}"
        try:
            yield exporter
        finally:
            exporter.answers.set()


@contextmanager
def delivery(url: str) -> Iterator[Delivery]:
    """Run a delivery; it has ended behind the block."""
    made = Delivery(Collector(url, "t0ken"), SOON_S)
    try:
        yield made
    finally:
        made.close(0)
        until(lambda: not made._thread.is_alive())


@pytest.fixture(autouse=True)
def _no_others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """End the deliveries that a test has begun by `attach`."""
    begun: dict[Collector, Delivery] = {}
    monkeypatch.setattr(module, "_deliveries", begun)
    yield
    for each in begun.values():
        each.close()
        each._thread.join(WAIT_S)
        assert not each._thread.is_alive()


def test_reports_come_in_batches_with_the_token() -> None:
    """None is lost, none comes twice, and no request has more than fit."""
    with taking() as exporter, delivery(exporter.url) as made:
        for _ in range(3 * BATCH):
            made.offer(_REPORT.encode())
        made.flush(WAIT_S)
        assert exporter.bearer == "Bearer t0ken"
        assert sum(len(batch.turns) for batch in exporter.batches) == 3 * BATCH
        assert len({batch.id for batch in exporter.batches}) == len(exporter.batches)
        assert exporter.batches[0].turns[0].e2e_s == 1.2


def test_batch_is_sent_again_and_the_loss_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """500 until it recovers: what waited comes once, and the next batch says what was dropped."""
    caplog.set_level(logging.INFO)
    with taking(500) as exporter, delivery(exporter.url) as made:
        for _ in range(BATCH):
            made.offer(_REPORT.encode())
        until(lambda: exporter.asked > 1)
        for _ in range(WAITING + 7):
            made.offer(_REPORT.encode())
        assert len(made._waiting) == WAITING
        exporter.status = 204
        until(lambda: sum(len(batch.turns) for batch in exporter.batches) == BATCH + WAITING)
        assert sum(batch.dropped for batch in exporter.batches) == 7
    own = [each for each in caplog.records if each.name.startswith("voice_exporter_agent")]
    assert [each.levelname for each in own] == ["WARNING", "INFO"]
    assert "t0ken" not in caplog.text


def test_batch_that_would_be_refused_for_ever_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """422: one line says why; the reports count as dropped."""
    with taking(422) as exporter, delivery(exporter.url) as made:
        made.offer(_REPORT.encode())
        until(lambda: exporter.asked and made._is_done)
        exporter.status = 204
        made.offer(_REPORT.encode())
        until(lambda: exporter.batches)
    assert exporter.asked == 2
    assert exporter.batches[0].dropped == 1
    assert "turns.0.e2e_s: bad" in caplog.text


@pytest.mark.parametrize("kind", ["away", "slow"])
def test_offering_and_flushing_never_wait(kind: str) -> None:
    """A thousand reports take no time, and the end of a call waits no longer than it may."""
    with taking(answers=False) as exporter:
        url = exporter.url if kind == "slow" else "http://127.0.0.1:9"
        with delivery(url) as made:
            began = time.monotonic()
            for _ in range(WAITING + BATCH + 1):
                made.offer(_REPORT.encode())
            made.flush(0.1)
            assert time.monotonic() - began < 1
            exporter.answers.set()


class Session(EventEmitter[str]):
    """Emits as an `AgentSession` does."""


def session_turn(session: Session) -> None:
    """Let a turn pass."""
    asked = {"stopped_speaking_at": 1.0, "end_of_turn_delay": 0.5}
    for role, metrics in (("user", asked), ("assistant", {"e2e_latency": 1.0})):
        item = SimpleNamespace(role=role, metrics=metrics, interrupted=False)
        session.emit("conversation_item_added", SimpleNamespace(item=item, created_at=1.0))
    session.emit("close", SimpleNamespace())


class Job:
    """A job as `get_job_context` returns it."""

    def __init__(self, room: str = "room", attribute: str = "") -> None:
        self.job = SimpleNamespace(agent_name="sales", room=SimpleNamespace(name=room))
        caller = SimpleNamespace(attributes={attribute: "true"})
        self.room = SimpleNamespace(remote_participants={"caller": caller})
        self.at_end: list[Any] = []

    def add_shutdown_callback(self, callback: Any) -> None:
        """Remember it."""
        self.at_end.append(callback)


def in_job(monkeypatch: pytest.MonkeyPatch, job: Job) -> None:
    """Let attach find itself within a job."""
    agents = SimpleNamespace(get_job_context=lambda: job)
    monkeypatch.setitem(sys.modules, "livekit.agents", agents)


def test_attached_session_reports_until_its_job_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is that of the job, which waits for the last report."""
    job = Job()
    in_job(monkeypatch, job)
    with taking() as exporter:
        monkeypatch.setenv("VOICE_EXPORTER_COLLECTOR_URL", exporter.url)
        monkeypatch.setenv("VOICE_EXPORTER_TOKEN", "t0ken")
        session = Session()
        attach(session, "order")
        session_turn(session)
        asyncio.run(job.at_end[0]())
        turns = [turn for batch in exporter.batches for turn in batch.turns]
        assert exporter.bearer == "Bearer t0ken"
    assert [(turn.agent_name, turn.call_type, turn.outcome) for turn in turns] == [
        ("sales", "order", None),
        ("sales", "order", "answered"),
    ]


@pytest.mark.parametrize(
    "job", [Job(room=f"{ROOM_PREFIX}1"), Job(attribute=PROBE_ATTRIBUTE)], ids=["room", "mark"]
)
def test_calls_of_probes_are_not_reported(monkeypatch: pytest.MonkeyPatch, job: Job) -> None:
    """By the name of their room, or by what the caller says of itself."""
    in_job(monkeypatch, job)
    offered: list[bytes] = []
    monkeypatch.setattr(Delivery, "offer", lambda _self, report: offered.append(report))
    with taking() as exporter:
        session = Session()
        attach(session, collector=exporter.url)
        session_turn(session)
    assert offered == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"agent_name": None}, "the agent's name is not known"),
        ({"agent_name": "a\nb"}, "the agent's name is not known"),
        ({"call_type": ""}, "call_type: expected 1 to 128 printable characters"),
        ({"collector": "nonsense"}, "the collector is not a valid URL"),
        ({"collector": None}, "no collector is configured"),
    ],
)
def test_mistake_is_one_line(
    caplog: pytest.LogCaptureFixture, options: dict[str, Any], said: str
) -> None:
    """The session goes on as if it was not attached."""
    good = {"agent_name": "demo", "collector": "http://127.0.0.1:9"}
    session = Session()
    attach(session, **(good | options))
    session_turn(session)
    [line] = caplog.messages
    assert said in line
    assert module._deliveries == {}


def test_session_is_attached_once(caplog: pytest.LogCaptureFixture) -> None:
    """Twice would count each turn twice."""
    with taking() as exporter:
        session = Session()
        for _ in range(2):
            attach(session, agent_name="demo", collector=exporter.url)
        [one] = module._deliveries.values()
        one.flush(WAIT_S)
        assert sum(len(batch.turns) for batch in exporter.batches) == 1
    assert "attached already" in caplog.text


def test_event_of_another_shape_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """One line, without what the event holds, however often it comes."""
    with taking() as exporter:
        session = Session()
        attach(session, agent_name="demo", collector=exporter.url)
        for _ in range(3):
            session.emit("function_tools_executed", SimpleNamespace(said="words"))
    [line] = caplog.messages
    assert line == "turns of this session are reported incompletely: AttributeError"
