"""The keys of a configuration model as a flat list: for names, for wording errors, for the docs."""

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo

from exporter.duration import parse_duration

KeyPath = tuple[str | int, ...]
"""Names of sections and indexes of list items, outermost first."""

ITEM = "*"
"""Stands in a key's own path for any index of a list."""


class Kind(StrEnum):
    """What a value of a key is, in the words of an error and of the documentation."""

    SECTION = "a mapping"
    MAP = "a mapping of text to text"
    LIST = "a list"
    TEXT = "text"
    SECRET = "secret text"  # noqa: S105 - a kind of value, not one
    FILE = "a file"
    WHOLE = "a whole number"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    DURATION = "a duration such as 30s or 5m"
    CHOICE = "one of several words"


@dataclass(frozen=True, slots=True)
class Key:
    """One setting, section or list of a model."""

    path: tuple[str, ...]
    kind: Kind
    field: FieldInfo
    item: Kind | None = None
    """What a list holds."""
    choices: tuple[str, ...] = ()
    """The words of a choice."""

    @property
    def expected(self) -> str:
        """What to write there, in words."""
        return " or ".join(self.choices) if self.choices else str(self.kind)


def keys_of(model: type[BaseModel]) -> Mapping[tuple[str, ...], Key]:
    """Return every key of a model and of the models inside it, by its path, in their order."""
    return {key.path: key for key in _walk(model, ())}


def general(path: KeyPath) -> tuple[str, ...]:
    """Return the path with every index replaced by the sign for any."""
    return tuple(ITEM if isinstance(part, int) else part for part in path)


def dotted(path: KeyPath) -> str:
    """Write a path as people do: `targets[2].interval`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _walk(model: type[BaseModel], prefix: tuple[str, ...]) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        path = (*prefix, name)
        bare, metadata = _bare(field.annotation, field.metadata)
        if get_origin(bare) in (tuple, list):
            inner, inner_metadata = _bare(get_args(bare)[0], [])
            yield Key(path, Kind.LIST, field, item=_kind(inner, inner_metadata))
            if _is_model(inner):
                yield from _walk(inner, (*path, ITEM))
            continue
        choices = tuple(map(str, get_args(bare))) if get_origin(bare) is Literal else ()
        yield Key(path, _kind(bare, metadata), field, choices=choices)
        if _is_model(bare):
            yield from _walk(bare, path)


def _bare(annotation: Any, metadata: list[Any]) -> tuple[Any, list[Any]]:
    """Take Optional and Annotated off a type; return it with what they said about it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        return _bare(inner, [*metadata, *more])
    if origin in (Union, types.UnionType):
        inner = next(part for part in get_args(annotation) if part is not types.NoneType)
        return _bare(inner, metadata)
    return annotation, metadata


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _kind(annotation: Any, metadata: list[Any]) -> Kind:
    if any(isinstance(x, BeforeValidator) and x.func is parse_duration for x in metadata):
        return Kind.DURATION
    if get_origin(annotation) is Literal:
        return Kind.CHOICE
    if get_origin(annotation) is dict:
        return Kind.MAP
    if _is_model(annotation):
        return Kind.SECTION
    return _PLAIN[annotation]


_PLAIN: typing.Final[dict[Any, Kind]] = {
    str: Kind.TEXT,
    SecretStr: Kind.SECRET,
    Path: Kind.FILE,
    int: Kind.WHOLE,
    float: Kind.NUMBER,
    bool: Kind.BOOLEAN,
}
"""A type that is not here fails in every test that touches the configuration: add it then."""
