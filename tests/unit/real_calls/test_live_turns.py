"""Real turns that agents report: counted once, bounded, and estimated as callers hear them."""

import json
from dataclasses import fields, replace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from exporter.calls.offsets import HOLDS_S, Offsets
from exporter.calls.turns import MAX_BODY_BYTES, MAX_TURNS, TurnBatch
from exporter.daemon import live_turns
from exporter.daemon.live_turns import LiveTurns
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.live_families import MAX_CALL_TYPES, PARTS
from exporter.metrics.registry import Metrics
from exporter.outcome import LineCounts, LineDirection, Outcome, TurnOutcome
from tests.unit.calls import call, replied
from tests.unit.web.asking import ELSEWHERE, Site, sources
from voice_exporter_agent.turns import Report, Usage

TOKEN = "t" * 20
TURN: dict[str, Any] = {
    "agent_name": "demo",
    "call_type": "order",
    "outcome": "answered",
    "e2e_s": 1.5,
    "transcription_delay_s": 0.2,
    "end_of_turn_delay_s": 0.6,
    "llm_ttft_s": 0.4,
    "tts_ttfb_s": 0.2,
}
_NO_PACKETS = LineDirection(0, 0, 0, 0, 0)
LABELS = {"agent_name": "demo", "call_type": "order"}


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Taking:
    """The exporter's part, its page and its figures."""

    def __init__(self, limit: int = 10) -> None:
        self.metrics = Metrics(CollectorRegistry(), "lk")
        self.clock = Clock()
        self.turns = LiveTurns(self.metrics, AgentNames(self.metrics, limit))
        self.turns._offsets._clock = self.clock
        self._batches = 0

    def post(self, *turns: dict[str, Any], **batch: Any) -> None:
        """Take a batch with an id of its own unless told otherwise."""
        self._batches += 1
        body = json.dumps({"id": f"b{self._batches}", "turns": turns} | batch)
        self.turns.take(TurnBatch.model_validate_json(body))

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of a series."""
        return self.metrics.registry.get_sample_value(name, {"server": "lk", **labels})

    def count(self, outcome: str = "answered", **labels: str) -> float | None:
        """Return how many turns there were."""
        return self.value("voice_live_turns_total", outcome=outcome, **(LABELS | labels))

    def component(self, name: str, what: str = "sum") -> float | None:
        """Return a figure of a component."""
        labels = LABELS | {"scenario": "", "vantage": "", "component": name, "source": "live"}
        return self.value(f"voice_component_latency_seconds_{what}", **labels)


SHARED = Taking()
SITE = Site(sources(take_turns=SHARED.turns.take), token=TOKEN)
"""One for all tests: it takes a second to make."""


def posted(body: str | bytes, authorization: str = f"Bearer {TOKEN}") -> httpx.Response:
    """Post a body to the page."""
    headers = {"Authorization": authorization}
    return SITE.ask("POST", "/api/v1/turns", content=body, headers=headers, client=ELSEWHERE)


def test_turn_is_counted_with_its_parts() -> None:
    """The parts are those of probes, without transport: nobody heard it."""
    taking = Taking()
    taking.post({**TURN, "tools": 1}, news="of a newer agent")

    assert taking.count() == 1
    assert taking.value("voice_live_e2e_latency_seconds_sum", **LABELS) == 1.5
    parts = {name: taking.component(name) for name in PARTS}
    assert {name: round(value, 6) for name, value in parts.items() if value} == {
        "transcription": 0.2,
        "end_of_turn": 0.4,
        "llm": 0.4,
        "tts": 0.2,
    }
    assert taking.component("transport") is None


def test_series_exist_before_the_first_turn() -> None:
    """An increase from no series is none: `attach` announces a session."""
    taking = Taking()
    taking.post({"agent_name": "demo", "call_type": "order"})

    assert [taking.count(each) for each in ("answered", "interrupted", "unanswered")] == [0, 0, 0]
    assert taking.value("voice_live_e2e_latency_seconds_count", **LABELS) == 0
    assert taking.component("llm", "count") == 0
    assert taking.value("voice_live_tool_calls_total", **LABELS, outcome="failed") == 0
    assert taking.value("voice_live_turns_dropped_total") == 0


def test_batch_that_comes_again_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer was lost; it is answered as taken. What is remembered is bounded."""
    monkeypatch.setattr(live_turns, "REMEMBERED", 2)
    taking = Taking()
    for _ in range(3):
        taking.post(TURN, id="same", dropped=2)
    assert (taking.count(), taking.value("voice_live_turns_dropped_total")) == (1, 2)
    taking.post(TURN)
    taking.post(TURN)
    assert len(taking.turns._taken) == 2


