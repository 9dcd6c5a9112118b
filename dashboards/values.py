"""What values look like: words for numbers, and the colours of good and bad."""

from collections.abc import Mapping

from grafana_foundation_sdk.models.dashboard import (
    DashboardSpecialValueMapOptions,
    SpecialValueMap,
    SpecialValueMatch,
    Threshold,
    ThresholdsConfig,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from dashboards import colors
from dashboards.colors import BAD, GOOD, PLAIN, WARN


def steps(first: str, *rest: tuple[float, str]) -> ThresholdsConfig:
    """Return the colours of a value: the first from below, each other from its value on."""
    thresholds = [Threshold(None, first), *(Threshold(value, color) for value, color in rest)]
    return ThresholdsConfig(ThresholdsMode.ABSOLUTE, thresholds)


def words(*results: tuple[float, str, str]) -> ValueMap:
    """Return words, with their colours, that stand for numbers."""
    options = {
        f"{number:g}": ValueMappingResult(text=text, color=color, index=index)
        for index, (number, text, color) in enumerate(results)
    }
    return ValueMap(options)


def painted(palette: Mapping[str, str]) -> ValueMap:
    """Return the colours of the words themselves, for columns that show a label."""
    options = {
        word: ValueMappingResult(text=word, color=color, index=index)
        for index, (word, color) in enumerate(palette.items())
    }
    return ValueMap(options)


def absent(text: str) -> SpecialValueMap:
    """Return what stands where there is no value: in neutral ink, whatever 0 would look like."""
    result = ValueMappingResult(text=text, color=PLAIN, index=100)
    return SpecialValueMap(DashboardSpecialValueMapOptions(SpecialValueMatch.NULL_AND_NAN, result))


NEUTRAL = steps(PLAIN)
NONE_IS_GOOD = steps(GOOD, (1, BAD))
NONE_IS_BAD = steps(BAD, (1, PLAIN))
SOME_IS_ODD = steps(GOOD, (1, WARN))
SHARE_OF_LIMIT = steps(GOOD, (0.8, WARN), (1, BAD))
"""For what should stay below a configured limit; 1 is the limit."""
OVERDUE = steps(GOOD, (2, WARN), (3, BAD))
"""For ages in intervals."""
ENOUGH_TURNS = steps(WARN, (20, GOOD))
"""Below 20 turns a 95th percentile says little."""

_NUMBERED = ("PASS", "UNKNOWN", "SLOW", "FAIL")
VERDICTS = words(*((at, word, colors.VERDICTS[word]) for at, word in enumerate(_NUMBERED)))
"""As `queries.verdict` numbers them."""
WORKS = words((0, "no", BAD), (1, "yes", GOOD))
_FROM_BEST = ("idle", "busy", "draining", "full", "offline")
WORKER_STATUSES = words(*((at, word, colors.STATUSES[word]) for at, word in enumerate(_FROM_BEST)))
"""The worst of them has the largest number."""
_FROM_LEAST = ("ticket", "warning", "page")
SEVERITIES = words(*((at, each, colors.SEVERITIES[each]) for at, each in enumerate(_FROM_LEAST)))
"""The worst of them has the largest number."""
QUALITIES = words((0, "excellent", GOOD), (1, "good", GOOD), (2, "poor", WARN), (3, "lost", BAD))
