"""kill -9 of the exporter in the middle of calls: nothing is lost, nothing is left."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.server_api import Server
from tests.integration.killing import AGENT, PLAN, Site
from tests.integration.workers import truth_worker

pytestmark = pytest.mark.integration


def test_killed_exporter_loses_only_the_call_in_flight(livekit: Server, tmp_path: Path) -> None:
    """1. A call runs. 2. kill -9. 3. Start again. Once with a room, once with a turn taken.

    Result: rooms and processes of the killed are gone, every call that the agent heard is in the
    ledger, and each killed one has cost all of its plan.
    """
    site = Site(livekit, tmp_path)
    killed: set[str] = set()

    def has_room() -> bool:
        return bool(site.open_runs() & site.rooms().keys() - killed)

    def was_heard() -> bool:
        return bool(site.open_runs() & site.heard_in().keys() - killed)

    def is_clean() -> bool:
        return not killed & site.rooms().keys()

    moments: tuple[Callable[[], bool], ...] = (has_room, was_heard)
    with truth_worker(livekit, tmp_path, AGENT):
        try:
            site.start()
            for moment in moments:
                site.until(moment, 40)
                killed |= site.open_runs()
                site.kill()
                site.start()
                site.until(is_clean, 20)
        finally:
            site.stop()
        site.until(lambda: not site.orphans(), 10)
        assert site.stray_rooms() == set()

    account = site.account()
    assert killed <= site.open_runs() | site.ended_runs()
    assert account.unknown == 0
    assert account.spent == account.expected >= account.heard > 0
    assert account.open >= len(moments)
    assert account.spent >= len(moments) * PLAN.turns
