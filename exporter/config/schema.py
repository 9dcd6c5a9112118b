"""Finding one's way in a JSON Schema, and writing the values that are in it."""

from functools import cache
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


@cache
def schema_of(model: type[BaseModel]) -> Schema:
    """Return the JSON Schema of a model, which is not to be changed: it is made once, and shared.

    It takes a tenth of a second, and `--help` asks for it once for each of its options.
    """
    return model.model_json_schema()


def part(schema: Schema, path: tuple[str | int, ...]) -> Schema:
    """Return what a schema says of the key at a path, {} where there can be none.

    Of the alternatives of an optional key it is the one that is not null.
    """
    at = schema
    for each in path:
        below = at.get("items") if isinstance(each, int) else at.get("properties", {}).get(each)
        at = _resolved(schema, below or {})
    return at


def _resolved(schema: Schema, at: Schema) -> Schema:
    about = {key: at[key] for key in ("default", "description") if key in at}
    if "$ref" in at:
        found: Schema = schema["$defs"][at["$ref"].rpartition("/")[2]]
        return found | about
    if {"type": "null"} in at.get("anyOf", ()):
        return _resolved(schema, at["anyOf"][0]) | about
    return at


def value_text(about: Schema, value: object) -> str:
    """Write a value as the configuration would have it.

    Args:
        about: What the schema says of its key.
        value: A single one, such as its default or a bound.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _duration_text(value) if "x-unit" in about else f"{value:g}"
    return str(value)


def _duration_text(seconds: float) -> str:
    """Write a duration in its largest whole unit: `5m`, `90s`, `500ms`."""
    if seconds == 0:
        return "0s"
    for unit, size in _UNITS:
        if seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds * 1000:g}ms"
