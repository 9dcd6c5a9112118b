"""Which series a metric has, found by any of their labels."""

from collections.abc import Mapping

Values = tuple[str, ...]
"""The label values of a series, in the order of its row."""


class SeriesIndex:
    """The series of one metric.

    Finding those of one label value costs as much as there are of them, not as there are series:
    where each worker has an agent name of its own, thousands may go at one time.
    """

    def __init__(self) -> None:
        self._all: dict[Values, None] = {}
        self._by_label: dict[tuple[int, str], dict[Values, None]] = {}

    def __contains__(self, values: object) -> bool:
        return values in self._all

    def add(self, values: Values) -> None:
        """Remember a series; a known one changes nothing."""
        if values in self._all:
            return
        self._all[values] = None
        for label in enumerate(values):
            self._by_label.setdefault(label, {})[values] = None

    def discard(self, values: Values) -> None:
        """Forget a series."""
        if values not in self._all:
            return
        del self._all[values]
        for label in enumerate(values):
            same = self._by_label[label]
            del same[values]
            if not same:
                del self._by_label[label]

    def matching(self, wanted: Mapping[int, str]) -> list[Values]:
        """Return the series with these values at these places; all for none."""
        if not wanted:
            return list(self._all)
        found = min((self._by_label.get(label, {}) for label in wanted.items()), key=len)
        return [
            values
            for values in found
            if all(values[place] == text for place, text in wanted.items())
        ]
