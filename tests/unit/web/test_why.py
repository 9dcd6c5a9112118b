"""Why a row of the status page has its verdict, in words."""

from cProfile import Profile
from dataclasses import replace
from datetime import timedelta

from exporter.outcome import (
    Components,
    Listing,
    Outcome,
    PendingDispatch,
    Reason,
    ReplySound,
    Verdict,
)
from exporter.probes.latency.spec import PROBE, LatencyConfig
from exporter.roster.types import Worker, WorkerStatus
from exporter.store.records import RunRecord
from exporter.web.past import APART, OUTAGES_KEPT, Past
from exporter.web.why import Serving, serving, why
from tests.unit.calls import DEMO, WHEN, call, judged, replied, void


def at(minutes: float, outcome: Outcome) -> Outcome:
    """Return a call that began so long after the first."""
    return replace(outcome, started_at=WHEN + timedelta(minutes=minutes))


def past(*outcomes: Outcome) -> Past:
    """Return what is known after these calls."""
    made = Past()
    for outcome in outcomes:
        made.add(RunRecord.of(outcome))
    return made


def spoken(e2e_s: float, llm_s: float) -> Outcome:
    """Return a call of one turn in which only the language model changes."""
    return call(replied(e2e_s, split=Components(transcription_s=0.4, llm_s=llm_s, tts_s=0.2)))


def said(*outcomes: Outcome, service: Serving | None = None, target: LatencyConfig = DEMO) -> str:
    """Return the words about the last of these calls."""
    known = why(target, outcomes[-1], past(*outcomes), service or Serving())
    return f"{known.head}: {known.text}"


def test_the_component_that_grew_is_named() -> None:
    """Against its median of today, before the calls that are slow."""
    good = [at(5 * n, spoken(1.1, 0.47)) for n in range(37)]
    slow = [at(200 + 5 * n, spoken(3.25, 2.17)) for n in range(11)]
    assert said(*good, *slow) == (
        "LLM 2.17 s: 1.70 s above its median of today (37 calls before). "
        "3.25 s on average is above 1.5 s."
    )


def test_a_target_that_is_always_missed_is_questioned() -> None:
    """Nothing changed: it may be the target that is wrong."""
    target = LatencyConfig(agent_name="demo", target_ms=1200)
    slow = [replace(at(n, spoken(1.7, 0.5))) for n in range(48)]
    assert "0.50 s above target, as in all 48 calls known: is 1.20 s the right target?" in said(
        *slow, target=target
    )


def test_a_first_slow_call_names_the_longest_component() -> None:
    """There is no median to compare with."""
    assert said(spoken(2.0, 1.1)).startswith("LLM 1.10 s: The longest component.")


def test_what_is_not_latency_has_a_head() -> None:
    """A quick call whose voice is clipped: the row says `sound` where others say `LLM`."""
    config = LatencyConfig.model_validate(
        {"agent_name": "demo", "sound": {"max_clipped_ratio": 0.02}}
    )
    loud = replace(replied(0.5), reply=ReplySound(-3.0, 0.3, 8000.0, 0.1))
    known = said(PROBE.judged(config, call(loud)), target=config)
    assert known.startswith("sound: Clipped (distorted) share of the agent's speech 30.00 %")


def test_who_has_no_worker_reads_of_the_workers_and_of_those_who_wait() -> None:
    """What is next to look at stands beside the reason."""
    workers = [
        Worker("1", "demo", WorkerStatus.OFFLINE, is_lost=True),
        Worker("2", "demo", WorkerStatus.OFFLINE, is_lost=True),
        Worker("3", "demo", WorkerStatus.DRAINING),
        Worker("4", "other", WorkerStatus.IDLE),
    ]
    pending = (PendingDispatch("demo", "a", 2040, 2), PendingDispatch("demo", "b", 60, 1))
    listing = Outcome("agents", "", WHEN, 0.1, result=Listing(pending=pending))
    found = serving(workers, listing)
    bad = call(reason=Reason.NO_WORKER, detail="no worker took the job within 20 s")
    assert said(bad, service=found["demo"]) == (
        "no_worker: No worker took the job within 20 s. Workers: 2 lost, 1 draining, 0 in service; "
        "3 callers wait, the oldest 34 min."
    )
    assert found["other"] == Serving(known=1, in_service=1)


def test_a_void_call_says_nothing_about_the_agent() -> None:
    """The reason of its turns, and what it means."""
    assert said(call(void())) == (
        "void: The prober was 31 ms late. This says nothing about the agent."
    )


def test_a_good_call_needs_no_words() -> None:
    """The eye is to find what is bad; what was never called says so."""
    assert said(spoken(1.0, 0.4)) == ": "
    assert why(DEMO, None, Past(), Serving()).text == "No call yet."


def test_the_streak_is_that_of_the_verdict() -> None:
    """Since when, and how many calls; one that someone asked for changes nothing."""
    known = past(at(0, spoken(1, 0.4)), at(5, spoken(3, 2)), at(10, spoken(3, 2)))
    known.add(RunRecord.of(at(12, spoken(1, 0.4))), scheduled=False)
    assert (known.since, known.streak, known.has_changed) == (WHEN + timedelta(minutes=5), 2, True)
    assert len(known.runs) == 4


def test_failures_far_apart_are_two_groups() -> None:
    """Each reason by itself; a success between them does not part them."""
    bad = call(reason=Reason.NO_REPLY, detail="silence")
    later = APART.total_seconds() / 60 + 6
    known = past(bad, at(1, spoken(1, 0.4)), at(5, bad), at(5 + later, bad))
    assert [(each.runs, each.first) for each in known.outages] == [
        (1, WHEN + timedelta(minutes=5 + later)),
        (2, WHEN),
    ]


def test_a_call_that_is_too_slow_did_not_fail_of_a_void_turn() -> None:
    """Its verdict is the agent's: among the failures it is not listed as the prober's fault."""
    target = LatencyConfig(agent_name="demo", fail_ms=2000)
    slow = judged(call(replied(3.0), void()), target)
    assert slow.verdict is Verdict.FAIL
    assert not past(slow).outages
    assert "above 2 s" in said(slow, target=target)


def test_what_failed_last_is_the_first_group() -> None:
    """Also where its reason is not new: so the log that is offered is that of the last call."""
    other = [
        at(n, call(reason=reason, detail="once"))
        for n, reason in enumerate((Reason.NO_WORKER, Reason.JOIN_TIMEOUT, Reason.DEADLINE), 1)
    ]
    bad = call(reason=Reason.NO_REPLY, detail="silence")
    known = past(bad, *other, at(9, bad))
    assert [each.reason for each in known.outages][:2] == [Reason.NO_REPLY, Reason.DEADLINE]
    for n in range(OUTAGES_KEPT):  # of these one is of a reason that is there
        reason = (Reason.AGENT_LEFT, Reason.NO_REPLY, Reason.ROOM_CLOSED)[n % 3]
        known.add(RunRecord.of(at(10 + n, call(reason=reason, detail="again"))))
    assert max(each.runs for each in known.outages if each.reason is Reason.NO_REPLY) == 4


def test_a_day_of_calls_is_looked_through_once_for_each_component() -> None:
    """The page of 200 slow agents held the event loop for a second. Work is counted, not time."""
    good = [at(n, spoken(1.1, 0.47)) for n in range(200)]
    slow = at(200, spoken(3.25, 2.17))
    known = past(*good, slow)
    profile = Profile()
    profile.runcall(why, DEMO, slow, known, Serving())
    calls = sum(each.callcount for each in profile.getstats())
    assert calls < 10 * len(good)
