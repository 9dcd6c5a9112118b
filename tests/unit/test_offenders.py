"""One test for a rule and all rows of a table."""

import inspect

import pytest

from tests.offenders import every


def test_all_that_break_the_rule_are_named() -> None:
    """Whatever a row raises counts, and one row does not hide the next."""

    @every([1, 0, 2, -3])
    def rule(number: int) -> None:
        """Each is positive."""
        assert 6 // number > 0, "not positive"

    with pytest.raises(AssertionError) as caught:
        rule()
    (head, *offenders) = str(caught.value).splitlines()
    assert head == "2 of 4:"
    assert [each.split(": ")[:2] for each in offenders if each[:3] in ("0: ", "-3:")] == [
        ["0", "ZeroDivisionError"],
        ["-3", "AssertionError"],
    ]


def test_rows_that_keep_the_rule_pass() -> None:
    """It is an ordinary test then: no argument, its own name and docstring."""

    @every("ab", ord)
    def test_letters(letter: str) -> None:
        """Letters are letters."""
        assert letter.isalpha()

    test_letters()
    assert not inspect.signature(test_letters).parameters
    assert (test_letters.__name__, test_letters.__doc__) == ("test_letters", "Letters are letters.")


def test_a_rule_for_nothing_fails() -> None:
    """A table that has become empty is not passed over in silence."""

    @every(())
    def rule(_: object) -> None:
        """Nothing is asked."""

    with pytest.raises(AssertionError, match="nothing that the rule could hold for"):
        rule()
