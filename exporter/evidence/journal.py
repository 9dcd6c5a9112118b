"""What happens in a call, as lines of JSON that are appended while it lasts.

A run that is killed leaves the lines it had written, and at most one that is damaged.
All times are seconds since the first sample of the sound.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    Discriminator,
    SerializerFunctionWrapHandler,
    Tag,
    TypeAdapter,
    ValidationError,
    WrapSerializer,
)

from exporter.evidence.kept import TurnMark
from exporter.outcome import timeline
from exporter.outcome.timeline import Event

FILE_NAME = "call.jsonl"


def _tag(kind: type[Event]) -> str:
    """Return the name of a kind of event in JSON: caller_spoke."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


_KINDS: Mapping[str, type[Event]] = {
    _tag(each): each
    for each in vars(timeline).values()
    if isinstance(each, type) and issubclass(each, Event) and each is not Event
}


def _kind_of(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("kind", ""))
    return _tag(type(value)) if isinstance(value, Event) else ""


def _tagged(event: Event, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
    return {"kind": _tag(type(event)), **dump(event)}


if TYPE_CHECKING:
    AnyEvent = Event
else:
    _UNION = reduce(or_, (Annotated[kind, Tag(tag)] for tag, kind in _KINDS.items()))
    AnyEvent = Annotated[_UNION, Discriminator(_kind_of), WrapSerializer(_tagged)]
"""An event of any kind; in JSON its `kind` says of which."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The largest amplitudes of some steps of sound, 0 to 1."""

    caller: tuple[float, ...]
    agent: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: one of these."""

    event: AnyEvent | None = None
    mark: TurnMark | None = None
    levels: Levels | None = None
    log: str | None = None


_ENTRY = TypeAdapter(Entry)


def to_line(entry: Entry) -> str:
    """Return an entry as one line of JSON, with its end."""
    return _ENTRY.dump_json(entry, exclude_defaults=True).decode() + "\n"


def read_entries(folder: Path) -> Iterator[Entry]:
    """Yield what stands in the journal of a call; lines that are damaged are left out.

    Raises:
        OSError: It cannot be read.
    """
    with (folder / FILE_NAME).open("rb") as lines:
        for line in lines:
            try:
                yield _ENTRY.validate_json(line)
            except ValidationError:
                continue


def placed(event: Event, began: float, *, text: bool) -> Event:
    """Return an event as it is kept: its times on the axis of the sound, and without words.

    Args:
        event: With times on the monotonic clock.
        began: The first sample of the sound on that clock.
        text: Keep what was said. Else what has no `repr`, which is how an event says that somebody
            said or typed it, is "".
    """
    changed: dict[str, Any] = {"at": event.at - began}
    if isinstance(until := getattr(event, "until", None), float):
        changed["until"] = until - began
    return replace(event if text else without_words(event), **changed)


def without_words(event: Event) -> Event:
    """Return an event with everything "" that somebody said or typed."""
    words: dict[str, Any] = {each.name: "" for each in fields(event) if not each.repr}
    return replace(event, **words) if words else event


def silenced(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the same of many."""
    return tuple(map(without_words, events))
