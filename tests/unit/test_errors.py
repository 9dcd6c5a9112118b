"""Errors of the package, where several tasks may raise them."""

import asyncio
from pathlib import Path

import pytest

from exporter.errors import ProbeError, first_probe_error
from exporter.outcome import Reason

EXPORTER = Path(__file__).parents[2] / "exporter"


async def _raise(error: Exception) -> None:
    raise error


async def _grouped(*errors: Exception) -> None:
    with first_probe_error():
        async with asyncio.TaskGroup() as outer, asyncio.TaskGroup() as inner:
            for error in errors:
                inner.create_task(_raise(error))
            outer.create_task(asyncio.sleep(0))


def test_the_first_probe_error_comes_out_alone() -> None:
    """It is caught as itself on every Python, also out of nested groups."""
    first, second = ProbeError(Reason.VOID, "a"), ProbeError(Reason.DEADLINE, "b")
    with pytest.raises(ProbeError) as caught:
        asyncio.run(_grouped(first, second))
    assert caught.value is first


def test_another_error_is_not_hidden() -> None:
    """A mistake beside a ProbeError stays in the group, with both."""
    with pytest.raises(BaseExceptionGroup) as caught:
        asyncio.run(_grouped(ProbeError(Reason.VOID, "a"), KeyError("b")))
    assert caught.value.subgroup(KeyError) is not None


def test_nothing_is_raised_in_an_except_star() -> None:
    """With Python 3.11.2 it comes out in a group, which no one expects."""
    used = [file for file in EXPORTER.rglob("*.py") if "except* " in file.read_text("utf-8")]
    assert used == []
