"""docs/configuration.md: every key with its type, default, variable and meaning."""

from collections.abc import Iterator

from exporter.config.layers import KeyPath, dotted
from exporter.config.schema import Schema, part, schema_of, value_text
from exporter.docs import GENERATED
from exporter.settings.settings import Settings
from exporter.settings.sources import NAMES, PREFIX

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "object": "a mapping of text to text",
}
_PATHS = {"file-path": "a file", "directory-path": "a folder"}
_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
_ANY = 0
"""Stands in a path for the index of any item."""

_INTRODUCTION = """\
Settings come from four places; the first that has one wins:

1. flags of the command;
2. environment variables;
3. the YAML file given by `--config FILE`;
4. the defaults below.

Every key has an environment variable: `VOICE_EXPORTER_`, then its path in capitals, with two
underscores between the levels and the index of a list item as a number.
`VOICE_EXPORTER_TARGETS__0__TRIALS=5` sets `targets[0].trials`.
Lists and mappings are written there as YAML, lists of single values also with commas.
An empty variable counts as unset, and so does a key of the file with nothing after it.

The credentials are also read from `LIVEKIT_URL`, `LIVEKIT_API_KEY` and `LIVEKIT_API_SECRET`,
or from the file that `LIVEKIT_URL_FILE`, `LIVEKIT_API_KEY_FILE` or `LIVEKIT_API_SECRET_FILE` names.
`VOICE_EXPORTER_LIVEKIT__...` comes before these.
A credential may not be given both ways in one place.

In the YAML file `${NAME}` stands for an environment variable; one that is not set is an error.
`$${` is a literal `${`.
Paths of files are relative to the YAML file.
A duration is written `250ms`, `30s`, `5m`, `1h30m`, or as a number of seconds.

Unknown keys, keys that stand twice, wrong types, impossible values and values that contradict each
other are errors; all are reported at once, each on one line with its place:

    voice-exporter.yaml:14 targets[2].interval: 5s is too short; expected at least 10s

`voice-exporter config check FILE` finds them, and those of `web.config_file`; `voice-exporter
config schema` prints a JSON Schema for editors.
"""


def configuration_page() -> str:
    """Return docs/configuration.md."""
    schema = schema_of(Settings)
    lines = ["# Configuration", "", GENERATED, "", *_INTRODUCTION.splitlines()]
    lines += ["", "## Top level", "", *_table(schema, ())]
    for path in _sections(schema, ()):
        lines += ["", f"## `{dotted(path).replace('[0]', '[]')}`", ""]
        about = part(schema, path[:-1] if path[-1] == _ANY else path)
        lines += [about["description"], "", *_table(schema, path)]
    return "\n".join(lines).rstrip() + "\n"


def _sections(schema: Schema, path: KeyPath) -> Iterator[KeyPath]:
    """Yield the path of every section below a path, in order."""
    for name in part(schema, path)["properties"]:
        for below in ((*path, name), (*path, name, _ANY)):
            if "properties" in part(schema, below):
                yield below
                yield from _sections(schema, below)


def _table(schema: Schema, path: KeyPath) -> Iterator[str]:
    """Yield the keys of one section, but not the sections in it."""
    section = part(schema, path)
    inside = {below[len(path)] for below in _sections(schema, path)}
    rows = [name for name in section["properties"] if name not in inside]
    if rows:
        yield "| key | type | default | environment | meaning |"
        yield "|---|---|---|---|---|"
    for name in rows:
        about = part(schema, (*path, name))
        default = "required" if name in section.get("required", ()) else _default(about)
        cells = f"`{name}`", _type(schema, (*path, name)), default, _variables((*path, name))
        yield f"| {' | '.join(cells)} | {about['description'].replace('|', '/')} |"


def _type(schema: Schema, path: KeyPath) -> str:
    """Describe the values of a key and their bounds."""
    about = part(schema, path)
    if about.get("type") == "array":
        return f"list of {_word(part(schema, (*path, _ANY)))}s"
    has_other = "x-each-way" in about or ("x-words" in about and "anyOf" in about)
    one = about["anyOf"][0] if has_other else about
    numbers = one["anyOf"][0] if "x-unit" in about else one
    bounds = (
        f"{words} {value_text(one, numbers[key])}"
        for key, words in _BOUNDS.items()
        if key in numbers
    )
    return ", ".join([_word(about), *bounds])


def _word(about: Schema) -> str:
    if "enum" in about:
        return " or ".join(f"`{word}`" for word in about["enum"])
    if "x-each-way" in about:
        return f"{_word(about['anyOf'][0])}, or `up` and `down` with one each"
    if "x-unit" in about:
        return "duration"
    if "writeOnly" in about:
        return "secret"
    words = "".join(f"`{word}` or " for word in about.get("x-words", ()))
    kind = about.get("type") or about["anyOf"][0]["type"]  # beside a number, words are no text
    return words + _PATHS.get(about.get("format", ""), _TYPES[kind])


def _default(about: Schema) -> str:
    value = about.get("default")
    return "" if value in (None, "", [], {}) else f"`{value_text(about, value)}`"


def _variables(path: KeyPath) -> str:
    parts = ("<N>" if isinstance(step, int) else step.upper() for step in path)
    names = [PREFIX + "__".join(parts)]
    if path in NAMES:
        names.insert(0, NAMES[path])
    return ", ".join(f"`{name}`" for name in names)
