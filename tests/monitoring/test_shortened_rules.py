"""That the rules under test are those that are shipped, but for how long they wait."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring import rules

_DURATIONS = ("for", "keep_firing_for")


def without_durations(file: Path) -> Any:
    """Return what a rule file says, without its waits and intervals."""
    content = yaml.safe_load(file.read_text("utf-8"))
    for group in content["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            for each in _DURATIONS:
                rule.pop(each, None)
    return content


def test_only_durations_are_shortened(tmp_path: Path) -> None:
    """Nothing but waits and intervals differs; a wait is shorter by the factor, and never 0."""
    names = [Path(written).name for written in rules.write_shortened(tmp_path, factor=12)]
    assert names == list(rules.FILES)
    for name in names:
        assert without_durations(tmp_path / name) == without_durations(rules.ALERTS / name)
    was, now = (
        {
            (rule["alert"], each, rule["labels"].get("scope")): rules.seconds(rule[each])
            for group in yaml.safe_load((folder / "alerts.yaml").read_text("utf-8"))["groups"]
            for rule in group["rules"]
            for each in _DURATIONS
            if each in rule
        }
        for folder in (rules.ALERTS, tmp_path)
    )
    assert was
    assert now == {key: pytest.approx(value / 12, abs=0.001) for key, value in was.items()}


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("2d", 172_800)]
)
def test_seconds(text: str, seconds: float) -> None:
    """Durations are read as Prometheus writes them."""
    assert rules.seconds(text) == seconds
