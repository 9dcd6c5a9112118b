"""Turn what pydantic found into lines that say what is wrong and what was expected."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from exporter.config_keys import ITEM, Key, KeyPath, Kind, general
from exporter.config_tree import Tree, show
from exporter.suggest import did_you_mean


def report_errors(tree: Tree, error: ValidationError) -> None:
    """Report every error of a validation as a problem of the tree."""
    for found in error.errors(include_url=False):
        _report(tree, dict(found))


def refuse_odd_numbers(tree: Tree) -> None:
    """Report what pydantic would take for a number, but no one means: true, infinity, nan."""
    for path, value in tree.leaves():
        key = tree.key(path)
        if key is None or key.kind not in (Kind.NUMBER, Kind.WHOLE, Kind.DURATION):
            continue
        if isinstance(value, bool):
            tree.report(path, f"{show(value)} is a boolean; expected {key.expected}")
        elif not _finite(value):
            tree.report(path, f"{tree.shown(path)} is not finite; expected {key.expected}")


def _finite(value: object) -> bool:
    if not isinstance(value, int | float | str):
        return True
    return str(value).strip().lower().lstrip("+-") not in ("inf", "infinity", "nan")


def _report(tree: Tree, error: Mapping[str, Any]) -> None:
    path: KeyPath = tuple(part for part in error["loc"] if part != "[key]")
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        tree.report(path, f"unknown key{_known(tree, path)}")
        return
    if kind == "value_error":
        field, text = _own_words(tree, path, str(context["error"]))
        tree.report(field, text)
        return
    key = tree.key(path)
    if kind == "missing":
        tree.report(path, f"is missing; expected {key.expected if key else 'a value'}")
    elif key is not None and key.kind is Kind.LIST and kind in ("tuple_type", "list_type"):
        tree.report(path, f"{_what(tree, path)}; expected a list")
    else:
        tree.report(path, _text(tree, path, key, kind, context) or f"{error['msg']}")


def _own_words(tree: Tree, path: KeyPath, text: str) -> tuple[KeyPath, str]:
    """Return the key and words of an error raised by a validator of ours.

    A validator of a whole section begins with the name of the key that it is about.
    """
    name, colon, rest = text.partition(": ")
    if colon and (*general(path), name) in tree.keys:
        at = (*path, name)
        return at, f"{tree.shown(at)} {rest}" if rest.startswith("must ") else rest
    if _is_duration(tree, path):
        return path, f"{tree.shown(path)} is not a duration; expected one such as 30s or 5m"
    return path, text


def _is_duration(tree: Tree, path: KeyPath) -> bool:
    if key := tree.key(path):
        return key.kind is Kind.DURATION
    above = tree.key(path[:-1])
    return above is not None and above.item is Kind.DURATION


def _known(tree: Tree, path: KeyPath) -> str:
    """Say which key was meant, or which there are."""
    section = general(path[:-1])
    names = [at[-1] for at in tree.keys if at[:-1] == section and at[-1] != ITEM]
    return did_you_mean(str(path[-1]), names) or f"; expected one of {', '.join(names)}"


def _text(
    tree: Tree, path: KeyPath, key: Key | None, kind: str, context: Mapping[str, Any]
) -> str | None:
    """Word an error about a value, or return None for one that has no words here."""
    shown = tree.shown(path)
    words = key.choices if key else ()
    if kind in _BOUNDS:
        name, size, rule = _BOUNDS[kind]
        is_duration = _is_duration(tree, path)
        how = _TIME_WORDS[size] if is_duration else size
        return f"{shown} is too {how}; expected {rule} {context[name]:g}{'s' * is_duration}"
    text = {
        "string_too_short": "is empty; expected text",
        "literal_error": f"{shown} is not known; expected {' or '.join(words)}"
        + did_you_mean(str(tree.get(path)), words),
        "path_not_file": f"{shown} does not exist; expected a file",
        "int_from_float": f"{shown} is a fraction; expected a whole number",
    }.get(kind)
    if text is None and kind.endswith(("_type", "_parsing")):
        return f"{_what(tree, path)}; expected {_expected(tree, path, key)}"
    return text


_BOUNDS = {
    "greater_than_equal": ("ge", "small", "at least"),
    "greater_than": ("gt", "small", "more than"),
    "less_than_equal": ("le", "large", "at most"),
    "less_than": ("lt", "large", "less than"),
}
_TIME_WORDS = {"small": "short", "large": "long"}


def _expected(tree: Tree, path: KeyPath, key: Key | None) -> str:
    if key is not None:
        return key.expected
    above = tree.key(path[:-1]) if path else None
    if above is None:
        return "a mapping"
    return str(above.item or Kind.TEXT)


def _what(tree: Tree, path: KeyPath) -> str:
    """Say what stands there: `'abc' is text`, `a list stands there`."""
    value = tree.get(path)
    if value is None:
        return "is empty"
    if isinstance(value, dict | list):
        return f"is {show(value)}"
    name = {bool: "a boolean", int: "a number", float: "a number", str: "text"}
    return f"{tree.shown(path)} is {name.get(type(value), type(value).__name__)}"
