"""Which of the exporters that share a Redis live, and what the others have left behind."""

import time
from collections.abc import Sequence

from exporter.store.redis.connect import Connection
from exporter.store.redis.scripts import ALIVE_S, Script

GRACE_S = 30.0
"""So long an exporter must be seen as silent: after an outage all of them come back at once."""


class Owners:
    """Who of the exporters that share a Redis lives: what is in progress is of one of them."""

    def __init__(self, connection: Connection, owner: str) -> None:
        """Begin.

        Args:
            connection: To Redis.
            owner: Names this exporter's process, and no other.
        """
        self._connection = connection
        self.owner = owner
        self._silent_since: dict[str, dict[str, float]] = {}
        """Since when the owners were silent at each look, by the key that names them."""

    def beat(self) -> None:
        """Say that this exporter lives."""
        key = self._connection.key(f"alive:{self.owner}")
        self._connection.ask("SET", key, "1", "EX", ALIVE_S)

    def claim(self, owners_key: str, script: Script) -> tuple[str, ...]:
        """Take over what exporters that have died left behind, and return its ids."""
        self.beat()
        owners = set(self._connection.ask("HVALS", self._connection.key(owners_key)))
        if gone := self._gone(owners_key, sorted(owners - {self.owner})):
            return tuple(self._connection.run(script, self.owner, *gone))
        return ()

    def _gone(self, owners_key: str, others: Sequence[str]) -> tuple[str, ...]:
        """Return those that have been silent for `GRACE_S` while Redis was there.

        Who owns nothing for a while begins anew: nobody has looked whether it lives.
        """
        before = self._silent_since.pop(owners_key, {})
        if not others:
            return ()
        keys = (self._connection.key(f"alive:{each}") for each in others)
        beats = zip(others, self._connection.ask("MGET", *keys), strict=True)
        now = time.monotonic()
        silent = {name: before.get(name, now) for name, beat in beats if beat is None}
        self._silent_since[owners_key] = silent
        return tuple(name for name, since in silent.items() if now - since >= GRACE_S)


class Room:
    """One part of the store."""

    def __init__(self, connection: Connection, owners: Owners) -> None:
        """Set up; nothing is asked yet."""
        self._connection = connection
        self._owners = owners
