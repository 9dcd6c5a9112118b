"""The places that settings come from, each as a layer that knows where its values were written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, PydanticBaseSettingsSource

from exporter.config.schema import Schema, part
from exporter.config.settings import LiveKitSettings, Settings
from exporter.config.strict_yaml import read_yaml
from exporter.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""Names of sections and indexes of list items, outermost first."""

PREFIX = "VOICE_EXPORTER_"
FLAGS: Mapping[str, str] = {
    "livekit.url": "--url",
    "livekit.api_key": "--api-key",
    "livekit.api_secret": "--api-secret",
    "collector.url": "--collector",
    "utterance.wav": "--wav",
    "web.config_file": "--web.config.file",
    "utterance.transcript": "--transcript",
    "tiers": "--ramp",
    "distributed.address": "--coordinator-address",
    "distributed.port": "--coordinator-port",
    "distributed.token": "--token",
    "distributed.tls_certificate": "--tls-certificate",
    "distributed.tls_key": "--tls-key",
    "distributed.ca_file": "--ca-file",
}
"""Flags that are not simply the key's path."""

NAMES: Mapping[KeyPath, str] = {
    **{("livekit", key): f"LIVEKIT_{key.upper()}" for key in LiveKitSettings.model_fields},
    ("collector", "url"): f"{PREFIX}COLLECTOR_URL",
    ("collector", "token"): f"{PREFIX}TOKEN",
    ("collector", "token_file"): f"{PREFIX}TOKEN_FILE",
}
"""Variables that are not simply the key's path: LiveKit's, and those that workers use as well."""

_SECTIONS_WITH_SECRETS = ("livekit", "web", "collector", "distributed")
"""Sections in which a key `..._file` stands for the key without it."""

_REFERENCE = re.compile(r"\$(\$?)\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# No settings: which livekit-server the demo runs; and what Kubernetes puts into the environment of
# every pod beside a service called voice-exporter.
_OTHERS = re.compile(
    r"LIVEKIT_SERVER|SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?"
)


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
        super().__init__(Settings)
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


def flags_layer(flags: Mapping[str, object]) -> Layer:
    """Return what flags say, by dotted key path."""
    names = {path: FLAGS.get(path, "--" + path.replace("_", "-")) for path in flags}
    return Layer(nested({}, flags), {tuple(path.split(".")): name for path, name in names.items()})


def nested(section: dict[str, Any], flags: Mapping[str, object]) -> dict[str, Any]:
    """Put values by dotted key path into a section, which is returned."""
    for path, value in flags.items():
        *sections, name = path.split(".")
        inner = section
        for each in sections:
            inner = inner.setdefault(each, {})
        inner[name] = value
    return section


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """Return what variables say; an empty one counts as unset, and ours hide LiveKit's."""
    names: dict[KeyPath, str] = {path: name for path, name in NAMES.items() if environ.get(name)}
    for name, text in environ.items():
        key = name.removeprefix(PREFIX)
        if name in NAMES.values():
            continue
        if text and name.startswith(PREFIX) and not _OTHERS.fullmatch(key):
            parts = key.lower().split("__")
            names[tuple(int(part) if part.isdecimal() else part for part in parts)] = name
    texts = {"__".join(map(str, path)): environ[name] for path, name in names.items()}
    values = _Variables({(PREFIX + key).lower(): text for key, text in texts.items()})()
    layer = Layer(values, names)
    for key, (path, name) in zip(texts, list(names.items()), strict=True):
        found = layer.along(path)
        if len(found) == len(path) and not any(isinstance(each, list) for each in found[:-1]):
            continue
        # No field took it, or it is in a list that is given whole: let it be an unknown key.
        whole = next((names[at] for at in names if at == path[: len(at)] != path), "")
        why = f"conflicts with the value of {whole}; expected one of them"
        values[key], names[key,] = Unusable(why) if whole else texts[key], name
    return layer


class _Variables(EnvSettingsSource):
    """The library's reader of variables, for lists by index, and with YAML in place of JSON."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = variables

    def next_field(
        self, field: FieldInfo | Any | None, key: str, case_sensitive: bool | None = None
    ) -> FieldInfo | None:
        """Return the field or the type under a key, which may be the index of an item."""
        annotation = field.annotation if isinstance(field, FieldInfo) else field
        if get_origin(annotation) is tuple and key.isdecimal():
            item: FieldInfo | None = get_args(annotation)[0]  # a bare type does as well
            return item
        return super().next_field(field, key, case_sensitive)

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Return the list or mapping that a variable holds; a list may also have commas only."""
        try:
            meant = read_yaml(value)
        except ValueError as error:
            return Unusable(str(error).splitlines()[0])
        is_list = get_origin(getattr(field, "annotation", None)) is tuple
        if is_list and not isinstance(meant, dict | list):
            return [item.strip() for item in str(value).split(",")]
        return meant


def file_layer(file: Path, environ: Mapping[str, str]) -> Layer:
    """Return what a YAML file says.

    References `${NAME}` are replaced from the environment; `$${` is a literal `${`. Paths of
    files are relative to the YAML file. A key without a value counts as not written.

    Raises:
        ConfigError: The file cannot be read, or holds no settings at all.
    """
    try:
        written = read_yaml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: is not UTF-8 text") from None
    except ValueError as error:
        raise ConfigError(
            "\n".join(f"{file}: {line}" for line in str(error).splitlines())
        ) from None
    if not isinstance(written, dict | None):
        raise ConfigError(f"{file}: is not a mapping of settings; expected `key: value`")
    schema = Settings.model_json_schema()
    values = _meant(written or {}, (), schema, file.parent, environ)
    return Layer(values, {(): str(file)}, written or {})


def _meant(
    value: Any, path: KeyPath, schema: Schema, base: Path, environ: Mapping[str, str]
) -> Any:
    """Return what is meant by a value of the file and by all within it."""
    if isinstance(value, dict):
        given = ((key, inner) for key, inner in value.items() if inner is not None)
        return {key: _meant(each, (*path, key), schema, base, environ) for key, each in given}
    if isinstance(value, list):
        items = [_meant(each, (*path, at), schema, base, environ) for at, each in enumerate(value)]
        is_list = part(schema, path).get("type") == "array"
        return {str(at): item for at, item in enumerate(items)} if is_list else items
    if not isinstance(value, str):
        return value
    text = _expanded(value, environ)
    is_path = part(schema, path).get("format") in ("file-path", "directory-path")
    return str(base / text) if is_path and isinstance(text, str) else text


def _expanded(text: str, environ: Mapping[str, str]) -> str | Unusable:
    for escaped, name in _REFERENCE.findall(text):
        if not escaped and not _NAME.fullmatch(name):
            why = f"${{{name}}} is not a valid reference; expected ${{NAME}}, or $${{ for a literal"
            return Unusable(why)
        if not escaped and name not in environ:
            return Unusable(f"${{{name}}} is not set; expected an environment variable {name}")
    return _REFERENCE.sub(lambda found: found[0][1:] if found[1] else environ[found[2]], text)


def dotted(path: KeyPath) -> str:
    """Write a path as people do: `targets[2].interval`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{_name(step)}" for step in path)
    return text.removeprefix(".")


def _name(key: str) -> str:
    """Return a key as it can stand in one line, whatever a file has for one."""
    return key if key.isprintable() and key else repr(key)
