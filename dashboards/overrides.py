"""What looks different in a panel for some of its series or columns."""

from grafana_foundation_sdk.models.common import LineStyle, StackingConfig, StackingMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides as Override,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColor,
    FieldColorModeId,
    MatcherConfig,
)
from grafana_foundation_sdk.models.units import NoUnit

from dashboards.values import BAD, PLAIN


def by_name(name: str, *properties: DynamicConfigValue) -> Override:
    """Return what is different for the field or series of that name."""
    return Override(matcher=MatcherConfig("byName", name), properties=[*properties])


def dashed(pattern: str, color: str = BAD) -> Override:
    """Return the look of targets: dashed, and not stacked, for series that match the pattern."""
    return Override(
        matcher=MatcherConfig("byRegexp", f"/{pattern}/"),
        properties=[
            DynamicConfigValue("custom.lineStyle", LineStyle("dash", [8, 8])),
            DynamicConfigValue("custom.lineWidth", 2),
            DynamicConfigValue("custom.fillOpacity", 0),
            DynamicConfigValue("custom.showPoints", "never"),
            DynamicConfigValue("custom.stacking", StackingConfig(StackingMode.NONE, "A")),
            DynamicConfigValue("color", FieldColor(FieldColorModeId.FIXED, color)),
        ],
    )


def in_unit(pattern: str, unit: str) -> Override:
    """Return a unit of their own for series that match the pattern; Grafana adds an axis."""
    return Override(
        matcher=MatcherConfig("byRegexp", f"/{pattern}/"),
        properties=[DynamicConfigValue("unit", unit)],
    )


def counted(pattern: str, unit: str = NoUnit) -> Override:
    """Return the look of numbers of samples: points on an axis of their own, on the right."""
    return Override(
        matcher=MatcherConfig("byRegexp", f"/{pattern}/"),
        properties=[
            DynamicConfigValue("custom.axisPlacement", "right"),
            DynamicConfigValue("custom.drawStyle", "points"),
            DynamicConfigValue("custom.pointSize", 3),
            DynamicConfigValue("unit", unit),
            DynamicConfigValue("decimals", 0),
            DynamicConfigValue("color", FieldColor(FieldColorModeId.FIXED, PLAIN)),
        ],
    )
