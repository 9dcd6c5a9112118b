"""The rooms of one ramp: made before anybody comes, deleted whatever happens."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from exporter.server_api import Server, ServerApi, delete_rooms

EMPTY_TIMEOUT_S = 60
"""An SFU at its limit lets clients wait, and must not close their room meanwhile."""


class Rooms:
    """Rooms that nobody else has: their names begin with a prefix that is random."""

    def __init__(self, server: Server, prefix: str, on_room: Callable[[str], None]) -> None:
        """Set up; nothing is made yet.

        Args:
            server: Where.
            prefix: Of their names, of this ramp alone.
            on_room: Told of each room before it is made.
        """
        self._server = server
        self._prefix = prefix
        self._on_room = on_room
        self._made: list[str] = []

    async def names(self, count: int) -> list[str]:
        """Return the names of so many rooms, which exist.

        Raises:
            ProbeError: The server does not make one.
        """
        async with ServerApi(self._server) as api:
            while len(self._made) < count:
                name = f"{self._prefix}-{len(self._made)}"
                self._on_room(name)
                self._made.append(name)
                await api.create_room(name, empty_timeout_s=EMPTY_TIMEOUT_S)
        return self._made[:count]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What could not be deleted closes by itself when its clients are gone.
        await delete_rooms(self._server, self._made)