def test_tools_and_usage_are_summed() -> None:
    """By outcome, and by model."""
    taking = Taking()
    used = {"model": "m", "llm_input": 30, "llm_output": 5}
    for _ in range(2):
        taking.post({**TURN, "tools_ok": 2, "tools_failed": 1, "usage": [used]})
    assert taking.value("voice_live_tool_calls_total", **LABELS, outcome="ok") == 4
    kinds = ("llm_input", "llm_output")
    values = [
        taking.value("voice_live_usage_total", **LABELS, kind=kind, model="m") for kind in kinds
    ]
    assert values == [60, 10]


def test_what_cannot_be_true_is_left_out_and_counted() -> None:
    """A part longer than its turn, and a latency that no caller waits for."""
    taking = Taking()
    taking.post({**TURN, "llm_ttft_s": 200.0}, {**TURN, "e2e_s": 1.7e9}, {**TURN, "e2e_s": -1})

    def implausible(component: str) -> float | None:
        return taking.value("voice_live_implausible_total", **LABELS, component=component)

    assert taking.count() == 3
    assert (implausible("llm"), implausible("reported_e2e"), implausible("tts")) == (1, 2, 0)
    assert taking.value("voice_live_e2e_latency_seconds_count", **LABELS) == 1
    assert (taking.component("llm", "count"), taking.component("tts", "count")) == (0, 1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("[", "body: Invalid JSON"),
        ('{"turns": []}', "id: Field required"),
        ('{"id": "a b"}', "id: String should match"),
        ('{"id": "b", "turns": [{}]}', "turns.0.agent_name: Field required"),
        ('{"id": "b", "turns": [{"agent_name": "a\\nb"}]}', "turns.0.agent_name: expected"),
        (
            '{"id": "b", "turns": [{"agent_name": "a", "outcome": "lost"}]}',
            "turns.0.outcome: Input should be 'answered', 'interrupted' or 'unanswered'",
        ),
        (
            '{"id": "b", "turns": [{"agent_name": "a", "e2e_s": "1"}]}',
            "turns.0.e2e_s: Input should be a valid number",
        ),
        (
            '{"id": "b", "turns": [{"agent_name": "a", "e2e_s": NaN}]}',
            "turns.0.e2e_s: Input should be a finite number",
        ),
        ('{"id": "b", "dropped": -1}', "dropped: Input should be greater than or equal to 0"),
        (json.dumps({"id": "b", "turns": [TURN] * (MAX_TURNS + 1)}), "turns: Tuple should have"),
    ],
)
def test_bad_batch_is_one_line_and_counts_nothing(body: str, said: str) -> None:
    """It says where and what was expected, and repeats nothing."""
    before = SHARED.count(agent_name="a", call_type="default")
    answer = posted(body)
    assert answer.status_code == 422
    assert said in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert SHARED.count(agent_name="a", call_type="default") == before is None


def test_body_is_limited() -> None:
    """More than any batch is not read as one."""
    answer = posted(b" " * (MAX_BODY_BYTES + 1))
    assert (answer.status_code, answer.json()["error"]) == (
        413,
        f"a batch may have at most {MAX_BODY_BYTES} bytes",
    )


@pytest.mark.parametrize(
    ("authorization", "status"), [(f"Bearer {TOKEN}", 204), ("Bearer x", 401), ("", 401)]
)
def test_turns_need_the_token(authorization: str, status: int) -> None:
    """As every write."""
    body = json.dumps({"id": f"of {status}".replace(" ", "-"), "turns": [TURN]})
    before = SHARED.count() or 0
    assert posted(body, authorization).status_code == status
    assert (SHARED.count() or 0) - before == (status == 204)


