"""A daemon that stood still: nobody whom it could not hear meanwhile is offline for that."""

import asyncio
import time
from unittest.mock import Mock

import pytest

from exporter.daemon import fleet
from exporter.daemon.fleet import Fleet
from tests.patience import comes_true

STEP_S = 0.05


@pytest.mark.parametrize(("blocked_s", "away"), [(0.0, False), (5 * STEP_S, True)])
def test_the_roster_hears_of_it(
    monkeypatch: pytest.MonkeyPatch, blocked_s: float, away: bool
) -> None:
    """1. The loop is blocked between two looks. Result: silence begins anew before the next."""
    monkeypatch.setattr(fleet, "STEP_S", STEP_S)
    watched = Fleet.__new__(Fleet)
    watched.roster, watched._metrics = Mock(), Mock()
    looks: list[bool] = []
    watched._metrics.follow = lambda: looks.append(watched.roster.was_away.called)

    async def story() -> None:
        watching = asyncio.create_task(watched.watch())
        await asyncio.sleep(0)
        time.sleep(blocked_s)  # noqa: ASYNC251 - that is the point
        await comes_true(lambda: len(looks) > 1)
        watching.cancel()

    asyncio.run(story())
    assert looks[:2] == [False, away]
