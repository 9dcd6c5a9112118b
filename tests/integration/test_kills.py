"""kill -9 of the exporter in the middle of calls: nothing is lost, nothing is left."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.server_api import Server
from tests import patience
from tests.integration.killing import AGENT, PLAN, Site
from tests.integration.workers import truth_worker

pytestmark = pytest.mark.integration


Moment = Callable[[], bool]


@pytest.mark.long  # unit/store/test_sqlite.py, unit/test_leftovers.py, test_runner.py
def test_killed_exporter_loses_only_the_call_in_flight(livekit: Server, tmp_path: Path) -> None:
    """1. A call has taken a turn. 2. kill -9. 3. Start again.

    Result: rooms and processes of the killed are gone, every call that the agent heard is in the
    ledger, and each killed one has cost all of its plan.
    """
    site = Site(livekit, tmp_path)
    _kill_at(site, tmp_path, lambda killed: [lambda: _was_heard(site, killed)])


@pytest.mark.long
def test_exporter_is_killed_again_and_again(livekit: Server, tmp_path: Path) -> None:
    """The same of three in a row: with a room and no turn yet, with a turn taken, with a room."""
    site = Site(livekit, tmp_path)

    def moments(killed: set[str]) -> list[Moment]:
        def has_room() -> bool:
            return bool(site.open_runs() & site.rooms().keys() - killed)

        return [has_room, lambda: _was_heard(site, killed), has_room]

    _kill_at(site, tmp_path, moments)


def _was_heard(site: Site, killed: set[str]) -> bool:
    return bool(site.open_runs() & site.heard_in().keys() - killed)


def _kill_at(site: Site, folder: Path, moments: Callable[[set[str]], list[Moment]]) -> None:
    """Kill and start an exporter at each moment, and hold its ledger against the agent's."""
    killed: set[str] = set()
    times = moments(killed)

    def is_clean() -> bool:
        return not killed & site.rooms().keys()

    with truth_worker(site.server, folder, AGENT):
        try:
            site.start()
            for moment in times:
                site.until(moment, patience.START_S)
                killed.update(site.open_runs())
                site.kill()
                site.start()
                site.until(is_clean, patience.WAIT_S)
        finally:
            site.stop()
        site.until(lambda: not site.orphans(), patience.END_S)
        assert site.stray_rooms() == set()

    account = site.account()
    assert killed <= site.open_runs() | site.ended_runs()
    assert account.unknown == 0
    assert account.spent == account.expected >= account.heard > 0
    assert account.open >= len(times)
    assert account.spent >= len(times) * PLAN.turns
