"""Kept calls as they are read back, and what is none."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from exporter.evidence import journal
from exporter.evidence.journal import AnyEvent, Entry, placed, read_entries, to_line
from exporter.evidence.reading import SEAL_NAME, Seal, folder_of, read_call, sound_of, to_seal
from exporter.outcome import ModelUsage, TurnReport
from exporter.outcome.timeline import Event, Message, Usage
from tests.unit.evidence.calls import outcome, write

TRICKS = ("", ".", "..", "../a", "a/../b", "/etc", "a\0", "a\n", "-a", "a" * 65, "%2e%2e", "a\\b")


@pytest.mark.parametrize("run_id", TRICKS)
def test_what_is_no_id_of_a_run_leads_nowhere(run_id: str, tmp_path: Path) -> None:
    """Even where such a file is there."""
    write(tmp_path / "inside" / "a")
    (tmp_path / SEAL_NAME).write_bytes(to_seal(Seal(outcome("a"))))
    assert folder_of(tmp_path / "inside", run_id) is None
    assert read_call(tmp_path / "inside", run_id) is None
    assert sound_of(tmp_path / "inside", run_id) is None


def test_a_call_that_was_never_sealed_is_none(tmp_path: Path) -> None:
    """It is under way, or its exporter was killed."""
    write(tmp_path / "a")
    assert read_call(tmp_path, "a") is None
    assert sound_of(tmp_path, "a") is None


def test_a_call_without_sound_has_its_levels(tmp_path: Path) -> None:
    """`audio: false` keeps the picture."""
    write(tmp_path / "a", audio=False)
    (tmp_path / "a" / SEAL_NAME).write_bytes(to_seal(Seal(outcome("a"))))
    call = read_call(tmp_path, "a")
    assert call is not None
    assert call.sound == ""
    assert call.length_s == pytest.approx(1.0)
    assert sound_of(tmp_path, "a") is None


def test_every_kind_of_event_is_read_back(tmp_path: Path) -> None:
    """A new kind needs nothing; nested types come back as what they were."""
    events = (
        Message(at=2.0, by_agent=True, figures=TurnReport(llm_ttft_s=0.5), interrupted=True),
        Usage(at=3.0, sender="agent", models=(ModelUsage("openai/gpt", llm_input=3),)),
    )
    write(tmp_path / "a", *(Entry(event=each) for each in events))
    found = [each.event for each in read_entries(tmp_path / "a") if each.event]
    assert tuple(found) == events
    kinds = {each.__name__ for each in Event.__subclasses__()}
    assert {each.__name__ for each in journal._KINDS.values()} == kinds


def test_the_kind_of_an_event_stands_in_its_json() -> None:
    """Others can read it as well."""
    event = Usage(at=3.0, models=())
    assert '"kind":"usage"' in to_line(Entry(event=placed(event, 1.0, text=False)))
    known = TypeAdapter(AnyEvent)
    assert known.validate_json(known.dump_json(event)) == event
