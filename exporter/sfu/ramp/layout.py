"""How many clients meet in which room.

Pairs, as a caller and an agent do: the SFU takes and forwards one stream for each client, so its
work grows with the clients and not with their square, and so does ours. Rooms only ever grow, so
that the clients of one tier stay connected in the next.
"""

from collections.abc import Sequence

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
