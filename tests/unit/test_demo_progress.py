"""The demo's lines of progress, from two readings of /metrics."""

from dataclasses import fields

import pytest

from exporter.demo.progress import Reading, describe, parse
from exporter.outcome import Components

COMPONENT_NAMES = tuple(field.name.removesuffix("_s") for field in fields(Components))
PAGE = """\
# TYPE voice_turns_total counter
voice_turns_total{server="s",agent_name="demo",call_type="a",scenario="b",outcome="replied"} 3
voice_turns_total{server="s",agent_name="demo",call_type="a",scenario="b",outcome="failed"} 1
voice_turns_total{server="s",agent_name="other",call_type="a",scenario="b",outcome="failed"} 9
# TYPE voice_probe_failures_total counter
voice_probe_failures_total{server="s",probe="latency",agent_name="demo",reason="no_reply"} 1
# TYPE voice_e2e_latency_seconds histogram
voice_e2e_latency_seconds_bucket{server="s",agent_name="demo",le="+Inf"} 2
voice_e2e_latency_seconds_sum{server="s",agent_name="demo"} 2.5
voice_e2e_latency_seconds_count{server="s",agent_name="demo"} 2
# TYPE voice_component_latency_seconds histogram
voice_component_latency_seconds_bucket{server="s",agent_name="demo",component="llm",le="+Inf"} 2
voice_component_latency_seconds_sum{server="s",agent_name="demo",component="llm"} 0.8
voice_component_latency_seconds_count{server="s",agent_name="demo",component="llm"} 2
"""


def test_a_page_is_read_for_one_agent() -> None:
    """Only the agent's own series are taken."""
    reading = parse(PAGE, "demo")
    assert reading.turns == {"replied": 3.0, "failed": 1.0}
    assert reading.failures == {"no_reply": 1.0}
    assert (reading.measured, reading.e2e_sum_s) == (2, 2.5)
    assert reading.components == {"llm": (0.8, 2.0)}


def test_what_is_new_is_told_in_one_line() -> None:
    """The line has the mean of the new turns, their split, failures and reasons."""
    assert (
        describe(Reading(), parse(PAGE, "demo"))
        == "2 turns measured, 1.25 s = llm 0.40; 1 turn failed; the call failed: no_reply"
    )


def test_means_are_of_the_new_turns_only() -> None:
    """Turns that were told before do not count again."""
    before = Reading(e2e_count=2, e2e_sum_s=2.0, components={"llm": (0.6, 2.0)})
    after = Reading(e2e_count=3, e2e_sum_s=5.0, components={"llm": (2.6, 3.0)})
    assert describe(before, after) == "1 turn measured, 3.00 s = llm 2.00"


@pytest.mark.parametrize("reading", [Reading(), parse(PAGE, "demo")])
def test_nothing_new_is_not_told(reading: Reading) -> None:
    """Two equal readings give no line."""
    assert describe(reading, reading) == ""


def test_every_component_is_named() -> None:
    """Those that not every agent has are told where they take time."""
    parts = dict.fromkeys(COMPONENT_NAMES, (0.2, 1.0))
    line = describe(Reading(), Reading(e2e_count=1, e2e_sum_s=1.6, components=parts))
    for name in ("tools", "on_user_turn_completed", "first sentence", "end of turn"):
        assert f"{name} 0.20" in line
    negligible = Reading(e2e_count=1, e2e_sum_s=1, components={"tools": (0.001, 1.0)})
    assert describe(Reading(), negligible) == "1 turn measured, 1.00 s"
