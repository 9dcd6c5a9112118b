"""What a call has used: as the agent tells it, of every session, never of a bystander."""

from pathlib import Path

import pytest
from livekit.protocol.agent_pb import agent_session as pb

from exporter.outcome import ModelUsage, Timeline, tokens
from exporter.outcome.timeline import Usage
from exporter.probes.latency.usage import usage_of
from exporter.rtc.session_messages import events_of
from tests.fake_call.calls import World, place, target
from tests.fake_call.script import Script

US, NEXT, OTHER = "agent-1", "agent-4", "agent-9"


def told(sender: str, *models: ModelUsage) -> Usage:
    """Return what an agent tells of its session so far."""
    return Usage(sender=sender, models=models)


def test_the_last_total_of_a_session_counts() -> None:
    """Each message has the totals since the session began: they are not added up."""
    call = Timeline(US)
    call.add(told(US, ModelUsage("reader", llm_input=100, llm_output=5)))
    call.add(told(OTHER, ModelUsage("reader", llm_input=9000)))
    call.add(told(US, ModelUsage("reader", 240, 64, 12), ModelUsage("voice", tts_characters=40)))
    expected = (ModelUsage("reader", 240, 64, 12), ModelUsage("voice", tts_characters=40))
    assert usage_of(call) == expected
    assert tokens(usage_of(call)) == 240 + 12


def test_an_agent_that_took_over_has_a_session_of_its_own() -> None:
    """What both have used is added, model by model."""
    call = Timeline(US)
    call.add(told(US, ModelUsage("reader", llm_input=100), ModelUsage("ear", stt_seconds=2.5)))
    call.agent = NEXT
    call.add(told(NEXT, ModelUsage("reader", llm_input=30), ModelUsage("", tts_characters=7)))
    assert usage_of(call) == (
        ModelUsage("reader", llm_input=130),
        ModelUsage("ear", stt_seconds=2.5),
        ModelUsage("unknown", tts_characters=7),
    )


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
def test_what_no_counter_can_take_is_left_out(seconds: float) -> None:
    """An agent's own figures may be anything."""
    call = Timeline(US)
    call.add(told(US, ModelUsage("m", -1, -2, -3, -4, seconds)))
    assert usage_of(call) == (ModelUsage("m"),)


def test_an_agent_that_tells_nothing_has_no_usage() -> None:
    """Unknown is empty, not 0."""
    assert usage_of(Timeline(US)) == ()


def test_each_kind_is_read_from_its_model() -> None:
    """As livekit-agents sends it: one entry for each model, of one kind."""
    event = pb.AgentSessionEvent()
    models = event.session_usage_updated.usage.model_usage
    llm = models.add().llm
    llm.model, llm.input_tokens, llm.input_cached_tokens, llm.output_tokens = "reader", 90, 60, 8
    tts = models.add().tts
    tts.model, tts.characters_count = "voice", 33
    stt = models.add().stt
    stt.model, stt.audio_duration = "ear", 4.5
    call = Timeline(US)
    for each in events_of(event, 1.0, US):
        call.add(each)
    assert usage_of(call) == (
        ModelUsage("reader", 90, 60, 8),
        ModelUsage("voice", tts_characters=33),
        ModelUsage("ear", stt_seconds=4.5),
    )


def test_a_call_has_what_its_agents_have_used(wav: Path) -> None:
    """All turns of one agent; after a hand-over the first turn of one and two of the other."""
    uses = ModelUsage("reader", 100, 40, 7)
    script = Script(reports=True, uses=uses)
    config = target(utterance={"wav": wav}, trials=2, warmup=False)
    assert place(script, World(), config).call.usage == (ModelUsage("reader", 200, 80, 14),)
    world = World(successor=Script(delay_s=0.7, greet_s=1.0, reports=True, uses=uses))
    followed = config.model_copy(update={"follow": True, "trials": 3})
    placed = place(Script(goodbye=True, reports=True, uses=uses), world, followed)
    assert placed.outcome.reason is None, placed.outcome
    assert placed.call.usage == (ModelUsage("reader", 300, 120, 21),)
