"""What becomes of Outcomes on the /metrics page."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.outcome import (
    AgentInRoom,
    Calibration,
    CallResult,
    Components,
    Listing,
    Outcome,
    PendingDispatch,
    Reason,
    Turn,
    Verdict,
)
from exporter.probes.latency import LatencyConfig
from tests.unit.calls import WHEN, broken, call, failed, replied, void

NOW = 1_800_000_000.0
DEMO = LatencyConfig(agent_name="demo", trials=3)
CALL = {"agent_name": "demo", "call_type": "default", "scenario": "default"}
PROBE = {"probe": "latency", "agent_name": "demo"}


class Page:
    """A registry that is written by a Recorder, and read by name and labels."""

    def __init__(self, *targets: LatencyConfig) -> None:
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry, "here")
        self.recorder = Recorder(metrics, stuck_after_s=30, clock=lambda: NOW)
        for target in targets:
            self.recorder.add_target(target)

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample's value, None if it is absent."""
        return self.registry.get_sample_value(name, {"server": "here", **labels})

    def turns(self) -> dict[str, float | None]:
        """Return the number of turns of the demo's target by outcome."""
        outcomes = ("replied", "failed", "void")
        return {each: self.value("voice_turns_total", **CALL, outcome=each) for each in outcomes}

    def verdict(self, check: str = "latency", agent: str = "demo") -> list[str]:
        """Return the verdicts that hold."""
        labels = {"check": check, "agent_name": agent}
        return [v for v in Verdict if self.value("voice_verdict", **labels, verdict=v) == 1]

    def streaks(self, check: str = "latency", agent: str = "demo") -> dict[str, float | None]:
        """Return for how many runs a check has been SLOW and FAIL."""
        labels = {"check": check, "agent_name": agent}
        value = self.value
        return {v: value("voice_verdict_streak", **labels, verdict=v) for v in ("SLOW", "FAIL")}

    def text(self) -> str:
        """Return the page."""
        return generate_latest(self.registry).decode()


def test_series_of_a_target_exist_before_its_first_call() -> None:
    """Every outcome and reason is there at 0, so that the first failure is an increase."""
    page = Page(DEMO)

    assert page.turns() == {"replied": 0, "failed": 0, "void": 0}
    for reason in Reason:
        assert page.value("voice_probe_failures_total", **PROBE, reason=reason) == 0
    assert page.value("voice_turns_within_target_total", **CALL) == 0
    assert page.streaks() == {"SLOW": 0, "FAIL": 0}
    assert page.streaks("agents", "") == {"SLOW": 0, "FAIL": 0}
    assert page.value("voice_e2e_latency_seconds_count", **CALL) == 0
    assert page.value("voice_probe_success", **PROBE) == 0
    assert page.value("voice_probe_duration_seconds", **PROBE) is None
    assert page.value("voice_dispatches_pending", agent_name="demo") == 0
    assert page.verdict() == ["UNKNOWN"]


def test_only_measured_turns_are_in_histograms() -> None:
    """Warm-up, failed and void turns are in no histogram; all but warm-up are counted."""
    page = Page(DEMO)

    page.recorder.record(call(replied(9, warmup=True), replied(0.9), void(), failed()))

    assert page.value("voice_e2e_latency_seconds_count", **CALL) == 1
    assert page.value("voice_e2e_latency_seconds_sum", **CALL) == pytest.approx(0.9)
    assert page.turns() == {"replied": 1, "failed": 1, "void": 1}


@pytest.mark.parametrize(
    ("turns", "reason", "expected"),
    [
        pytest.param([], Reason.NO_WORKER, (0, 3, 0), id="never-began"),
        pytest.param([failed(warmup=True)], Reason.NO_REPLY, (0, 3, 0), id="silent-in-warmup"),
        pytest.param([replied(1), failed()], Reason.AGENT_LEFT, (1, 2, 0), id="left-half-way"),
        pytest.param([replied(1)], Reason.PROBE_CRASHED, (1, 0, 2), id="our-crash"),
        pytest.param([], Reason.VOID, (0, 0, 3), id="void-call"),
        pytest.param([replied(1), replied(1), replied(1)], None, (3, 0, 0), id="good"),
    ],
)
def test_every_planned_turn_is_counted(
    turns: list[Turn], reason: Reason | None, expected: tuple[int, int, int]
) -> None:
    """A call that ends early fails the turns it did not come to, unless the fault is ours."""
    page = Page(DEMO)

    page.recorder.record(call(*turns, reason=reason))

    assert tuple(page.turns().values()) == expected


