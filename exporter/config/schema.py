"""Finding one's way in a JSON Schema."""

from typing import Any

Schema = dict[str, Any]


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
