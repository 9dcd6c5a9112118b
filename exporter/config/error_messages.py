"""Convert pydantic's errors to lines with the key, the problem and the expected value."""

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from exporter.config.layers import KeyPath, Layer, Unusable
from exporter.config.schema import Schema, part, schema_of, value_text

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


@dataclass(frozen=True, slots=True, order=True)
class _Problem:
    layer: int
    line: int
    text: str = field(compare=False)


def explain(errors: Iterable[ErrorDetails], model: type[BaseModel], layers: Sequence[Layer]) -> str:
    """Return one line for each problem: by layers, and in the order of a file.

    Args:
        errors: What is wrong with the values.
        model: What the layers should have become.
        layers: Where its values came from, the strongest first.
    """
    schema = schema_of(model)
    problems = [_problem(each, schema, layers) for each in errors]
    problems += (
        _Problem(at, line, f"{layer.where(path, line)}: {text}")
        for at, layer in enumerate(layers)
        for path, line, text in layer.faults
    )
    return "\n".join(each.text for each in sorted(problems))


def _problem(error: ErrorDetails, schema: Schema, layers: Sequence[Layer]) -> _Problem:
    context = error.get("ctx", {})
    path: KeyPath = (*error["loc"], *context.get("key", ()))
    # What is missing is nowhere: the section that should have it is somewhere.
    held = path[:-1] if error["type"] == "missing" else path
    at = max(range(len(layers)), key=lambda each: len(layers[each].along(held)))
    if len(layers[at].along(held)) < len(held) and context.get("near"):
        # What is written is at odds with a default.
        held = (*error["loc"], context["near"])
        at = max(range(len(layers)), key=lambda each: len(layers[each].along(held)))
    layer = layers[at]
    line = layer.line(held)
    return _Problem(at, line, f"{layer.where(path, line)}: {_words(error, path, layer, schema)}")


def _words(error: ErrorDetails, path: KeyPath, layer: Layer, schema: Schema) -> str:
    if isinstance(error["input"], Unusable):
        return error["input"].why
    if error["type"] == "extra_forbidden":
        names = list(part(schema, path[:-1]).get("properties", {}))
        near = did_you_mean(str(path[-1]), names) or f"; expected one of {', '.join(names)}"
        return f"unknown key{near}"
    along, about = layer.along(path), part(schema, path)
    if len(along) == len(path):
        value, shown = along[-1], "the value" if "writeOnly" in about else show(along[-1])
    else:
        value = None
        shown = f"{value_text(about, about.get('default', 'not set'))} (the default)"
    return _text(error, value, shown, about)


def _text(error: ErrorDetails, value: object, shown: str, about: Schema) -> str:
    """Say what is wrong with a value and what was expected.

    Args:
        error: What pydantic found.
        value: What a person wrote there.
        shown: The same as the line shows it.
        about: The schema of the key.
    """
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("invalid", "rule"):
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
    if expected is None:
        return error["msg"]
    words = " or ".join((*about.get("x-words", ()), expected))
    return f"{_what(value, shown)}; expected {words}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean NAME?` for the nearest known name, or "" when none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""


def show(value: object) -> str:
    """Return a value for an error line: short, text in quotes unless it reads as a number."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        is_plain = value[:1].isdecimal() and value.isprintable() and " " not in value
        text = value if is_plain else json.dumps(value, ensure_ascii=not value.isprintable())
    else:
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