def test_components_are_observed_where_known() -> None:
    """A component that is not known is absent, never 0; the agent's own figure stands apart."""
    page = Page(DEMO)
    turn = Turn(replied(1).outcome, e2e_s=1.0, reported_e2e_s=0.8, components=Components(llm_s=0.4))

    page.recorder.record(call(turn))

    part = {"agent_name": "demo", "call_type": "default", "source": "probe"}
    name = "voice_component_latency_seconds"
    assert page.value(f"{name}_sum", **part, component="llm") == pytest.approx(0.4)
    assert page.value(f"{name}_count", **part, component="tts") == 0
    reported = {"agent_name": "demo", "call_type": "default"}
    assert page.value("voice_reported_e2e_latency_seconds_sum", **reported) == pytest.approx(0.8)


def test_run_sets_the_common_series() -> None:
    """Attempts, failures by reason, success, duration and times are told of every run."""
    page = Page(DEMO)

    page.recorder.record(call(replied(1), replied(1), replied(1)))
    page.recorder.record(call(reason=Reason.NO_WORKER))

    assert page.value("voice_probe_attempts_total", **PROBE) == 2
    assert page.value("voice_probe_failures_total", **PROBE, reason="no_worker") == 1
    assert page.value("voice_probe_success", **PROBE) == 0
    assert page.value("voice_probe_duration_seconds", **PROBE) == 12.5
    assert page.value("voice_probe_last_run_timestamp_seconds", **PROBE) == NOW
    assert page.value("voice_probe_last_success_timestamp_seconds", **PROBE) == NOW
    assert page.verdict() == ["FAIL"]


def test_times_to_agent_and_greeting_are_observed() -> None:
    """They are kept even where the call failed later."""
    page = Page(DEMO)
    result = CallResult("demo", "default", "default", (), 0.5, 1.5)

    page.recorder.record(Outcome("latency", "demo", WHEN, 1, Reason.NO_REPLY, "", result))

    assert page.value("voice_time_to_agent_seconds_sum", agent_name="demo") == 0.5
    assert page.value("voice_time_to_greeting_seconds_sum", agent_name="demo") == 1.5


def test_worst_target_is_the_verdict_of_an_agent() -> None:
    """An agent that passes one call type and is slow in another is SLOW, until that recovers."""
    sales = DEMO.model_copy(update={"call_type": "sales", "target_ms": 500.0})
    page = Page(DEMO, sales)
    slow = CallResult("demo", "sales", "default", (replied(1),))

    page.recorder.record(call(replied(1)))
    assert page.verdict() == ["UNKNOWN"]
    page.recorder.record(Outcome("latency", "demo", WHEN, 1, result=slow))
    assert page.verdict() == ["SLOW"]
    page.recorder.remove_target(sales)
    assert page.verdict() == ["PASS"]


def test_latency_of_the_last_call_is_the_mean_of_its_measured_turns() -> None:
    """A call without one says nothing about it, so the one before stays."""
    page = Page(DEMO)
    assert page.value("voice_last_call_latency_seconds", **CALL) is None

    page.recorder.record(call(replied(9, warmup=True), replied(1.0), replied(1.5), void()))
    assert page.value("voice_last_call_latency_seconds", **CALL) == 1.25
    page.recorder.record(call(failed(), reason=Reason.NO_REPLY))
    assert page.value("voice_last_call_latency_seconds", **CALL) == 1.25


def test_turns_within_the_target_are_counted() -> None:
    """Good is measured and in time, the target itself included; late, failed and warm-up is not."""
    page = Page(DEMO)

    page.recorder.record(
        call(replied(0.9, warmup=True), replied(1.5), replied(1.4), replied(1.6), failed(), void())
    )

    assert page.value("voice_turns_within_target_total", **CALL) == 2


def test_streak_of_an_agent_is_that_of_its_worst_target() -> None:
    """Targets that take turns in failing are no streak; a target that goes takes its own along."""
    sales = DEMO.model_copy(update={"call_type": "sales"})
    page = Page(DEMO, sales)
    broke = CallResult("demo", "sales", "default")

    page.recorder.record(Outcome("latency", "demo", WHEN, 1, Reason.NO_REPLY, "", broke))
    page.recorder.record(call(reason=Reason.NO_REPLY))
    assert page.streaks() == {"SLOW": 1, "FAIL": 1}
    page.recorder.record(Outcome("latency", "demo", WHEN, 1, Reason.NO_REPLY, "", broke))
    page.recorder.record(call(replied(1)))
    assert page.streaks() == {"SLOW": 2, "FAIL": 2}
    page.recorder.remove_target(sales)
    assert page.streaks() == {"SLOW": 0, "FAIL": 0}


