"""The server API, as far as a call asks it."""

from collections.abc import Callable, Iterable
from typing import Self

from exporter.errors import ProbeError
from exporter.server_api import Server, ServerApi
from exporter.server_api.records import Dispatch, Job, Participant

SERVER = Server("ws://livekit.test", "key", "a-secret-of-at-least-thirty-two-characters", "test")


class FakeApi(ServerApi):
    """Rooms and dispatches in memory.

    Args:
        on_dispatch: Called with the agent's name for each dispatch; returns who took it.
        fails: Requests by their names, and what each raises.

    Attributes:
        rooms: Those that exist now.
        made: Every room that was ever made.
        people: Identities of those who are in any room.
    """

    def __init__(
        self,
        on_dispatch: Callable[[str], tuple[str, ...]],
        fails: dict[str, ProbeError] | None = None,
    ) -> None:
        super().__init__(SERVER)
        self._on_dispatch = on_dispatch
        self._fails = fails or {}
        self.rooms: set[str] = set()
        self.people: tuple[str, ...] = ()
        self.made: list[str] = []
        self.dispatches: dict[str, Dispatch] = {}
        self.metadata: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Free nothing."""

    async def list_rooms(self, names: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the names of all rooms, or of those among `names` that exist."""
        self._check("list_rooms")
        return tuple(self.rooms & set(names or self.rooms))

    async def list_participants(self, room: str) -> tuple[Participant, ...]:
        """Return who is in a room."""
        self._check("list_participants")
        return tuple(Participant(each, "standard", {}, 1.0, hidden=False) for each in self.people)

    async def create_room(
        self, name: str, *, empty_timeout_s: int = 10, metadata: str = ""
    ) -> None:
        """Make a room."""
        self._check("create_room")
        assert empty_timeout_s == 10
        assert metadata == ""
        self.rooms.add(name)
        self.made.append(name)

    async def delete_room(self, name: str) -> None:
        """Delete a room."""
        self._check("delete_room")
        self.rooms.discard(name)

    async def create_dispatch(self, room: str, agent_name: str, metadata: str = "") -> Dispatch:
        """Ask for an agent."""
        self._check("create_dispatch")
        assert room in self.rooms
        self.metadata.append(metadata)
        jobs = tuple(Job(identity) for identity in self._on_dispatch(agent_name))
        made = Dispatch(f"AD_{len(self.metadata)}", agent_name, 0.0, jobs)
        self.dispatches[made.id] = made
        return made

    async def list_dispatch(
        self, room: str, timeout_s: float | None = None
    ) -> tuple[Dispatch, ...]:
        """Return the dispatches."""
        self._check("list_dispatch")
        assert room in self.rooms
        return tuple(self.dispatches.values())

    async def delete_dispatch(self, room: str, dispatch_id: str) -> None:
        """Take a dispatch back."""
        self._check("delete_dispatch")
        assert room in self.rooms
        del self.dispatches[dispatch_id]

    def _check(self, request: str) -> None:
        if request in self._fails:
            raise self._fails[request]
