"""A part of the prober that dies is the prober's own fault, and never a silent agent."""

import asyncio
from pathlib import Path

import pytest

from exporter.errors import ProbeError
from exporter.outcome import Reason, TurnOutcome
from exporter.rtc.tasks import Tasks
from tests.fake_call.calls import World, converse, place, target
from tests.fake_call.script import Script

SOON_S = 0.1


@pytest.mark.parametrize("name", ["ear", "microphone", "session-events"])
@pytest.mark.parametrize("after_s", [0.2037, 0.9037, 1.8037, 3.0037])
def test_a_task_that_dies_ends_the_call_at_once(name: str, after_s: float, wav: Path) -> None:
    """In the greeting, our utterance, the wait and the reply: one line says what died."""
    config = target(utterance={"wav": wav}, trials=3)
    placed = place(
        Script(greet_s=0.5, reports=True), World(dies=name, dies_after_s=after_s), config
    )
    assert placed.outcome.reason is Reason.PROBE_CRASHED
    details = [f"the task '{name}' died: RuntimeError: bad frame"]
    if name == "microphone":  # an utterance that waits to be sent may notice it first
        details.append("the audio source accepts no more audio")
    assert placed.outcome.detail in details
    assert placed.outcome.duration_s == pytest.approx(after_s, abs=SOON_S)
    assert TurnOutcome.FAILED not in {turn.outcome for turn in placed.call.turns}
    assert (placed.rooms_left, placed.inside) == (frozenset(), False)


def test_a_track_without_frames_is_no_silent_agent() -> None:
    """The SDK brings no more frames of a track that is there: every turn is void."""
    talk = converse(Script(breaks_off=True), turns=2, reply_timeout=3)
    assert talk.ended is None
    assert [(turn.outcome, turn.detail) for turn in talk.turns] == [
        (TurnOutcome.VOID, "the agent's track brought no more frames")
    ] * 2


def test_of_several_that_die_the_first_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """They die together when the SDK does; the block ends once, also one that begins later."""

    async def story() -> list[str]:
        async def die(how: str) -> None:
            raise RuntimeError(how)

        tasks, said = Tasks(), []
        loop = asyncio.get_running_loop()
        tasks.watch(None, *(loop.create_task(die(how), name=how) for how in ("one", "two")))
        for _ in range(2):
            with pytest.raises(ProbeError) as ended:
                async with tasks.alive():
                    await asyncio.sleep(60)
            said.append(ended.value.detail)
        return said

    assert asyncio.run(story()) == ["the task 'one' died: RuntimeError: one"] * 2
    assert caplog.records == []
