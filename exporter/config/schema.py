"""The JSON Schema of the configuration: for editors, for error lines and for the documentation."""

from typing import Any

from exporter.config.settings import Settings

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"}
"""What may stand for any value: it is replaced from the environment."""
_SCALARS = frozenset({"integer", "number", "boolean"})


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


def json_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of the YAML file."""
    schema = Settings.model_json_schema()
    for section in (schema, *schema.get("$defs", {}).values()):
        for name, value in section.get("properties", {}).items():
            section["properties"][name] = _lenient(value)
    return {"$schema": _DIALECT, **schema, "title": "voice-exporter configuration"}


def _lenient(value: Schema) -> Schema:
    """Allow `${NAME}` where a number, a word of a list or a boolean is expected."""
    about = ("description", "default", "title")
    kept: Schema = {key: value[key] for key in about if key in value}
    rule = {key: inner for key, inner in value.items() if key not in kept}
    if "anyOf" in rule:
        return {**kept, "anyOf": [*rule.pop("anyOf"), _REFERENCE], **rule}
    if rule.get("type") in _SCALARS or "enum" in rule:
        return {**kept, "anyOf": [rule, _REFERENCE]}
    return value
