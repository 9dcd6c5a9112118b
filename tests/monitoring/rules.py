"""The rule files, as the tests read them."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ALERTS = Path(__file__).parents[2] / "alerts"
FILES = ("recording.yaml", "alerts.yaml")
_DURATION_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_WAITS = ("for", "keep_firing_for")
_NAME = re.compile(r"[A-Za-z_:][\w:]*")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    name: str
    """What it records, or the alert's name."""
    expression: str
    is_alert: bool
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]


def load() -> tuple[Rule, ...]:
    """Return every rule of every file that is there."""
    files = (ALERTS / name for name in FILES)
    return tuple(rule for file in files if file.exists() for rule in rules_in(file))


def write_shortened(folder: Path, factor: float) -> list[str]:
    """Write the rule files with shorter waits, and nothing else changed.

    Only `for` and `keep_firing_for` are divided, never an expression: what is told apart by
    them stays in its order, and a test need not wait for minutes. Groups are all evaluated at
    the interval of the configuration.

    Args:
        folder: Takes the files.
        factor: What the waits are divided by.

    Returns:
        The files, for `rule_files`.
    """
    written = []
    for name in FILES:
        content = read(ALERTS / name)
        for group in content["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                rule |= {wait: _divided(rule[wait], factor) for wait in _WAITS if wait in rule}
        file = folder / name
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        written.append(str(file))
    return written


def write_apart(folder: Path, file: Path) -> list[str]:
    """Write each test of a promtool file into a file of its own, with the rules that it asks for.

    Promtool evaluates all rules at each step of each test, and compares those alone that the test
    names. Left out is what these do not read, by way of other rules either.

    Args:
        folder: Takes the files.
        file: With tests.

    Returns:
        The files with one test each, for promtool.
    """
    content = read(file)
    written = []
    for number, test in enumerate(content["tests"]):
        asked = [each["alertname"] for each in test.get("alert_rule_test", ())]
        asked += [each["expr"] for each in test.get("promql_expr_test", ())]
        files = _write_needed(folder / f"{file.stem}-{number}", asked)
        alone = folder / f"{file.stem}-{number}.yaml"
        alone.write_text(json.dumps(content | {"rule_files": files, "tests": [test]}), "utf-8")
        written.append(str(alone))
    return written


def _write_needed(folder: Path, asked: Iterable[str]) -> list[str]:
    """Write the rule files without what the expressions do not need; return their paths."""
    folder.mkdir()
    contents = {name: read(ALERTS / name) for name in FILES}
    groups = [group for content in contents.values() for group in content["groups"]]
    needed = _needed([rule for group in groups for rule in group["rules"]], " ".join(asked))
    for name, content in contents.items():
        kept = [
            group | {"rules": [rule for rule in group["rules"] if _name(rule) in needed]}
            for group in content["groups"]
        ]
        left = [group for group in kept if group["rules"]]
        (folder / name).write_text(json.dumps(content | {"groups": left}), "utf-8")
    return [str(folder / name) for name in FILES]


def _needed(all_rules: Sequence[dict[str, Any]], asked: str) -> set[str]:
    """Return the names of the rules that some text names, and of those that these name."""
    texts = {_name(rule): "" for rule in all_rules}
    for rule in all_rules:  # several may have one name
        texts[_name(rule)] += json.dumps(rule)
    needed: set[str] = set()
    new = set(_NAME.findall(asked))
    while new:
        if any(name.startswith("ALERTS") for name in new):
            return set(texts)
        needed |= new
        new = {word for name in new if name in texts for word in _NAME.findall(texts[name])}
        new -= needed
    return needed & texts.keys()


def _name(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])


def _divided(duration: str, factor: float) -> str:
    return f"{max(1, round(seconds(duration) * 1000 / factor))}ms"


def seconds(duration: str) -> float:
    """Return the seconds of a duration such as `1h30m`, as Prometheus writes it."""
    parts = re.findall(r"(\d+)(ms|[smhdw])", str(duration))
    assert "".join(map("".join, parts)) == str(duration), duration
    return float(sum(int(number) * _DURATION_S[unit] for number, unit in parts))


def read(file: Path) -> dict[str, Any]:
    """Return the content of a YAML file; by the parser in C, as these are long."""
    return dict(yaml.load(file.read_text("utf-8"), yaml.CSafeLoader))


def rules_in(file: Path) -> Iterator[Rule]:
    """Yield every rule of a file."""
    for group in read(file)["groups"]:
        for rule in group["rules"]:
            yield Rule(
                name=_name(rule),
                expression=str(rule["expr"]),
                is_alert="alert" in rule,
                labels=tuple(rule.get("labels", {}).items()),
                annotations=tuple(rule.get("annotations", {}).items()),
            )
