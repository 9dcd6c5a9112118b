"""The rule files, as the tests read them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ALERTS = Path(__file__).parents[2] / "alerts"
FILES = ("recording.yaml", "alerts.yaml")
_DURATION_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_WAITS = ("for", "keep_firing_for")


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
    return tuple(rule for file in files if file.exists() for rule in _rules(_read(file)))


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
        content = _read(ALERTS / name)
        for group in content["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                rule |= {wait: _divided(rule[wait], factor) for wait in _WAITS if wait in rule}
        file = folder / name
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        written.append(str(file))
    return written


def _divided(duration: str, factor: float) -> str:
    return f"{max(1, round(seconds(duration) * 1000 / factor))}ms"


def seconds(duration: str) -> float:
    """Return the seconds of a duration such as `1h30m`, as Prometheus writes it."""
    parts = re.findall(r"(\d+)(ms|[smhdw])", str(duration))
    assert "".join(map("".join, parts)) == str(duration), duration
    return float(sum(int(number) * _DURATION_S[unit] for number, unit in parts))


def _read(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text("utf-8")))


def _rules(content: dict[str, Any]) -> Iterator[Rule]:
    for group in content["groups"]:
        for rule in group["rules"]:
            yield Rule(
                name=rule.get("alert") or rule["record"],
                expression=str(rule["expr"]),
                is_alert="alert" in rule,
                labels=tuple(rule.get("labels", {}).items()),
                annotations=tuple(rule.get("annotations", {}).items()),
            )
