"""The three places a setting comes from: the YAML file, the environment, the flags."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from exporter.config_keys import ITEM, KeyPath, Kind, dotted
from exporter.config_tree import Problem, Tree, show
from exporter.config_yaml import YamlError, read_yaml
from exporter.suggest import did_you_mean

PREFIX = "VOICE_EXPORTER_"
"""Begins the environment name of every setting; `__` stands between the levels of its path."""

CREDENTIALS = ("url", "api_key", "api_secret")
"""Keys of the section `livekit`, each of which may instead be read from a file."""

FLAGS: Mapping[str, str] = {
    "livekit.url": "--url",
    "livekit.api_key": "--api-key",
    "livekit.api_secret": "--api-secret",
    "utterance.wav": "--wav",
    "utterance.transcript": "--transcript",
}
"""Flags that are not simply the key's path."""

_REFERENCE = re.compile(r"\$(\$?)\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OTHERS = frozenset({"VOICE_EXPORTER_LIVEKIT_SERVER"})
"""Variables of ours that are no settings: which livekit-server the demo runs."""
# A Kubernetes service called voice-exporter puts its address into the environment of every pod
# beside it, under names that look like ours.
_KUBERNETES = re.compile(r"(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")


def add_file(tree: Tree, path: Path, environ: Mapping[str, str]) -> None:
    """Read the YAML file into the tree: the lowest layer.

    References `${NAME}` are replaced from the environment; `$${` is a literal `${`. Paths of
    files are taken relative to the YAML file.
    """
    where = str(path)
    try:
        document = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        tree.problems.append(Problem(where, "", f"cannot be read: {error.strerror}"))
        return
    except (YamlError, UnicodeDecodeError) as error:
        text = str(error) if isinstance(error, YamlError) else "is not text in UTF-8"
        tree.problems.append(Problem(where, "", text))
        return
    if document.value is not None and not isinstance(document.value, dict):
        text = f"holds {show(document.value)}; expected a mapping of settings"
        tree.problems.append(Problem(where, "", text))
        return
    tree.assign_root(document.value or {}, where)
    for key, line in document.duplicates:
        text = f"stands a second time on line {line}; expected it once"
        tree.problems.append(Problem(where, dotted(key), text))
    _drop_empty_sections(tree)
    for at, value in list(tree.leaves()):
        if isinstance(value, str):
            _rewrite(tree, at, value, path.parent, environ)
    _refuse_pairs(tree, {name: ("livekit", name) for name in CREDENTIALS})


def _drop_empty_sections(tree: Tree) -> None:
    """Let `web:` with nothing below it mean the defaults."""
    for at, value in list(tree.leaves()):
        key = tree.key(at)
        if value is None and key and key.kind in (Kind.SECTION, Kind.LIST, Kind.MAP):
            tree.drop(at)


def _rewrite(tree: Tree, at: KeyPath, text: str, base: Path, environ: Mapping[str, str]) -> None:
    """Replace references in one value, and make the path of a file absolute or relative to us."""

    def replace(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped:
            return match[0][1:]
        if not _NAME.fullmatch(name):
            tree.report(
                at, f"{match[0]} is no reference; expected ${{NAME}}, or $${{ for a literal"
            )
        elif name not in environ:
            tree.report(at, f"${{{name}}} is not set; expected an environment variable {name}")
        return environ.get(name, match[0])

    value = _REFERENCE.sub(replace, text)
    key = tree.key(at)
    if key and key.kind is Kind.FILE:
        value = str(base / value)
    if value != text:
        tree.replace(at, value, written=text)


def _refuse_pairs(tree: Tree, paths: Mapping[str, KeyPath]) -> None:
    """Report a credential that one layer gives both as it is and as a file."""
    for name, path in paths.items():
        from_file = (*path[:-1], f"{name}_file")
        if tree.get(path) is not None and tree.get(from_file) is not None:
            tree.report(path, f"is set together with {name}_file; expected one of them")


def add_environment(tree: Tree, environ: Mapping[str, str]) -> None:
    """Read the environment into the tree: the middle layer. An empty variable counts as unset."""
    for name in CREDENTIALS:
        plain, from_file = f"LIVEKIT_{name.upper()}", f"LIVEKIT_{name.upper()}_FILE"
        if environ.get(plain) and environ.get(from_file):
            text = f"is set together with {from_file}; expected one of them"
            tree.problems.append(Problem(plain, "", text))
        for variable, key in ((plain, name), (from_file, f"{name}_file")):
            if environ.get(variable):
                set_credential(tree, key, environ[variable], variable)
    for variable in sorted(environ, key=_levels):
        if variable.startswith(PREFIX) and environ[variable]:
            _add_variable(tree, variable, environ[variable])


def _levels(variable: str) -> tuple[int, list[tuple[int, str]]]:
    """Order sections before what they contain, and list items by number."""
    parts = variable.split("__")
    return len(parts), [(int(part) if part.isdecimal() else 0, part) for part in parts]


def _add_variable(tree: Tree, variable: str, text: str) -> None:
    rest = variable.removeprefix(PREFIX)
    path = tuple(int(x) if x.isdecimal() else x.lower() for x in rest.split("__"))
    key = tree.key(path)
    is_item = isinstance(path[-1], int) and tree.key(path[:-1]) is not None
    if key is None and not is_item:
        if variable not in _OTHERS and not _KUBERNETES.fullmatch(rest):
            tree.problems.append(Problem(variable, "", f"unknown setting{_hint(tree, variable)}"))
        return
    try:
        value = _typed(text, key.kind if key else None, key.item if key else None)
    except YamlError as error:
        tree.problems.append(Problem(variable, "", str(error)))
        return
    if path[0] == "livekit" and len(path) == 2:  # noqa: PLR2004 - section and name
        set_credential(tree, str(path[1]), value, variable)
    else:
        tree.assign(path, value, variable)


def _typed(text: str, kind: Kind | None, item: Kind | None) -> object:
    """Read the text of a variable: a list, a mapping or an item of a list is written as YAML."""
    if kind not in (None, Kind.LIST, Kind.SECTION, Kind.MAP):
        return text
    value = read_yaml(text).value
    if kind is Kind.LIST and item is not Kind.SECTION and not isinstance(value, list):
        return [part.strip() for part in text.split(",")]
    return value


def _hint(tree: Tree, variable: str) -> str:
    """Suggest the nearest variable, with the list index that was written."""
    index = re.search(r"__(\d+)(?=__)", variable)
    number = index[1] if index else "0"
    names = [environment_name(path).removeprefix(PREFIX) for path in tree.keys]
    known = [name.replace("<N>", number) for name in names]
    hint = did_you_mean(variable.removeprefix(PREFIX), known)
    if hint:
        return hint.replace("did you mean ", f"did you mean {PREFIX}")
    return "; expected the path of a key, such as VOICE_EXPORTER_WEB__LISTEN_ADDRESS"


def environment_name(path: tuple[str, ...]) -> str:
    """Return the name of the environment variable that sets a key; `<N>` is a list's index."""
    return PREFIX + "__".join("<N>" if part == ITEM else part.upper() for part in path)


def add_flags(tree: Tree, flags: Mapping[str, object]) -> None:
    """Read the flags into the tree: the highest layer. None stands for a flag not given."""
    for path, value in flags.items():
        if value is None:
            continue
        where = FLAGS.get(path, "--" + path.replace("_", "-"))
        section, _, name = path.partition(".")
        if section == "livekit":
            set_credential(tree, name, value, where)
        else:
            tree.assign(tuple(path.split(".")), value, where)


def set_credential(tree: Tree, key: str, value: object, where: str) -> None:
    """Set a credential or its file; either replaces both of a lower layer."""
    name = key.removesuffix("_file")
    tree.drop(("livekit", name))
    tree.drop(("livekit", f"{name}_file"))
    tree.assign(("livekit", key), value, where)


def read_credential_files(tree: Tree) -> None:
    """Put the contents of each `..._file` of the section `livekit` in place of its key."""
    for name in CREDENTIALS:
        at: KeyPath = ("livekit", f"{name}_file")
        path = tree.get(at)
        if not isinstance(path, str | os.PathLike) or at in tree.faulty:
            continue
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
            tree.report(at, f"{path} cannot be read: {why}")
            continue
        if value:
            where = str(tree.origin(at).problem(at, str(path)))
            tree.assign(("livekit", name), value, where)
        else:
            tree.report(at, f"{path} is empty; expected the value of {name}")
