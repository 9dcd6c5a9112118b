"""Which series a metric has."""

from exporter.metrics.series_index import SeriesIndex


def test_series_are_found_by_any_labels_and_forgotten() -> None:
    """By one label, by several, by none; what is forgotten is found no more."""
    index = SeriesIndex()
    for values in (("a", "x"), ("a", "y"), ("b", "x"), ("a", "x")):
        index.add(values)
    assert index.matching({}) == [("a", "x"), ("a", "y"), ("b", "x")]
    assert index.matching({0: "a"}) == [("a", "x"), ("a", "y")]
    assert index.matching({0: "a", 1: "x"}) == [("a", "x")]
    assert index.matching({0: "c"}) == index.matching({0: "b", 1: "y"}) == []
    for _ in range(2):
        index.discard(("a", "x"))
    assert ("a", "x") not in index
    assert ("a", "y") in index
    assert index.matching({1: "x"}) == [("b", "x")]


def test_nothing_is_kept_of_what_has_gone() -> None:
    """Names that come and go for months leave no trace."""
    index = SeriesIndex()
    index.add(())
    index.discard(())
    for number in range(3):
        index.add((f"agent-{number}", "idle"))
        index.discard((f"agent-{number}", "idle"))
    assert index.__dict__ == SeriesIndex().__dict__
