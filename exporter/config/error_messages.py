"""Convert pydantic's errors to lines with the key, the problem and the expected value."""

import difflib
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from exporter.config.layers import KeyPath, Layer, Unusable
from exporter.config.schema import Schema, part, schema_of

_SHOWN = 200
"""Characters of a value that an error line repeats."""
_EXPECTED = {
    "bool": "true or false",
    "dict": "a mapping",
    "float": "a number",
    "int": "a whole number",
    "model": "a mapping",
    "path": "a file",
    "string": "text",
    "tuple": "a list",
}
"""By the first word of pydantic's name for an error about a type."""
_BOUNDS = {
    "greater_than_equal": ("ge", "small", "at least"),
    "greater_than": ("gt", "small", "more than"),
    "less_than_equal": ("le", "large", "at most"),
    "less_than": ("lt", "large", "less than"),
}
_PLAIN = {
    "missing": "is missing; expected a value",
    "string_too_short": "is empty; expected text",
    "int_from_float": "{} is a fraction; expected a whole number",
    "finite_number": "{} is not finite; expected a number",
}
_TIME_WORDS = {"small": "short", "large": "long"}


def explain(error: ValidationError, model: type[BaseModel], layers: Sequence[Layer]) -> str:
    """Return one line for each problem.

    Args:
        error: What building the model ended with.
        model: What the layers should have become.
        layers: Where its values came from, the strongest first.
    """
    schema = schema_of(model)
    errors = error.errors(include_url=False)
    # A default that follows from other keys has no problem of its own.
    problems = [found for found in errors if found["type"] != "default_factory_not_called"]
    return "\n".join(_line(found, schema, layers) for found in problems)


def _line(error: ErrorDetails, schema: Schema, layers: Sequence[Layer]) -> str:
    path: KeyPath = (*error["loc"], *error.get("ctx", {}).get("key", ()))
    # What is missing is nowhere: the section that should have it is somewhere.
    held = path[:-1] if error["type"] == "missing" else path
    layer = max(layers, key=lambda each: len(each.along(held)))
    if isinstance(error["input"], Unusable):
        return f"{layer.where(path)}: {error['input'].why}"
    if error["type"] == "extra_forbidden":
        names = list(part(schema, path[:-1]).get("properties", {}))
        near = did_you_mean(str(path[-1]), names) or f"; expected one of {', '.join(names)}"
        return f"{layer.where(path)}: unknown key{near}"
    along, about = layer.along(path), part(schema, path)
    if len(along) == len(path):
        value, shown = along[-1], "the value" if "writeOnly" in about else show(along[-1])
    else:  # what is written is at odds with it
        value, shown = None, f"{show(about.get('default'))} (the default)"
    return f"{layer.where(path)}: {_text(error, value, shown, about)}"


def _text(error: ErrorDetails, value: object, shown: str, about: Schema) -> str:
    """Say what is wrong with a value and what was expected.

    Args:
        error: What pydantic found.
        value: What a person wrote there.
        shown: The same as the line shows it.
        about: The schema of the key.
    """
    kind, context = error["type"], error.get("ctx", {})
    if kind == "invalid":
        return str(context["text"]).replace("{value}", shown)
    if kind in _BOUNDS:
        name, size, rule = _BOUNDS[kind]
        how, unit = (_TIME_WORDS[size], "s") if "x-unit" in about else (size, "")
        return f"{shown} is too {how}; expected {rule} {context[name]:g}{unit}"
    if kind == "literal_error":
        words = about["enum"]
        near = did_you_mean(str(value), words)
        return f"{shown} is not known; expected {' or '.join(words)}{near}"
    if kind in _PLAIN:
        return _PLAIN[kind].format(shown)
    expected = _EXPECTED.get(kind.partition("_")[0])
    return f"{_what(value, shown)}; expected {expected}" if expected else error["msg"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean NAME?` for the nearest known name, or "" when none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""


def show(value: object) -> str:
    """Return a value for an error line: short, text in quotes unless it begins as a number does."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, str) and value[:1].isdecimal() and value.isprintable():
        return value[:_SHOWN]
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]}...{text[-1]}"


def _what(value: object, shown: str) -> str:
    """Say what stands there: `'abc' is text`, `is a list`."""
    if value is None:
        return "is empty"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text"}
    if type(value) not in names:
        return f"is {show(value)}"
    return f"{shown} is {names[type(value)]}"
