"""What is made of the tiers of a load on an agent: knee, limits of the prober, cost of a call."""

from dataclasses import replace
from typing import Any

import pytest

from exporter.outcome import (
    CallResult,
    Interruption,
    InterruptionOutcome,
    LoadTier,
    Outcome,
    Reason,
    Verdict,
)
from exporter.probes.agent_load.judge import PerCall, Targets, judge_tier
from exporter.probes.agent_load.spec import AgentLoadConfig, agent_knee, judge, readings
from exporter.probes.agent_load.worker import load_call
from exporter.probes.ramp.judge import KneeKind
from tests.unit.calls import WHEN, broken, call, replied, void
from tests.unit.load_tiers import IDLE, loaded, tier

TARGETS = Targets(target_ms=1500, max_yield_ms=1000, failed_pct=1)
CONFIG = AgentLoadConfig(agent_name="sales")


def knee(*tiers: LoadTier) -> tuple[KneeKind, int | None]:
    """Return the knee of these tiers."""
    found = agent_knee(CONFIG, loaded(*tiers))
    return found.kind, found.clients


def test_the_knee_is_the_last_tier_that_held() -> None:
    """Slow from four calls on: two."""
    assert knee(tier(1), tier(2), tier(4, 1600)) == (KneeKind.FOUND, 2)


def test_no_knee_where_every_tier_held() -> None:
    """The agent carries more than was asked."""
    assert knee(tier(1), tier(8)) == (KneeKind.NONE_WITHIN, None)


def test_a_first_tier_that_breaks_is_slow() -> None:
    """Not even one call: the verdict says why."""
    outcome = loaded(tier(1, 1600))
    (found,) = judge(CONFIG, outcome)
    assert knee(tier(1, 1600)) == (KneeKind.BELOW_FIRST, None)
    assert found.verdict is Verdict.SLOW
    assert found.text == "1 calls: largest latency 1600 ms is above 1500 ms"


def test_a_first_tier_that_nobody_answers_fails() -> None:
    """No measurement where there should be one."""
    found = judge(CONFIG, loaded(tier(1, e2e_s=(), failures=(Reason.NO_REPLY,))))
    assert {each.verdict for each in found} == {Verdict.FAIL}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"failures": (Reason.NO_REPLY,)}, "2 of 22 turns and calls failed (2 no_reply)"),
        ({"e2e_s": ()}, "no turn was measured"),
        ({"talked_on": 1}, "the agent did not yield to 2 interruptions"),
        ({"yields_s": (1.2,)}, "largest time to yield 1200 ms is above 1000 ms"),
        ({"e2e_s": (2.0,) * 10}, "p95 of the latency 2000 ms is above 1500 ms"),
    ],
)
def test_a_target_that_breaks_is_said(changes: dict[str, Any], expected: str) -> None:
    """Each threshold in words, and nothing of the prober."""
    found = judge_tier(tier(2, **changes), TARGETS)
    assert (found.broken, found.limits) == ((expected,), ())


@pytest.mark.parametrize(
    ("limited", "expected"),
    [
        (tier(2, load=replace(IDLE, lag_s=0.05)), "its event loop was 50 ms late (p99)"),
        (tier(2, load=replace(IDLE, cpu_cores=1.8)), "the prober used 1.8 of 2 CPUs"),
        (tier(2, voids=5), "10 of 30 turns were void"),
        (tier(2, failures=(Reason.PROBE_CRASHED,)), "2 calls: probe_crashed"),
        (
            replace(tier(2), memory_free_ratio=0.01),
            "its host had only 1% of its memory left",
        ),
    ],
)
def test_a_limit_of_the_prober_claims_no_knee(limited: LoadTier, expected: str) -> None:
    """Even where the tier was slow as well: nothing is known of the agent."""
    slow = replace(limited, members=tuple(replace(m, e2e_s=(3.0,) * 10) for m in limited.members))
    found = judge_tier(slow, TARGETS)
    assert found.limits == (expected,)
    assert knee(tier(1), slow) == (KneeKind.LIMITED, None)


def test_a_prober_that_is_the_limit_at_once_is_unknown() -> None:
    """The agent is not to blame."""
    (found,) = judge(CONFIG, loaded(tier(1, load=replace(IDLE, lag_s=0.05))))
    assert found.verdict is Verdict.UNKNOWN


def test_what_one_call_costs_is_a_slope() -> None:
    """What the worker uses at rest is not in it; n says how many tiers are."""
    cost = PerCall.of((tier(1), tier(2), tier(4), tier(8, used=False)))
    assert cost.n == 3
    assert cost.memory_bytes == pytest.approx(50e6)
    assert cost.cpu_cores == pytest.approx(0.1)
    assert PerCall.of((tier(1),)) == PerCall(1)


def test_what_is_shown() -> None:
    """Knee, largest tier, latency of each tier and the cost of a call, with the agent's labels."""
    found = {
        (each.family.name, each.labels.get("calls")): each.value
        for each in readings(CONFIG, loaded(tier(1), tier(2), tier(4, 1600)))
    }
    assert found.pop(("voice_agent_load_timestamp_seconds", None)) > 0
    assert found == {
        ("voice_agent_load_limited", None): 0,
        ("voice_agent_knee_calls", None): 2,
        ("voice_agent_load_calls_max", None): 2,
        ("voice_agent_load_e2e_ms", "1"): 900,
        ("voice_agent_load_e2e_ms", "2"): 900,
        ("voice_agent_load_e2e_ms", "4"): 1600,
        ("voice_worker_memory_per_call_bytes", None): pytest.approx(50e6),
        ("voice_worker_cpu_per_call_ratio", None): pytest.approx(0.1),
    }


def test_callers_interrupt_only_where_yielding_is_judged() -> None:
    """Their scenario is in the labels, and the call lasts as long as the tier."""
    plain = CONFIG.call()
    rude = CONFIG.model_copy(update={"max_yield_ms": 800.0})
    assert (plain.does, CONFIG.scenario) == (None, "default")
    assert rude.call().does is not None
    assert rude.labels()["scenario"] == "barge_in"
    assert plain.endurance is not None
    assert plain.endurance.length == CONFIG.duration


def test_every_interruption_is_a_turn_that_costs() -> None:
    """Whatever became of it; an agent that goes on with the same reply has not yielded."""
    call = CallResult(
        "sales",
        "default",
        "barge_in",
        turns=(replied(0.9, warmup=True), replied(0.9)),
        interruptions=tuple(Interruption(each) for each in InterruptionOutcome),
    )
    found = load_call(Outcome("latency", "sales", WHEN, 30.0, result=call))
    assert found.turns == 2 + len(InterruptionOutcome)
    assert found.talked_on == 2  # talked_on, resumed


def test_a_call_that_was_spoiled_before_its_first_turn_limits_the_tier() -> None:
    """It has no void turn to be counted by."""
    spoiled = load_call(broken(Reason.VOID, "the prober: it stood still"))
    assert (spoiled.failures, spoiled.voids) == ((Reason.VOID,), 0)
    two = tier(2)
    judged = judge_tier(replace(two, members=(two.members[0], spoiled)), TARGETS)
    assert judged.limits == ("1 calls: void",)
    assert judged.failures == ()


def test_a_call_whose_turns_are_void_is_counted_by_them() -> None:
    """Not once more as a call."""
    found = load_call(call(void(), void(), reason=Reason.VOID))
    assert (found.failures, found.voids) == ((), 2)
