"""Listings of agents and rooms on the /metrics page, and what the exporter tells of itself."""

from exporter.metrics.own import OwnSeries
from exporter.outcome import AgentInRoom, Calibration, Listing, Outcome, PendingDispatch, Reason
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.calibrate.spec import CalibrateConfig
from tests.unit.calls import WHEN, judged
from tests.unit.recording import DEMO, NOW, PROBE, Page

AGENTS = AgentsConfig()


def listed(*agents: AgentInRoom, pending: tuple[PendingDispatch, ...] = ()) -> Outcome:
    """Return a listing."""
    listing = Listing(agents, pending, 2, (("agent", len(agents)), ("standard", 1)))
    return judged(Outcome("agents", "", WHEN, 0.1, result=listing))


def test_listings_that_fail_are_a_streak() -> None:
    """1. Two listings fail. 2. One succeeds. Result: 2, then 0."""
    page = Page(agents=AGENTS)
    bad = judged(Outcome("agents", "", WHEN, 0.1, Reason.CONNECT_FAILED, "refused"))

    page.recorder.record(bad)
    page.recorder.record(bad)
    assert page.streaks("agents") == {"SLOW": 2, "FAIL": 2}
    page.recorder.record(listed())
    assert page.streaks("agents") == {"SLOW": 0, "FAIL": 0}


def test_listing_is_shown() -> None:
    """Agents by state, odd states as unknown, pending dispatches, rooms and participants."""
    page = Page(DEMO, agents=AGENTS)
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
    assert page.verdict("agents") == ["FAIL"]


def test_a_kind_that_is_rare_does_not_stay_when_it_has_gone() -> None:
    """1. A bridge is in a room. 2. It is not any more. Result: it counts 0."""
    page = Page(agents=AGENTS)
    for participants, count in ((), None), ((("bridge", 2),), 2), ((), 0):
        outcome = judged(Outcome("agents", "", WHEN, 0.1, result=Listing((), (), 1, participants)))
        page.recorder.record(outcome)
        assert page.value("voice_participants", kind="bridge") == count


def test_agents_that_left_are_gone_or_zero() -> None:
    """A target without agent is 0; an agent that is no target goes with its series."""
    page = Page(DEMO, agents=AGENTS)
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
    page = Page(DEMO, agents=AGENTS)
    page.recorder.record(listed(AgentInRoom("demo", "a1", "r1", "listening", 1, 5)))

    page.recorder.remove("latency", DEMO)
    assert page.value("voice_agents", agent_name="demo", state="listening") == 1
    assert page.value("voice_probe_success", **PROBE) is None

    page.recorder.record(listed())
    assert 'agent_name="demo"' not in page.text()


def test_failed_listing_keeps_the_last_one_and_says_so() -> None:
    """What was seen last stays; success 0 and the verdict tell that it is old."""
    page = Page(DEMO, agents=AGENTS)
    page.recorder.record(listed(AgentInRoom("demo", "a1", "r1", "listening", 1, 5)))

    bad = judged(Outcome("agents", "", WHEN, 0.1, Reason.CONNECT_FAILED, "refused"))
    page.recorder.record(bad)

    assert page.value("voice_agents", agent_name="demo", state="listening") == 1
    assert page.value("voice_probe_success", probe="agents", agent_name="") == 0
    assert page.verdict("agents") == ["FAIL"]


def test_a_cut_listing_takes_nothing_away() -> None:
    """What was not read is not gone: the last whole listing stays, and nobody has failed."""
    page = Page(DEMO, agents=AGENTS)
    page.recorder.record(listed(AgentInRoom("demo", "a1", "r1", "listening", 1, 5)))

    cut = Listing(rooms=1, unread=1)
    page.recorder.record(
        judged(Outcome("agents", "", WHEN, 30, Reason.QUOTA_EXCEEDED, "429", result=cut))
    )

    assert page.value("voice_agents", agent_name="demo", state="listening") == 1
    assert page.value("voice_probe_success", probe="agents", agent_name="") == 0
    assert page.verdict("agents") == ["UNKNOWN"]


def test_floor_appears_with_the_first_calibration() -> None:
    """The floor is absent until measured; a void calibration is UNKNOWN, not FAIL."""
    page = Page(calibrate=CalibrateConfig())
    assert page.value("voice_probe_floor_seconds") is None

    page.recorder.record(
        judged(Outcome("calibrate", "", WHEN, 9, result=Calibration(0.094, 0.004, 10)))
    )
    assert page.value("voice_probe_floor_seconds") == 0.094
    assert page.verdict("calibrate") == ["PASS"]

    page.recorder.record(judged(Outcome("calibrate", "", WHEN, 9, Reason.VOID, "late")))
    assert page.value("voice_probe_floor_seconds") == 0.094
    assert page.verdict("calibrate") == ["UNKNOWN"]


def test_skips_and_reloads_are_counted() -> None:
    """A tick that did not run is told by reason; a bad reload keeps the time of the good one."""
    page = Page(DEMO, agents=AGENTS)

    page.recorder.skip("latency", "demo", "overlap")
    own = OwnSeries(page.metrics, clock=lambda: NOW)
    own.configuration_read(successful=True)
    own.configuration_read(successful=False)
    own.loop_lag(0.25)

    assert page.value("voice_probe_skipped_total", **PROBE, reason="overlap") == 1
    assert page.value("voice_probe_skipped_total", **PROBE, reason="missed") == 0
    when = "voice_probe_last_skip_timestamp_seconds"
    assert page.value(when, **PROBE, reason="overlap") == NOW
    assert page.value(when, **PROBE, reason="missed") is None
    assert page.value("voice_exporter_config_last_reload_successful") == 0
    name = "voice_exporter_config_last_reload_success_timestamp_seconds"
    assert page.value(name) == NOW
    assert page.value("voice_exporter_loop_lag_seconds") == 0.25
