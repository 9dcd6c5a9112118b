"""A place that settings come from, as a layer that knows where its values were written."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

KeyPath = tuple[str | int, ...]
"""Names of sections and indexes of list items, outermost first."""

_SECTIONS_WITH_SECRETS = ("livekit", "web", "collector", "distributed")
"""Sections in which a key `..._file` stands for the key without it."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Stands where a value could not be had: every field refuses it, and the error says why."""

    why: str


class Layer(PydanticBaseSettingsSource):
    """What one place says; pydantic-settings merges it with the layers above it."""

    def __init__(
        self,
        values: dict[str, Any],
        names: Mapping[KeyPath, str],
        written: dict[str, Any] | None = None,
    ) -> None:
        """Keep the values.

        Args:
            values: Nested like the settings.
            names: Variables, flags or the file, each by the key that it sets.
            written: The values as a person wrote them, if that is otherwise.
        """
        super().__init__(BaseSettings)
        self._values = values
        self._names = names
        self._written = values if written is None else written

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return one value; the library asks for it, but `__call__` answers for all."""
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the values, less the secrets that a layer above gives in either form."""
        values = dict(self._values)
        for section in _SECTIONS_WITH_SECRETS:
            above, own = self.current_state.get(section), values.get(section)
            if isinstance(above, dict) and isinstance(own, dict):
                given = {key.removesuffix("_file") for key in above}
                values[section] = {
                    key: value
                    for key, value in own.items()
                    if key.removesuffix("_file") not in given
                }
        return values

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

    def where(self, path: KeyPath) -> str:
        """Return where to look for a key: `FILE: targets[2].interval`, a variable or a flag."""

        def shared(at: KeyPath) -> int:
            same = takewhile(lambda pair: pair[0] == pair[1], zip(at, path, strict=False))
            return len(list(same))

        at = max(self._names, key=shared, default=())
        name = self._names.get(at, "configuration")
        return name if at == path else f"{name}: {dotted(path)}"


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
