"""How the daemon runs a probe: in a group on the leash of its lease, and judged by all it knows."""

from collections.abc import Awaitable, Callable
from functools import partial

from exporter.config.values import ProbeSection
from exporter.daemon.fleet import Fleet
from exporter.daemon.group import Group
from exporter.daemon.known_rooms import KnownRooms
from exporter.outcome import Outcome, Turn
from exporter.run.runner import Runner


class Runs:
    """The runner, and what the daemon knows besides: rooms, workers, leases."""

    def __init__(self, runner: Runner, known_rooms: KnownRooms, fleet: Fleet) -> None:
        """Set up, without a group.

        Args:
            runner: Runs a probe in a process.
            known_rooms: Hands the picture of one listing to the next.
            fleet: Judges a listing by those before it, and by the workers.
        """
        self._runner = runner
        self._known_rooms = known_rooms
        self._fleet = fleet
        self.group: Group | None = None
        """Whose leases runs need; set once, before the first run."""

    async def run(
        self,
        probe: str,
        config: ProbeSection,
        run_id: str,
        /,
        *,
        soon: bool = False,
        on_start: Callable[[], Awaitable[None]] | None = None,
        on_turn: Callable[[Turn], None] | None = None,
    ) -> Outcome:
        """Run a probe once: a `RunProbe`."""
        before = self._known_rooms.before if probe == "agents" else None
        run = partial(self._runner.run, probe, config, run_id, soon=soon, before=before)
        if self.group is None:
            found = await run(on_start=on_start, on_turn=on_turn)
        else:
            found = await self.group.fenced(
                probe, config, run_id, run, on_start=on_start, on_turn=on_turn
            )
        return self._fleet.judged(self._known_rooms.take(found))