def test_streak_outlives_a_reload_of_its_target() -> None:
    """A target that is configured anew has still failed; one that was away begins at 0."""
    page = Page(DEMO)
    page.recorder.record(call(reason=Reason.NO_REPLY))

    page.recorder.add_target(DEMO.model_copy(update={"target_ms": 900.0}))
    assert page.streaks() == {"SLOW": 1, "FAIL": 1}
    page.recorder.remove_target(DEMO)
    assert page.streaks() == {"SLOW": None, "FAIL": None}
    page.recorder.add_target(DEMO)
    assert page.streaks() == {"SLOW": 0, "FAIL": 0}


def test_listings_that_fail_are_a_streak() -> None:
    """1. Two listings fail. 2. One succeeds. Result: 2, then 0."""
    page = Page()
    bad = Outcome("agents", "", WHEN, 0.1, Reason.CONNECT_FAILED, "refused")

    page.recorder.record(bad)
    page.recorder.record(bad)
    assert page.streaks("agents", "") == {"SLOW": 2, "FAIL": 2}
    page.recorder.record(listed())
    assert page.streaks("agents", "") == {"SLOW": 0, "FAIL": 0}


def test_series_go_with_their_target() -> None:
    """Nothing of a removed target stays, and nothing of its neighbour goes."""
    page, fresh = Page(DEMO), Page(DEMO).text()
    other = LatencyConfig(agent_name="other", call_type="sales")
    scenario = DEMO.model_copy(update={"scenario": "long", "target_ms": 900.0})
    page.recorder.add_target(other)
    page.recorder.add_target(scenario)
    assert page.value("voice_target_latency_seconds", agent_name="demo", call_type="default") == 0.9

    page.recorder.remove_target(other)
    page.recorder.remove_target(scenario)

    assert without_python(page.text()) == without_python(fresh)


def without_python(page: str) -> list[str]:
    """Return the lines that are ours."""
    return [line for line in page.splitlines() if line.startswith("voice_")]


def test_nameless_target_leaves_the_servers_probes_alone() -> None:
    """A target without a name shares agent_name="" with listing and calibration."""
    page, fresh = Page(), Page().text()
    nameless = LatencyConfig(agent_name="", dispatch="automatic")

    page.recorder.add_target(nameless)
    page.recorder.remove_target(nameless)

    assert without_python(page.text()) == without_python(fresh)


def test_late_outcome_of_a_removed_target_is_dropped() -> None:
    """1. A call runs. 2. Its target goes. 3. The call ends. Result: no series comes back."""
    page = Page(DEMO)
    page.recorder.remove_target(DEMO)

    page.recorder.record(call(replied(1)))

    assert 'agent_name="demo"' not in page.text()


def listed(*agents: AgentInRoom, pending: tuple[PendingDispatch, ...] = ()) -> Outcome:
    """Return a listing."""
    listing = Listing(agents, pending, 2, (("agent", len(agents)), ("standard", 1)))
    return Outcome("agents", "", WHEN, 0.1, result=listing)


def test_listing_is_shown() -> None:
    """Agents by state, odd states as unknown, pending dispatches, rooms and participants."""
    page = Page(DEMO)
    agents = [
        AgentInRoom("demo", "a1", "r1", "listening", 1, 5),
        AgentInRoom("demo", "a2", "r2", "pondering", 1, 5),
        AgentInRoom("stray", "a3", "r2", "initializing", 1, 31),
    ]
    waiting = PendingDispatch("demo", "r1", 7.0)

    page.recorder.record(listed(*agents, pending=(waiting, PendingDispatch("demo", "r2", 3.0))))

    assert page.value("voice_agents", agent_name="demo", state="listening") == 1
    assert page.value("voice_agents", agent_name="demo", state="unknown") == 1
    assert page.value("voice_agents", agent_name="demo", state="speaking") == 0
    assert page.value("voice_agent_stuck", agent_name="stray", state="initializing") == 1
    assert page.value("voice_dispatches_pending", agent_name="demo") == 2
    assert page.value("voice_dispatch_oldest_pending_seconds", agent_name="demo") == 7
    assert page.value("voice_rooms") == 2
    assert page.value("voice_participants", kind="agent") == 3
    assert page.value("voice_participants", kind="sip") == 0
    assert page.verdict("agents", "") == ["PASS"]


