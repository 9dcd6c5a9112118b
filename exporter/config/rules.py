"""Rules between the keys of a section, and how every fault of a document is found at once.

A section with one faulty key cannot be made, so nothing could look at its other keys. A document
with faults is therefore read again as far as it is known: `Unknown` stands for each faulty value,
passes all checks of its own key, and ends each rule that makes use of it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from exporter.config.layers import KeyPath
from exporter.config.schema import Schema, part, schema_of

Faults = Iterable[PydanticCustomError]
_Rule = TypeVar("_Rule", bound=Callable[[Any], Faults])
_MARK = "is_rule"
_partial: ContextVar[bool] = ContextVar("partial", default=False)
"""Whether a document is read only as far as it is known."""
_GONE = object()


class _CannotTellError(Exception):
    """A rule needs a value that is not known."""


class Unknown:
    """Stands for a faulty value: whatever is done with it ends the rule that does it."""

    def _refuse(self, *_: object) -> NoReturn:
        raise _CannotTellError

    __bool__ = __len__ = __iter__ = __hash__ = __getattr__ = __getitem__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = _refuse


def rule(check: _Rule) -> _Rule:
    """Mark a method of a section that yields what is wrong between its keys (`invalid`)."""
    vars(check)[_MARK] = True
    return check


@cache
def _rules(model: type[BaseModel]) -> tuple[Callable[[Any], Faults], ...]:
    named = {name: each for base in reversed(model.__mro__) for name, each in vars(base).items()}
    return tuple(each for each in named.values() if getattr(each, "__dict__", {}).get(_MARK))


def _broken(section: BaseModel) -> Iterator[PydanticCustomError]:
    for check in _rules(type(section)):
        with suppress(_CannotTellError):
            yield from check(section)


def hold(section: BaseModel) -> None:
    """Refuse a section that breaks rules of its own.

    Raises:
        ValidationError: It has an error for each broken rule.
    """
    refuse(_broken(section), kind="rule")


def refuse(faults: Faults, kind: str = "invalid") -> None:
    """Let a validator refuse its value for several faults at once.

    Args:
        faults: As `invalid` returns them; without any the value is good.
        kind: Type of each.

    Raises:
        ValidationError: It has an error for each fault.
    """
    errors = (PydanticCustomError(kind, "{text}", each.context) for each in faults)
    if lines := [InitErrorDetails(type=each, loc=(), input=None) for each in errors]:
        raise ValidationError.from_exception_data("value", lines, hide_input=True)


def is_known(*values: object) -> bool:
    """Whether none of these values is `Unknown`."""
    return not any(isinstance(each, Unknown) for each in values)


def is_partial() -> bool:
    """Whether a document is read only as far as it is known."""
    return _partial.get()


def as_far_as_known(model: type[BaseModel], given: object) -> object:
    """Return what was given for a section without unknown keys, and `Unknown` for what is missing.

    A default that follows from other keys is not known either where one of these is not.
    """
    if not isinstance(given, dict):
        return given
    known = {key: value for key, value in given.items() if key in model.model_fields}
    for name, field in model.model_fields.items():
        follows = field.default_factory_takes_validated_data and _holds_unknown(known)
        if name not in known and (field.is_required() or follows):
            known[name] = Unknown()
    return known


def _holds_unknown(value: object) -> bool:
    if isinstance(value, dict | list | tuple):
        return any(map(_holds_unknown, value.values() if isinstance(value, dict) else value))
    return not is_known(value)


def every_fault(
    first: ValidationError, model: type[BaseModel], values: object
) -> list[ErrorDetails]:
    """Return all faults of a document: of its values, then those between keys.

    Args:
        first: What making the model has ended with.
        model: What the values should become.
        values: All that was given.
    """
    found: dict[str, ErrorDetails] = {}
    forgotten: set[KeyPath] = set()
    schema, error = schema_of(model), first
    made: object = None
    with _reading_partially():
        while made is None:
            for each in error.errors(include_url=False):
                if each["type"] not in ("rule", "default_factory_not_called"):
                    found.setdefault(f"{key_of(each)} {each['msg']}", each)
                    values = _forget(values, key_of(each), schema, forgotten)
            try:
                made = model.model_validate(values)
            except ValidationError as more:
                error = more
    return [*found.values(), *_between(made, ())]


@contextmanager
def _reading_partially() -> Iterator[None]:
    token = _partial.set(True)
    try:
        yield
    finally:
        _partial.reset(token)


def key_of(error: ErrorDetails) -> KeyPath:
    """Return the path of the key that an error is about."""
    return (*error["loc"], *error.get("ctx", {}).get("key", ()))


def _between(value: object, path: KeyPath) -> Iterator[ErrorDetails]:
    """Yield what is broken between keys, in a section and in all below it."""
    if isinstance(value, BaseModel):
        for each in _broken(value):
            yield ErrorDetails(
                type="rule", loc=path, msg=each.message(), input=None, ctx=dict(each.context or {})
            )
        for name in type(value).model_fields:
            yield from _between(vars(value).get(name), (*path, name))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _between(item, (*path, index))


def _forget(values: object, path: KeyPath, schema: Schema, forgotten: set[KeyPath]) -> object:
    """Return the values with `Unknown` for a faulty one, or for the least that is around it."""
    while path:
        parent, own = part(schema, path[:-1]), part(schema, path)
        of_section = "properties" in parent or "properties" in own
        is_item = parent.get("type") == "object"  # of a mapping with keys of any name
        if (of_section or is_item) and path not in forgotten:
            forgotten.add(path)
            return _put(values, path, Unknown() if of_section else _GONE)
        path = path[:-1]
    return Unknown()


def _put(value: object, path: KeyPath, new: object) -> object:
    """Return a copy of a value with another one at a path, if the path leads somewhere."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        key = step if step in value else str(step)
        if key not in value:
            return value
        inner = _put(value[key], rest, new)
        kept = value | {key: inner}
        return {name: each for name, each in kept.items() if each is not _GONE}
    if isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
        return [_put(each, rest, new) if at == step else each for at, each in enumerate(value)]
    return value
