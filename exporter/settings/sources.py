"""The places that settings come from: flags, the environment and a YAML file."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from exporter.config.checked import document_layer, read_document
from exporter.config.layers import KeyPath, Layer, Unusable, nested
from exporter.config.schema import Schema, part, schema_of
from exporter.config.strict_yaml import NotYamlError, read_yaml
from exporter.settings.livekit import LiveKitSettings
from exporter.settings.settings import Settings

PREFIX = "VOICE_EXPORTER_"
FLAGS: Mapping[str, str] = {
    "livekit.url": "--url",
    "livekit.api_key": "--api-key",
    "livekit.api_secret": "--api-secret",
    "collector.url": "--collector",
    "token.url": "--token-url",
    "token.headers_file": "--token-headers-file",
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

_REFERENCE = re.compile(r"\$(\$?)\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# No settings: which livekit-server the demo runs; and what Kubernetes puts into the environment of
# every pod beside a service called voice-exporter.
_OTHERS = re.compile(
    r"LIVEKIT_SERVER|SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?"
)


def flags_layer(flags: Mapping[str, object]) -> Layer:
    """Return what flags say, by dotted key path."""
    names = {path: FLAGS.get(path, "--" + path.replace("_", "-")) for path in flags}
    return Layer(nested({}, flags), {tuple(path.split(".")): name for path, name in names.items()})


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
            document = read_yaml(value)
        except NotYamlError as error:
            return Unusable(str(error))
        if document.twins:
            name = document.twins[0].path[-1]
            return Unusable(f"has the key {name} twice in one mapping; expected it once")
        meant = document.value
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
    document, written = read_document(file)
    values = _meant(written, (), schema_of(Settings), file.parent, environ)
    return document_layer(file, document, values, written)


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
    about = part(schema, path)
    is_path = about.get("format") in ("file-path", "directory-path")
    is_path = is_path and text not in about.get("x-words", ())
    return str(base / text) if is_path and isinstance(text, str) else text


def _expanded(text: str, environ: Mapping[str, str]) -> str | Unusable:
    for escaped, name in _REFERENCE.findall(text):
        if not escaped and not _NAME.fullmatch(name):
            why = f"${{{name}}} is not a valid reference; expected ${{NAME}}, or $${{ for a literal"
            return Unusable(why)
        if not escaped and name not in environ:
            return Unusable(f"${{{name}}} is not set; expected an environment variable {name}")
    return _REFERENCE.sub(lambda found: found[0][1:] if found[1] else environ[found[2]], text)