def test_a_kind_that_is_rare_does_not_stay_when_it_has_gone() -> None:
    """1. A bridge is in a room. 2. It is not any more. Result: it counts 0."""
    page = Page()
    for participants, count in ((), None), ((("bridge", 2),), 2), ((), 0):
        outcome = Outcome("agents", "", WHEN, 0.1, result=Listing((), (), 1, participants))
        page.recorder.record(outcome)
        assert page.value("voice_participants", kind="bridge") == count


def test_agents_that_left_are_gone_or_zero() -> None:
    """A target without agent is 0; an agent that is no target goes with its series."""
    page = Page(DEMO)
    page.recorder.record(
        listed(
            AgentInRoom("demo", "a1", "r1", "listening", 1, 5),
            AgentInRoom("stray", "a2", "r1", "listening", 1, 5),
        )
    )

    page.recorder.record(listed())

    assert page.value("voice_agents", agent_name="demo", state="listening") == 0
    assert 'agent_name="stray"' not in page.text()


def test_agent_in_a_room_is_shown_though_it_is_no_target_any_more() -> None:
    """1. A target goes, its agent stays. 2. The agent goes. Result: no gap, then no series."""
    page = Page(DEMO)
    page.recorder.record(listed(AgentInRoom("demo", "a1", "r1", "listening", 1, 5)))

    page.recorder.remove_target(DEMO)
    assert page.value("voice_agents", agent_name="demo", state="listening") == 1
    assert page.value("voice_probe_success", **PROBE) is None

    page.recorder.record(listed())
    assert 'agent_name="demo"' not in page.text()


def test_failed_listing_keeps_the_last_one_and_says_so() -> None:
    """What was seen last stays; success 0 and the verdict tell that it is old."""
    page = Page(DEMO)
    page.recorder.record(listed(AgentInRoom("demo", "a1", "r1", "listening", 1, 5)))

    bad = Outcome("agents", "", WHEN, 0.1, Reason.CONNECT_FAILED, "refused")
    page.recorder.record(bad)

    assert page.value("voice_agents", agent_name="demo", state="listening") == 1
    assert page.value("voice_probe_success", probe="agents", agent_name="") == 0
    assert page.verdict("agents", "") == ["FAIL"]


def test_floor_appears_with_the_first_calibration() -> None:
    """The floor is absent until measured; a void calibration is UNKNOWN, not FAIL."""
    page = Page()
    assert page.value("voice_probe_floor_seconds") is None

    page.recorder.record(Outcome("calibrate", "", WHEN, 9, result=Calibration(0.094, 0.004, 10)))
    assert page.value("voice_probe_floor_seconds") == 0.094
    assert page.verdict("calibrate", "") == ["PASS"]

    page.recorder.record(Outcome("calibrate", "", WHEN, 9, Reason.VOID, "late"))
    assert page.value("voice_probe_floor_seconds") == 0.094
    assert page.verdict("calibrate", "") == ["UNKNOWN"]


def test_skips_and_reloads_are_counted() -> None:
    """A tick that did not run is told by reason; a bad reload keeps the time of the good one."""
    page = Page(DEMO)

    page.recorder.skip("latency", "demo", "overlap")
    page.recorder.configured(successful=True)
    page.recorder.configured(successful=False)
    page.recorder.loop_lag(0.25)

    assert page.value("voice_probe_skipped_total", **PROBE, reason="overlap") == 1
    assert page.value("voice_probe_skipped_total", **PROBE, reason="missed") == 0
    when = "voice_probe_last_skip_timestamp_seconds"
    assert page.value(when, **PROBE, reason="overlap") == NOW
    assert page.value(when, **PROBE, reason="missed") is None
    assert page.value("voice_exporter_config_last_reload_successful") == 0
    name = "voice_exporter_config_last_reload_success_timestamp_seconds"
    assert page.value(name) == NOW
    assert page.value("voice_exporter_loop_lag_seconds") == 0.25


def test_skip_of_a_removed_target_is_dropped() -> None:
    """1. A target goes. 2. A run of it is refused. Result: no series comes back."""
    page = Page(DEMO)
    page.recorder.skip("latency", "demo", "budget")
    page.recorder.remove_target(DEMO)

    page.recorder.skip("latency", "demo", "budget")

    assert 'agent_name="demo"' not in page.text()


def test_outcome_without_a_result_is_counted_all_the_same() -> None:
    """A run that could tell nothing but its reason is an attempt and a failure."""
    page = Page(DEMO)

    page.recorder.record(broken(Reason.CONNECT_FAILED, "refused"))

    assert page.value("voice_probe_failures_total", **PROBE, reason="connect_failed") == 1
