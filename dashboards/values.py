"""What values look like: words for numbers, and the colours of good and bad."""

from grafana_foundation_sdk.models.dashboard import (
    Threshold,
    ThresholdsConfig,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

GOOD, WARN, BAD, PLAIN, DIM = "green", "orange", "red", "text", "blue"


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


NEUTRAL = steps(PLAIN)
NONE_IS_GOOD = steps(GOOD, (1, BAD))
SOME_IS_ODD = steps(GOOD, (1, WARN))
SHARE_OF_LIMIT = steps(GOOD, (0.8, WARN), (1, BAD))
"""For what should stay below a configured limit; 1 is the limit."""
OVERDUE = steps(GOOD, (2, WARN), (3, BAD))
"""For ages in intervals."""
ENOUGH_TURNS = steps(WARN, (20, GOOD))
"""Below 20 turns a 95th percentile says little."""

VERDICTS = words((0, "PASS", GOOD), (1, "UNKNOWN", DIM), (2, "SLOW", WARN), (3, "FAIL", BAD))
"""As `queries.verdict` numbers them."""
WORKS = words((0, "no", BAD), (1, "yes", GOOD))
WORKER_STATUSES = words(
    *((0, "idle", GOOD), (1, "busy", GOOD), (2, "draining", DIM), (3, "full", WARN)),
    (4, "offline", BAD),
)
"""The worst of them has the largest number."""
QUALITIES = words((0, "excellent", GOOD), (1, "good", GOOD), (2, "poor", WARN), (3, "lost", BAD))