def test_names_are_bounded() -> None:
    """An agent name, a call type or a model for each call must not flood Prometheus."""
    taking = Taking(limit=1)
    taking.post(*({**TURN, "agent_name": f"agent-{number}"} for number in range(3)))
    assert taking.count(agent_name="agent-0") == 1
    assert taking.count(agent_name="other") == 2
    many = range(MAX_CALL_TYPES + 2)
    used = [{"model": f"m{number}", "llm_output": 1} for number in many]
    taking.post(
        *({**TURN, "agent_name": "agent-0", "call_type": f"type-{number}"} for number in many),
        {**TURN, "agent_name": "agent-0", "outcome": None, "usage": used},
    )
    assert taking.count(agent_name="agent-0", call_type="type-1") == 1
    assert taking.count(agent_name="agent-0", call_type="other") == 3
    labels = {"agent_name": "agent-0", "call_type": "order", "kind": "llm_output"}
    assert taking.value("voice_live_usage_total", **labels, model="other") == 2


def probe(*differences: float, **changes: Any) -> Outcome:
    """Return a call that heard its turns so much later than the agent reported them."""
    turns = [replace(replied(2.0), reported_e2e_s=2.0 - each) for each in differences]
    found = call(*turns)
    assert found.result is not None
    return replace(found, result=replace(found.result, **changes))  # type: ignore[type-var] # a call


def heard(taking: Taking, what: str) -> float | None:
    """Return a figure of what callers heard."""
    return taking.value(f"voice_live_heard_latency_seconds_{what}", **LABELS)


def test_heard_is_reported_and_the_difference_of_probes() -> None:
    """1. No probe: nothing. 2. Its median difference is added. 3. After an hour: nothing again."""
    taking = Taking()
    taking.post(TURN)
    assert heard(taking, "count") is None
    taking.turns.record(probe(0.1, 0.2, 0.4))
    assert heard(taking, "count") == 0
    assert taking.value("voice_live_heard_offset_seconds", agent_name="demo") == pytest.approx(0.2)
    taking.post(TURN, {**TURN, "e2e_s": None})
    assert heard(taking, "count") == 1
    assert heard(taking, "sum") == pytest.approx(1.7)
    taking.clock.now = HOLDS_S + 1
    taking.turns._series.show_offsets()
    taking.post(TURN)
    assert heard(taking, "count") == 1
    assert taking.value("voice_live_heard_offset_seconds", agent_name="demo") is None


@pytest.mark.parametrize(
    "outcome",
    [
        probe(0.1, agent_name="sales"),
        probe(0.1, scenario="noise"),
        probe(0.1, line=LineCounts(_NO_PACKETS, _NO_PACKETS)),
        probe(0.1, turns=(replace(replied(2.0), reported_e2e_s=1.9, warmup=True),)),
        probe(0.1, turns=(replace(replied(2.0), reported_e2e_s=1.9, time_to_answer_s=3.0),)),
        probe(0.1, turns=(replace(replied(2.0), outcome=TurnOutcome.VOID, reported_e2e_s=1.9),)),
        probe(0.1, turns=(replied(2.0),)),
    ],
    ids=["other agent", "scenario", "bad line", "warm-up", "filler", "void", "not reported"],
)
def test_other_turns_of_probes_tell_nothing(outcome: Outcome) -> None:
    """Only an undisturbed call is as those of callers."""
    offsets = Offsets()
    offsets.record(outcome)
    assert offsets.of("demo") is None


def test_batch_is_what_the_agent_s_package_sends() -> None:
    """Every key that it knows is one of ours."""
    names = [each.name for each in fields(Report) if each.name.endswith("_s")]
    figures: dict[str, Any] = dict.fromkeys(names, 0.5)
    first = Report("demo", "order", "answered", tools_ok=1, usage=(Usage("m", 1, 1, 1, 1, 1.0),))
    sent = replace(first, **figures)
    body = b'{"id": "b", "turns": [' + sent.encode() + b"]}"
    taken = TurnBatch.model_validate_json(body).turns[0].model_dump(mode="json")
    assert taken == json.loads(sent.encode())
