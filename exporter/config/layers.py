"""A place that settings come from, as a layer that knows where its values were written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

KeyPath = tuple[str | int, ...]
"""Names of sections and indexes of list items, outermost first."""

_SECTIONS_WITH_SECRETS = ("livekit", "web", "collector", "distributed")
"""Sections in which a key `..._file` stands for the key without it."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Stands where a value could not be had: every field refuses it, and the error says why."""

    why: str


class Layer:
    """What one place says."""

    def __init__(
        self,
        values: dict[str, Any],
        names: Mapping[KeyPath, str],
        written: dict[str, Any] | None = None,
        line: Callable[[KeyPath], int] | None = None,
    ) -> None:
        """Keep the values.

        Args:
            values: Nested like the settings.
            names: Variables, flags or the file, each by the key that it sets.
            written: The values as a person wrote them, if that is otherwise.
            line: Returns the line of a key, where it stands in a file.
        """
        self.values = values
        self.faults: list[tuple[KeyPath, int, str]] = []
        """What is wrong whatever the values are: the key, its line, and the words."""
        self._names = names
        self._written = values if written is None else written
        self._line = line

    def along(self, path: KeyPath) -> list[Any]:
        """Return what is written at each part of a path, as far as there is anything."""
        found: list[Any] = []
        at: Any = self._written
        for step in path:
            key: Any = step if isinstance(at, list) else str(step)
            try:
                at = at[key]
            except (KeyError, IndexError, TypeError):
                break
            found.append(at)
        return found

    def where(self, path: KeyPath, line: int = 0) -> str:
        """Return where to look for a key: `FILE:7 targets[2].interval`, a variable or a flag.

        Args:
            path: Of the key.
            line: Of the file; 0 where it has none.
        """

        def shared(at: KeyPath) -> int:
            same = takewhile(lambda pair: pair[0] == pair[1], zip(at, path, strict=False))
            return len(list(same))

        at = max(self._names, key=shared, default=())
        name = self._names.get(at, "configuration")
        if line:
            return f"{name}:{line} {dotted(path)}".rstrip()
        return name if at == path else f"{name}: {dotted(path)}"

    def line(self, path: KeyPath) -> int:
        """Return the line of a key, or of the nearest one above it; 0 where there are none."""
        return self._line(path) if self._line else 0


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return what all layers say together.

    Args:
        layers: The strongest first. A secret that one gives hides both forms of it below.
    """
    values: dict[str, Any] = {}
    for layer in layers:
        below = dict(layer.values)
        for section in _SECTIONS_WITH_SECRETS:
            above, own = values.get(section), below.get(section)
            if isinstance(above, dict) and isinstance(own, dict):
                given = {key.removesuffix("_file") for key in above}
                below[section] = {
                    key: value
                    for key, value in own.items()
                    if key.removesuffix("_file") not in given
                }
        values = _over(values, below)
    return values


def _over(above: Mapping[str, Any], below: dict[str, Any]) -> dict[str, Any]:
    """Return one mapping laid over another."""
    found = dict(below)
    for key, value in above.items():
        own = below.get(key)
        if isinstance(value, dict) and isinstance(own, dict):
            found[key] = _over(value, own)
        else:
            found[key] = value
    return found


def nested(section: dict[str, Any], flags: Mapping[str, object]) -> dict[str, Any]:
    """Put values by dotted key path into a section, which is returned."""
    for path, value in flags.items():
        *sections, name = path.split(".")
        inner = section
        for each in sections:
            inner = inner.setdefault(each, {})
        inner[name] = value
    return section


def dotted(path: KeyPath) -> str:
    """Write a path as people do: `targets[2].interval`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{_name(step)}" for step in path)
    return text.removeprefix(".")


def _name(key: str) -> str:
    """Return a key as it can stand in one line, whatever a file has for one."""
    return key if key.isprintable() and key else repr(key)
