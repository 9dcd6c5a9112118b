"""Reading expressions: what the other tests rest on."""

import pytest

from tests.monitoring.promql import Selector, read


@pytest.mark.parametrize(
    ("expression", "selectors", "grouping"),
    [
        ("up == 0", ["up"], set()),
        ("sum by (a, b) (rate(x_total[5m]))", ["x_total"], {"a", "b"}),
        ("sum(rate(x_total{a=\"1\",b!~'2|3'}[5m])) by (a)", ["x_total{a=\"1\",b!~'2|3'}"], {"a"}),
        ("x > on (a) group_left (b) y offset 1d", ["x", "y"], {"a", "b"}),
        ("x * on (a) group_left y", ["x", "y"], {"a"}),
        ('{__name__=~"x_.*"} or vector(0)', ['{__name__=~"x_.*"}'], set()),
        ("max_over_time((x > bool 1e3)[1h:5m] @ end()) # up", ["x"], set()),
        ('job:x:rate5m{} unless absent(y{a="}"})', ["job:x:rate5m", 'y{a="}"}'], set()),
        ("count without (le) (x_bucket) < NaN", ["x_bucket"], {"le"}),
        ("-x ^ -Inf and time() - y > 2.5", ["x", "y"], set()),
    ],
)
def test_selectors(expression: str, selectors: list[str], grouping: set[str]) -> None:
    """Every name that is asked for is found, and nothing that is none."""
    parts = read(expression)
    assert [str(each) for each in parts.selectors] == selectors
    assert parts.grouping == grouping


def test_function_of_a_selector() -> None:
    """Only the function whose argument it is counts, not one further out."""
    parts = read("sum(rate(a[5m])) / max(sum by (x) (b)) + histogram_quantile(0.9, c)")
    assert [(each.name, each.function) for each in parts.selectors] == [
        ("a", "rate"),
        ("b", ""),
        ("c", "histogram_quantile"),
    ]


def test_labels_that_are_made() -> None:
    """What label_replace adds may be grouped by."""
    parts = read('label_replace(x, "to", "$1", "from", "(.*)")')
    assert parts.selectors == (Selector("x", function="label_replace"),)
    assert "to" in parts.made
