"""Rules for every row of a table: one test for each rule, which names all rows that break it."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def every(
    rows: Iterable[T], name: Callable[[T], object] = str
) -> Callable[[Callable[[T], None]], Callable[[], None]]:
    """Make a test that takes one row into one test of all rows.

    It fails after the last row, with one paragraph for each that broke the rule. An empty table
    fails, too: a rule that holds for nothing says nothing.
    """
    table = tuple(rows)

    def one_test(rule: Callable[[T], None]) -> Callable[[], None]:
        @functools.wraps(rule)
        def test() -> None:
            assert table, "there is nothing that the rule could hold for"
            offenders = [f"{name(row)}: {why}" for row in table if (why := _broken(rule, row))]
            assert not offenders, "\n".join((f"{len(offenders)} of {len(table)}:", *offenders))

        # Without it pytest would look for a fixture of the name that the row has in the rule.
        test.__signature__ = inspect.Signature()  # type: ignore[attr-defined]
        return test

    return one_test


def _broken(rule: Callable[[T], None], row: T) -> str:
    """Return why a row breaks the rule, empty if it does not."""
    try:
        rule(row)
    except Exception as error:  # noqa: BLE001 - a row that lacks a key breaks the rule just as well
        return f"{type(error).__name__}: {error}"
    return ""
