"""What bench/conversation.py prints of the calls that it placed."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from bench.conversation import (
    FILLERS,
    STAGES,
    TOOLS,
    WORDS,
    WORKS,
    Conversations,
    Made,
    tell_stages,
    tell_times,
    tell_usage,
    tell_words,
)
from bench.report import Report
from exporter.demo.counts import Counts
from exporter.demo.settings import DemoSettings
from exporter.outcome import Components, SilentStage, Transcription, Turn, WordErrors
from tests.unit.calls import failed, replied, void

USED = Counts(llm_input=9, llm_cached=3, llm_output=4, tts_characters=20, stt_seconds=0.1 + 0.2)
DELIVERED = replace(USED, stt_seconds=0.3)


def silent(stage: SilentStage) -> Turn:
    """Return a turn without a reply that broke at that stage."""
    return Turn(failed().outcome, reason=failed().reason, silent_stage=stage)


def answered(settings: DemoSettings, late_s: float = 0.0) -> Turn:
    """Return a turn as an agent with these settings has it, whose answer is so late."""
    tool_s, work_s = settings.llm.tool_s, settings.agent.work_s
    filler = settings.llm.filler or settings.agent.filler
    answer_s = 1.2 + tool_s + work_s + late_s
    parts = Components(tools_s=tool_s + late_s if tool_s else None)
    if not filler:
        return replied(answer_s, split=parts)
    return replied(0.8, split=parts, answer_s=answer_s)


def understood(settings: DemoSettings, more: int = 0) -> Turn:
    """Return a turn of which the agent misheard what it was told to, and so many words more."""
    stt = settings.stt
    errors = (stt.substituted + more, stt.deleted, stt.inserted)
    return replied(1.2, heard=Transcription(6, *errors, raw=WordErrors(6, *errors)))


def conversations(times: int = 2, late_s: float = 0.0) -> Conversations:
    """Return calls in which the agent did what it was told; the last of two settings is late."""

    def timed(one: DemoSettings, two: DemoSettings) -> tuple[Made, ...]:
        return (
            Made(one, (answered(one),) * times),
            Made(two, (answered(two, late_s),) * times),
        )

    return Conversations(
        {stage: Made(told, (silent(stage),) * times) for stage, told in STAGES.items()},
        timed(*TOOLS),
        timed(*FILLERS),
        timed(*WORKS),
        tuple(
            Made(told, (understood(told),) * times, used=USED, delivered=DELIVERED)
            if times
            else Made(told, ())
            for told in WORDS
        ),
    )


def printed(
    tell: Callable[[Report, Conversations], None], found: Conversations
) -> tuple[dict[str, list[str]], bool]:
    """Return the cells of each row that is printed, by its first, and whether the bounds held."""
    out = io.StringIO()
    report = Report(Console(file=out, width=110))
    tell(report, found)
    lines = [line for line in out.getvalue().splitlines() if "│" in line]
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
    return {first: rest for first, *rest in cells}, report.held


@pytest.mark.parametrize("tell", [tell_stages, tell_times, tell_words, tell_usage])
def test_an_agent_that_does_what_it_was_told_holds_every_bound(
    tell: Callable[[Report, Conversations], None],
) -> None:
    """All rows that have a bound hold it; without a turn none does."""
    rows, held = printed(tell, conversations())
    assert held, rows
    rows, held = printed(tell, conversations(times=0))
    assert not held
    assert {cells[-1] for cells in rows.values()} <= {"NO", ""}


def test_a_stage_that_is_named_wrongly_is_shown() -> None:
    """The wrong name is printed, a void turn counts for nothing, and the bound is broken."""
    found = conversations()
    turns = (silent(SilentStage.NOT_HEARD), silent(SilentStage.NO_ANSWER), failed(), void())
    broken = {**found.silent, SilentStage.NO_ANSWER: Made(DemoSettings(), turns)}
    rows, held = printed(
        tell_stages,
        replace(found, silent=broken),
    )
    assert not held
    assert rows["no_answer"] == ["3", "1 right, else none, not_heard", "all", "NO"]
    assert rows["not_heard"] == ["2", "2 right", "all", "yes"]
    assert rows["void, of all turns"][:2] == ["44", "1"]


def test_a_stage_of_a_turn_that_was_answered_is_shown() -> None:
    """No such turn has one; a turn that was not answered is counted apart."""
    found = conversations()
    odd = Turn(replied(1.0).outcome, e2e_s=1.0, silent_stage=SilentStage.UNKNOWN)
    tools = (Made(TOOLS[0], (odd, failed())), found.tools[1])
    rows, held = printed(
        tell_stages,
        replace(found, tools=tools),
    )
    assert not held
    assert rows["a stage, in a turn that was answered"] == ["31", "1", "none", "NO"]
    assert rows["not answered, where an answer was due"][:2] == ["32", "1"]


def test_differences_are_of_two_settings() -> None:
    """What both settings share is in no difference; what one has more is, in milliseconds."""
    rows, held = printed(tell_times, conversations(late_s=0.04))
    assert not held
    assert rows["tools, told 0.5 s"] == ["2", "+0 ms", "± 30 ms", "yes"]
    assert rows["tools, told 2 s"] == ["2", "+40 ms", "± 30 ms", "NO"]
    assert rows["the answer, tool, told 1.5 s more"] == ["4", "+40 ms", "± 30 ms", "NO"]
    first = rows["first sound, filler in a tool, told 0 s more"]
    assert first == ["4", "+0 ms", "± 30 ms", "yes"]
    assert rows["the answer, filler, then work, told 1.5 s more"][1] == "+40 ms"
    assert rows["of it the agent's, filler in a tool of 2 s"] == ["2", "+50 ms", "", ""]


def test_word_errors_that_were_not_made_are_shown() -> None:
    """A turn counts only where each kind of error has the number that was set."""
    found = conversations()
    words = (
        Made(WORDS[0], (understood(WORDS[0]), understood(WORDS[0], 1), replied(1.0))),
        *found.words[1:],
    )
    rows, held = printed(tell_words, replace(found, words=words))
    assert not held
    assert rows["no error"] == ["3", "1", "all", "NO"]
    assert rows["6 inserted"] == ["2", "2", "all", "yes"]
    assert rows["5 deleted"] == ["2", "2", "all", "yes"]


def test_usage_that_was_not_delivered_is_shown() -> None:
    """One token too many in one call breaks the bound of its kind alone."""
    found = conversations()
    more = replace(USED, llm_output=5)
    words = (replace(found.words[0], used=more), *found.words[1:])
    rows, held = printed(tell_usage, replace(found, words=words))
    assert not held
    assert rows["llm_output"] == ["10", "9", "all", "NO"]
    assert {rows[kind][-1] for kind in ("llm_input", "llm_cached", "stt_seconds")} == {"yes"}
