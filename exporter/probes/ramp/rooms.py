"""The rooms of one ramp: made before anybody comes, deleted whatever happens."""

from collections.abc import Callable, Sequence
from typing import Self

from exporter.server_api import Server, ServerApi, delete_rooms

PAIR = 2


def grown(sizes: Sequence[int], clients: int) -> list[int]:
    """Return the sizes of rooms that hold so many clients, beginning with those that are there.

    Args:
        sizes: Of the rooms that exist, each at least 2.
        clients: Wanted in all rooms together; at least 2, and no fewer than there are.
    """
    rooms = list(sizes)
    missing = clients - sum(rooms)
    pairs, odd = divmod(missing, PAIR)
    rooms += [PAIR] * pairs
    if odd:
        # Alone in a room it would have nobody to hear. A new pair takes it, else a small room.
        place = len(rooms) - 1 if pairs else rooms.index(min(rooms))
        rooms[place] += 1
    return rooms


def shared_out(sizes: Sequence[int], before: Sequence[int], per_process: int) -> list[int]:
    """Return for each room the number of the process that holds it.

    Args:
        sizes: Of all rooms.
        before: The processes of those rooms that were there before; they stay where they are.
        per_process: Clients that one process may hold; a room that grew may bring one more.
    """
    places = list(before)
    for size in sizes[len(places) :]:
        held = [0] * (max(places, default=-1) + 1)
        for place, there in zip(places, sizes, strict=False):
            held[place] += there
        fitting = (place for place, clients in enumerate(held) if clients + size <= per_process)
        places.append(next(fitting, len(held)))
    return places


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

    async def __aexit__(self, *_: object) -> None:
        # What could not be deleted closes by itself when its clients are gone.
        await delete_rooms(self._server, self._made)
