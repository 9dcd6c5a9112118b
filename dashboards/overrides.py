"""What looks different in a panel for some of its series or columns."""

import re
from collections.abc import Iterator

from grafana_foundation_sdk.models.common import LineStyle, StackingConfig, StackingMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides as Override,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColor,
    FieldColorModeId,
    MatcherConfig,
    ThresholdsConfig,
)
from grafana_foundation_sdk.models.units import NoUnit

from dashboards.colors import BAD, OF_LABELS, PLAIN
from exporter.colors import COMPONENTS

_LABEL = re.compile(r"\{\{(\w+)\}\}")


def by_name(name: str, *properties: DynamicConfigValue) -> Override:
    """Return what is different for the field or series of that name."""
    return Override(matcher=MatcherConfig("byName", name), properties=[*properties])


def by_meaning(legend: str) -> Iterator[Override]:
    """Yield the colours of series whose legend has a label with words that mean something.

    One for each colour, so that a panel with twenty reasons has but a few.
    """
    if legend in COMPONENTS:
        yield by_name(legend, _fixed(COMPONENTS[legend]))
        return
    for label in _LABEL.findall(legend):
        words: dict[str, list[str]] = {}
        for word, color in OF_LABELS.get(label, {}).items():
            words.setdefault(color, []).append(word)
        for color, same in words.items():
            parts = _LABEL.split(legend)
            for at in range(1, len(parts), 2):
                parts[at] = f"({'|'.join(same)})" if parts[at] == label else ".*"
            parts[::2] = map(re.escape, parts[::2])
            yield _by_pattern(f"^{''.join(parts)}$", _fixed(color))


def dashed(pattern: str, color: str = BAD) -> Override:
    """Return the look of targets: dashed, and not stacked, for series that match the pattern."""
    return _by_pattern(
        pattern,
        DynamicConfigValue("custom.lineStyle", LineStyle("dash", [8, 8])),
        DynamicConfigValue("custom.lineWidth", 2),
        DynamicConfigValue("custom.fillOpacity", 0),
        DynamicConfigValue("custom.showPoints", "never"),
        DynamicConfigValue("custom.stacking", StackingConfig(StackingMode.NONE, "A")),
        _fixed(color),
    )


def in_unit(pattern: str, unit: str) -> Override:
    """Return a unit of their own for series that match the pattern; Grafana adds an axis."""
    return _by_pattern(pattern, DynamicConfigValue("unit", unit))


def in_color(pattern: str, color: str) -> Override:
    """Return one colour for series that match the pattern."""
    return _by_pattern(pattern, _fixed(color))


def in_steps(pattern: str, colors: ThresholdsConfig, unit: str = NoUnit) -> Override:
    """Return colours by value, and their unit, for series that match the pattern."""
    return _by_pattern(
        pattern, DynamicConfigValue("thresholds", colors), DynamicConfigValue("unit", unit)
    )


def counted(pattern: str, unit: str = NoUnit) -> Override:
    """Return the look of numbers of samples: points on an axis of their own, on the right."""
    return _by_pattern(
        pattern,
        DynamicConfigValue("custom.axisPlacement", "right"),
        DynamicConfigValue("custom.drawStyle", "points"),
        DynamicConfigValue("custom.pointSize", 3),
        DynamicConfigValue("unit", unit),
        DynamicConfigValue("decimals", 0),
        _fixed(PLAIN),
    )


def _by_pattern(pattern: str, *properties: DynamicConfigValue) -> Override:
    return Override(matcher=MatcherConfig("byRegexp", f"/{pattern}/"), properties=[*properties])


def _fixed(color: str) -> DynamicConfigValue:
    return DynamicConfigValue("color", FieldColor(FieldColorModeId.FIXED, color))
