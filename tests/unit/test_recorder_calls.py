"""What becomes of calls and their targets on the /metrics page."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from exporter.config.labels import RESERVED
from exporter.metrics.exposition import Format
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.metrics.table import ROWS
from exporter.outcome import (
    CallResult,
    Components,
    ModelUsage,
    Mos,
    Outcome,
    Reason,
    ReplySound,
    SilentStage,
    Turn,
)
from exporter.probes.latency.families import MAX_MODELS
from exporter.probes.latency.spec import LatencyConfig
from tests.unit.calls import WHEN, broken, call, failed, heard, judged, replied, void
from tests.unit.recording import CALL, DEMO, FAILURES, NOW, PROBE, VANTAGE, Page

STAGES = tuple(map(str, SilentStage))


def test_series_of_a_target_exist_before_its_first_call() -> None:
    """Every outcome and reason is there at 0, so that the first failure is an increase."""
    page = Page(DEMO)

    assert page.turns() == {"replied": 0, "failed": 0, "void": 0}
    for reason in Reason:
        assert page.value("voice_probe_failures_total", **FAILURES, reason=reason) == 0
    assert page.value("voice_turns_within_target_total", **CALL) == 0
    assert page.streaks() == {"SLOW": 0, "FAIL": 0}
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

    part = {**CALL, "source": "probe"}
    name = "voice_component_latency_seconds"
    assert page.value(f"{name}_sum", **part, component="llm") == pytest.approx(0.4)
    assert page.value(f"{name}_count", **part, component="tts") == 0
    assert page.value("voice_reported_e2e_latency_seconds_sum", **CALL) == pytest.approx(0.8)


def test_a_filler_is_not_within_the_target() -> None:
    """The histogram, the mean and the good turns are of the answer."""
    page = Page(DEMO)

    page.recorder.record(call(replied(0.9, answer_s=5.0), replied(0.8)))

    assert page.value("voice_e2e_latency_seconds_sum", **CALL) == pytest.approx(5.8)
    assert page.value("voice_last_call_latency_seconds", **CALL) == pytest.approx(2.9)
    assert page.value("voice_turns_within_target_total", **CALL) == 1
    assert page.value("voice_time_to_answer_seconds_sum", **CALL) == pytest.approx(5.0)
    assert page.value("voice_time_to_answer_seconds_count", **CALL) == 1
    assert page.value("voice_call_agents", **CALL) == 1


def test_a_silent_turn_is_counted_at_its_stage() -> None:
    """And a component that was left out by its name; neither is in a histogram."""
    page = Page(DEMO)
    silent = replace(failed(), silent_stage=SilentStage.TURN_NOT_ENDED)

    page.recorder.record(call(replace(replied(1), implausible=("llm",)), silent, failed()))

    stages = {each: page.value("voice_silent_turns_total", **CALL, stage=each) for each in STAGES}
    assert stages == dict.fromkeys(STAGES, 0.0) | {"turn_not_ended": 1.0}
    assert page.value("voice_component_implausible_total", **CALL, component="llm") == 1
    part = {**CALL, "source": "probe", "component": "llm"}
    assert page.value("voice_component_latency_seconds_count", **part) == 0


def test_run_sets_the_common_series() -> None:
    """Attempts, failures by reason, success, duration and times are told of every run."""
    page = Page(DEMO)

    page.recorder.record(call(replied(1), replied(1), replied(1)))
    page.recorder.record(call(reason=Reason.NO_WORKER))

    assert page.value("voice_probe_attempts_total", **PROBE) == 2
    assert page.value("voice_probe_failures_total", **FAILURES, reason="no_worker") == 1
    assert page.value("voice_probe_success", **PROBE) == 0
    assert page.value("voice_probe_duration_seconds", **PROBE) == 12.5
    assert page.value("voice_probe_last_run_timestamp_seconds", **PROBE) == NOW
    assert page.value("voice_probe_last_success_timestamp_seconds", **PROBE) == NOW
    assert page.verdict() == ["FAIL"]


def test_lag_of_the_process_that_called_is_shown() -> None:
    """What voids turns: of the last run, and absent where its process could not say it."""
    page = Page(DEMO)

    page.recorder.record(replace(call(void()), loop_lag_s=0.09))
    assert page.value("voice_probe_loop_lag_seconds", **FAILURES, lane="call") == 0.09
    page.recorder.record(call(reason=Reason.PROBE_CRASHED))
    assert page.value("voice_probe_loop_lag_seconds", **FAILURES, lane="call") is None


def test_times_to_agent_and_greeting_are_observed() -> None:
    """They are kept even where the call failed later."""
    page = Page(DEMO)
    result = CallResult("demo", "default", "default", (), 0.5, 1.5)

    page.recorder.record(judged(Outcome("latency", "demo", WHEN, 1, Reason.NO_REPLY, "", result)))

    assert page.value("voice_time_to_agent_seconds_sum", **CALL) == 0.5
    assert page.value("voice_time_to_greeting_seconds_sum", **CALL) == 1.5


def test_each_target_has_a_verdict_of_its_own() -> None:
    """An agent that passes one call type and is slow in another is SLOW in that one alone."""
    sales = DEMO.model_copy(update={"call_type": "sales", "target_ms": 500.0})
    page = Page(DEMO, sales)
    slow = CallResult("demo", "sales", "default", (replied(1),))

    page.recorder.record(call(replied(1)))
    assert (page.verdict(), page.verdict(call_type="sales")) == (["PASS"], ["UNKNOWN"])
    page.recorder.record(judged(Outcome("latency", "demo", WHEN, 1, result=slow), sales))
    assert (page.verdict(), page.verdict(call_type="sales")) == (["PASS"], ["SLOW"])
    page.recorder.remove("latency", sales)
    assert (page.verdict(), page.verdict(call_type="sales")) == (["PASS"], [])


def test_labels_of_a_target_are_on_its_info_and_follow_the_configuration() -> None:
    """Whatever their names are, on the page and in the client library; they go with the target."""
    labelled = DEMO.model_copy(update={"labels": {"team": "support", "tier": 'a "b"'}})
    page = Page(labelled, LatencyConfig(agent_name="sales"))
    assert page.value("voice_target_info", **CALL, team="support", tier='a "b"') == 1
    assert page.value("voice_target_info", **CALL | {"agent_name": "sales"}) == 1
    shown = Format.accepted("").page(page.metrics.snapshot(), CollectorRegistry())
    assert (
        'voice_target_info{agent_name="demo",call_type="default",scenario="default",'
        'server="here",team="support",tier="a \\"b\\"",vantage="here"} 1.0\n' in shown
    )
    page.recorder.add("latency", DEMO.model_copy(update={"labels": {"team": "sales"}}))
    assert page.value("voice_target_info", **CALL, team="sales") == 1
    assert page.value("voice_target_info", **CALL, team="support", tier='a "b"') is None
    page.recorder.remove("latency", DEMO)
    assert 'team="sales"' not in page.text()


def test_no_label_of_a_target_has_the_name_of_one_of_ours() -> None:
    """It would be overwritten, or overwrite what rules join on, or carry."""
    names = ("voice_target_info", "voice_target_policy", "voice_agent_stuck")
    ours = {label for name in names for label in ROWS[name].labels}
    assert {"server", "severity", *ours} - RESERVED == set()


def test_policy_follows_the_configuration() -> None:
    """A scenario neither pages nor counts unless it is to; a change leaves one series."""
    noisy = DEMO.model_validate({"agent_name": "demo", "scenario": "noise"})
    page = Page(DEMO, noisy)

    def policies(scenario: str) -> list[tuple[str, str]]:
        return [
            (slo, page_on)
            for slo in ("true", "false")
            for page_on in ("slow", "fail", "none")
            if page.value(
                "voice_target_policy", **CALL | {"scenario": scenario}, slo=slo, page_on=page_on
            )
        ]

    assert policies("default") == [("true", "slow")]
    assert policies("noise") == [("false", "none")]
    page.recorder.add("latency", noisy.model_copy(update={"page_on": "fail", "slo": True}))
    assert policies("noise") == [("true", "fail")]


def test_latency_of_the_last_call_is_the_mean_of_its_measured_turns() -> None:
    """A call without one says nothing about it, so the one before stays."""
    page = Page(DEMO)
    assert page.value("voice_last_call_latency_seconds", **CALL) is None

    page.recorder.record(call(replied(9, warmup=True), replied(1.0), replied(1.5), void()))
    assert page.value("voice_last_call_latency_seconds", **CALL) == 1.25
    page.recorder.record(call(failed(), reason=Reason.NO_REPLY))
    assert page.value("voice_last_call_latency_seconds", **CALL) == 1.25


def test_jitter_buffer_of_the_last_call_is_shown() -> None:
    """It is the mean over the turns that know it, without warm-up; it stays as the latency does."""
    page = Page(DEMO)
    assert page.value("voice_call_jitter_buffer_seconds", **CALL) is None

    warmup = replied(9, warmup=True, depth_s=0.2)
    page.recorder.record(call(warmup, replied(1, depth_s=0.03), replied(1, depth_s=0.05), void()))
    assert page.value("voice_call_jitter_buffer_seconds", **CALL) == pytest.approx(0.04)
    page.recorder.record(call(failed(), reason=Reason.NO_REPLY))
    assert page.value("voice_call_jitter_buffer_seconds", **CALL) == pytest.approx(0.04)


def test_turns_within_the_target_are_counted() -> None:
    """Good is measured and in time, the target itself included; late, failed and warm-up is not."""
    page = Page(DEMO)

    page.recorder.record(
        call(replied(0.9, warmup=True), replied(1.5), replied(1.4), replied(1.6), failed(), void())
    )

    assert page.value("voice_turns_within_target_total", **CALL) == 2


def test_each_target_has_a_streak_of_its_own() -> None:
    """Targets that take turns in failing are two streaks of one; a good call ends its own alone."""
    sales = DEMO.model_copy(update={"call_type": "sales"})
    page = Page(DEMO, sales)
    broke = CallResult("demo", "sales", "default")

    page.recorder.record(judged(Outcome("latency", "demo", WHEN, 1, Reason.NO_REPLY, "", broke)))
    page.recorder.record(call(reason=Reason.NO_REPLY))
    assert page.streaks() == page.streaks(call_type="sales") == {"SLOW": 1, "FAIL": 1}
    page.recorder.record(judged(Outcome("latency", "demo", WHEN, 1, Reason.NO_REPLY, "", broke)))
    page.recorder.record(call(replied(1)))
    assert page.streaks() == {"SLOW": 0, "FAIL": 0}
    assert page.streaks(call_type="sales") == {"SLOW": 2, "FAIL": 2}


def test_streak_outlives_a_reload_of_its_target() -> None:
    """A target that is configured anew has still failed; one that was away begins at 0."""
    page = Page(DEMO)
    page.recorder.record(call(reason=Reason.NO_REPLY))

    page.recorder.add("latency", DEMO.model_copy(update={"target_ms": 900.0}))
    assert page.streaks() == {"SLOW": 1, "FAIL": 1}
    page.recorder.remove("latency", DEMO)
    assert page.streaks() == {"SLOW": None, "FAIL": None}
    page.recorder.add("latency", DEMO)
    assert page.streaks() == {"SLOW": 0, "FAIL": 0}


def test_series_go_with_their_target() -> None:
    """Nothing of a removed target stays, and nothing of its neighbour goes."""
    page, fresh = Page(DEMO), Page(DEMO).text()
    other = LatencyConfig(agent_name="other", call_type="sales")
    scenario = DEMO.model_copy(update={"scenario": "long", "target_ms": 900.0})
    page.recorder.add("latency", other)
    page.recorder.add("latency", scenario)
    assert page.value("voice_target_latency_seconds", **CALL | {"scenario": "long"}) == 0.9
    assert page.value("voice_target_latency_seconds", **CALL) == 1.5

    page.recorder.remove("latency", other)
    page.recorder.remove("latency", scenario)

    assert without_python(page.text()) == without_python(fresh)


def without_python(page: str) -> list[str]:
    """Return the lines that are ours."""
    return [line for line in page.splitlines() if line.startswith("voice_")]


def test_nameless_target_leaves_the_servers_probes_alone() -> None:
    """A target without a name shares agent_name="" with listing and calibration."""
    page, fresh = Page(), Page().text()
    nameless = LatencyConfig(agent_name="", dispatch="automatic")

    page.recorder.add("latency", nameless)
    page.recorder.remove("latency", nameless)

    assert without_python(page.text()) == without_python(fresh)


def test_late_outcome_of_a_removed_target_is_dropped() -> None:
    """1. A call runs. 2. Its target goes. 3. The call ends. Result: no series comes back."""
    page = Page(DEMO)
    page.recorder.remove("latency", DEMO)

    page.recorder.record(call(replied(1)))

    assert 'agent_name="demo"' not in page.text()


def test_skip_of_a_removed_target_is_dropped() -> None:
    """1. A target goes. 2. A run of it is refused. Result: no series comes back."""
    page = Page(DEMO)
    page.recorder.skip("latency", "demo", "budget")
    page.recorder.remove("latency", DEMO)

    page.recorder.skip("latency", "demo", "budget")

    assert 'agent_name="demo"' not in page.text()


def test_outcome_without_a_result_is_counted_all_the_same() -> None:
    """A run that could tell nothing but its reason is an attempt and a failure."""
    page = Page(DEMO)

    page.recorder.record(broken(Reason.CONNECT_FAILED, "refused"))

    assert page.value("voice_probe_failures_total", **FAILURES, reason="connect_failed") == 1


def test_last_skip_goes_with_the_last_target_of_an_agent() -> None:
    """1. Both targets of an agent are skipped. 2. The first one goes. Result: the time stays."""
    sales = DEMO.model_copy(update={"call_type": "sales"})
    page = Page(DEMO, sales)
    when = "voice_probe_last_skip_timestamp_seconds"
    page.recorder.skip("latency", "demo", "window")
    page.recorder.remove("latency", DEMO)
    assert page.value(when, **PROBE, reason="window") == NOW
    page.recorder.remove("latency", sales)
    assert page.value(when, **PROBE, reason="window") is None


def test_words_are_counted_by_what_became_of_them() -> None:
    """Each kind in both forms, at 0 from the start; without warm-up."""
    page = Page(DEMO)

    def words(form: str) -> list[float | None]:
        kinds = ("hit", "substituted", "deleted", "inserted")
        name = "voice_transcribed_words_total"
        return [page.value(name, **CALL, kind=kind, form=form) for kind in kinds]

    assert words("normalized") == words("raw") == [0, 0, 0, 0]
    misheard = heard(6, substituted=1, deleted=2, inserted=3)
    warmup = replied(1, heard=heard(6), warmup=True)
    page.recorder.record(call(warmup, replied(1, heard=misheard), replied(1, heard=heard(5))))
    assert words("normalized") == [3 + 5, 1, 2, 3]
    assert words("raw") == [1 + 3, 3 + 2, 2, 3]
    assert page.value("voice_target_word_error_ratio", **CALL) is None


def test_the_limit_of_word_errors_is_shown() -> None:
    """The alert compares with it."""
    page = Page(DEMO.model_copy(update={"max_wer": 0.2}))
    assert page.value("voice_target_word_error_ratio", **CALL) == 0.2


def used(*models: ModelUsage) -> Outcome:
    """Return a call of the demo whose agent told what it has used."""
    return call(replied(1), usage=models)


def usage_series(page: Page) -> list[str]:
    """Return the series of usage on a page."""
    return [line for line in page.text().splitlines() if line.startswith("voice_usage_total{")]


def test_usage_grows_by_kind_and_model_and_goes_with_its_target() -> None:
    """1. Two calls. 2. The target goes. Result: their sum, then nothing."""
    page = Page(DEMO)
    for _ in range(2):
        page.recorder.record(used(ModelUsage("reader", 100, 0, 7), ModelUsage("ear", 0, 0, 0)))
    page.recorder.record(used(ModelUsage("ear", stt_seconds=2.5)))
    name, reader = "voice_usage_total", {**CALL, "model": "reader"}
    assert page.value(name, **reader, kind="llm_input") == 200
    assert page.value(name, **reader, kind="llm_cached") == 0
    assert page.value(name, **reader, kind="llm_output") == 14
    assert page.value(name, **reader, kind="tts_characters") is None
    assert page.value(name, **CALL, model="ear", kind="stt_seconds") == 2.5
    page.recorder.remove("latency", DEMO)
    assert usage_series(page) == []


def test_models_beyond_the_cap_share_a_label() -> None:
    """An agent that names a model anew in each call must not flood a server."""
    page = Page(DEMO)
    for number in range(MAX_MODELS + 3):
        page.recorder.record(used(ModelUsage(f"{number} " * 100, tts_characters=1)))
    series = usage_series(page)
    assert len(series) == MAX_MODELS + 1
    assert page.value("voice_usage_total", **CALL, model="other", kind="tts_characters") == 3
    assert max(map(len, series)) < 400


def test_a_score_goes_with_a_call_that_has_none() -> None:
    """A model that fails leaves no old figure, while the level of the last reply stays."""
    page = Page(DEMO)
    reply = ReplySound(-20.0, 0.0, 8000.0, 0.1, Mos(3.0, 4.0, 2.5))

    page.recorder.record(call(replace(replied(1.0), reply=reply)))
    assert page.value("voice_reply_mos", **CALL, model="dnsmos_signal") == 3.0
    assert page.value("voice_reply_mos", **CALL, model="dnsmos_background") == 4.0
    assert page.value("voice_reply_mos", **CALL, model="dnsmos_overall") == 2.5

    page.recorder.record(call(failed(), reason=Reason.NO_REPLY))
    assert page.value("voice_reply_mos", **CALL, model="dnsmos_overall") is None
    assert page.value("voice_reply_level_dbfs", **CALL) == -20.0


def test_the_reason_of_the_last_run_goes_with_the_next_good_one() -> None:
    """One series while the last run failed, with its reason; none beside it, none after it."""
    page = Page(DEMO)

    def reasons() -> list[Reason]:
        name = "voice_probe_last_run_failed"
        return [each for each in Reason if page.value(name, **FAILURES, reason=each) is not None]

    assert reasons() == []
    page.recorder.record(call(reason=Reason.NO_WORKER))
    assert reasons() == [Reason.NO_WORKER]
    page.recorder.record(call(failed(), reason=Reason.NO_REPLY))
    assert reasons() == [Reason.NO_REPLY]
    page.recorder.record(call(replied(1)))
    assert reasons() == []


def test_a_verdict_is_dated_by_its_first_run() -> None:
    """It moves with another verdict only, and with each target by itself."""
    now = [100.0]
    registry = CollectorRegistry()
    recorder = Recorder(Metrics(registry, "here"), VANTAGE, clock=lambda: now[0])
    recorder.add("latency", DEMO)
    labels = {"server": "here", "check": "latency", **CALL}

    def since() -> float | None:
        return registry.get_sample_value("voice_verdict_since_timestamp_seconds", labels)

    found = [since()]
    for at, seconds in ((200.0, 1.0), (300.0, 1.1), (400.0, 9.0), (500.0, 8.0), (600.0, 1.0)):
        now[0] = at
        recorder.record(call(replied(seconds)))
        found.append(since())
    assert found == [100.0, 200.0, 200.0, 400.0, 400.0, 600.0]


def test_components_of_the_last_call_are_its_means() -> None:
    """Without warm-up and failed turns; they go with a call that has none."""
    page = Page(DEMO)
    name = "voice_last_call_component_seconds"
    slow, quick = Components(llm_s=2.0, tts_s=0.1), Components(llm_s=1.0)
    turns = (
        replace(replied(9, warmup=True), components=Components(llm_s=8.0)),
        replace(replied(2.2), components=slow),
        replace(replied(1.2), components=quick),
    )

    page.recorder.record(call(*turns))
    assert page.value(name, **CALL, component="llm") == pytest.approx(1.5)
    assert page.value(name, **CALL, component="tts") == pytest.approx(0.1)
    assert page.value(name, **CALL, component="transport") is None

    page.recorder.record(call(reason=Reason.NO_WORKER))
    assert page.value(name, **CALL, component="llm") is None
