"""Kept calls as they are read back."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from exporter.evidence.journal import FILE_NAME, Entry, read_entries
from exporter.evidence.kept import Envelope, KeptCall
from exporter.evidence.sound import SOUND_NAME
from exporter.outcome import CallResult, Outcome

STEP_S = 0.02
"""Length of sound that one level of the journal stands for."""
SEAL_NAME = "outcome.json"
"""Written last: a call without it was never kept."""
_RUN_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seal:
    """What the exporter adds once the verdict is known."""

    outcome: Outcome
    target_s: float | None = None


_SEAL = TypeAdapter(Seal)
_CALL = TypeAdapter(CallResult)


def folder_of(folder: Path, run_id: str) -> Path | None:
    """Return where a call is kept, in the folder of all; None for what is no id of a run."""
    return folder / run_id if _RUN_ID.fullmatch(run_id) else None


def to_seal(seal: Seal) -> bytes:
    """Return it as JSON."""
    return _SEAL.dump_json(seal)


def read_call(folder: Path, run_id: str) -> KeptCall | None:
    """Return a kept call; None where there is none of that id, or it cannot be read.

    Args:
        folder: Of all kept calls.
        run_id: Of the run; whatever somebody has typed.
    """
    place = folder_of(folder, run_id)
    if place is None:
        return None
    try:
        seal = _SEAL.validate_json((place / SEAL_NAME).read_bytes())
        result = seal.outcome.result
        found = None if result is None else _CALL.validate_python(result)
        entries = list(read_entries(place)) if (place / FILE_NAME).exists() else []
    except (OSError, ValidationError):
        return None
    has_sound = (place / SOUND_NAME).exists()
    return _call(replace(seal.outcome, result=found), seal.target_s, entries, has_sound=has_sound)


def sound_of(folder: Path, run_id: str) -> Path | None:
    """Return the file with the sound of a kept call; None where there is none."""
    place = folder_of(folder, run_id)
    if place is None or not (place / SEAL_NAME).is_file():
        return None
    file = place / SOUND_NAME
    return file if file.is_file() else None


def steps_of(folder: Path) -> int:
    """Return how many steps of sound the journal of a call has.

    Raises:
        OSError: It cannot be read.
    """
    return sum(len(each.levels.caller) for each in read_entries(folder) if each.levels)


def _call(
    outcome: Outcome, target_s: float | None, entries: list[Entry], *, has_sound: bool
) -> KeptCall:
    levels = _known(each.levels for each in entries)
    caller = tuple(level for each in levels for level in each.caller)
    agent = tuple(level for each in levels for level in each.agent)
    # A run that was killed could not hand over its log.
    log = outcome.log or tuple(_known(each.log for each in entries))
    return KeptCall(
        outcome=replace(outcome, log=log),
        length_s=len(caller) * STEP_S,
        envelope=Envelope(STEP_S, caller, agent),
        events=tuple(_known(each.event for each in entries)),
        marks=tuple(_known(each.mark for each in entries)),
        target_s=target_s,
        sound=SOUND_NAME if has_sound else "",
    )


def _known(values: Iterable[T | None]) -> list[T]:
    return [each for each in values if each is not None]
