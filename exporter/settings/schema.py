"""The JSON Schema of the configuration: for editors and for the documentation."""

from exporter.config.schema import Schema
from exporter.settings.settings import Settings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"}
"""What may stand for any value: it is replaced from the environment."""
_SCALARS = frozenset({"integer", "number", "boolean"})


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
