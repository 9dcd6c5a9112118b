"""A store in Redis: what several exporters keep together."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

from exporter.errors import StoreError
from exporter.store.records import SPENDING_KEPT_DAYS, Retention
from exporter.store.redis.address import Address
from exporter.store.redis.connect import Connection
from exporter.store.redis.history import History
from exporter.store.redis.kept import Kept
from exporter.store.redis.ledger import Ledger
from exporter.store.redis.owners import Owners

log = logging.getLogger(__name__)

FORMAT = 1
"""Of the keys. A new field of a document does not change it."""


class RedisStore(Ledger, History, Kept):
    """A store that several exporters share. Used by one thread at a time."""

    def prune(self, now: datetime, retention: Retention) -> int:
        """Delete some of what is older than it is kept."""
        gone = self.prune_runs(now, retention)
        gone += self.prune_kept(now, now - timedelta(seconds=retention.failures_s))
        self.prune_spent(f"{now - timedelta(days=SPENDING_KEPT_DAYS):%Y-%m-%d}")
        return gone

    def close(self) -> None:
        """Let go of it. What is in progress stays this exporter's, as long as it is heard of."""
        self._connection.close()


class RedisOpener:
    """Opens the store of one exporter, as often as the connection is lost: an `open_store`."""

    def __init__(self, address: Callable[[], Address], prefix: str) -> None:
        """Set up; nothing is connected yet.

        Args:
            address: Returns where Redis is, and may raise `StoreError`: the password may change.
            prefix: Of all keys.
        """
        self._address = address
        self._prefix = prefix
        self._owner = uuid4().hex
        self._looked = False

    def __call__(self) -> RedisStore:
        """Open it.

        Raises:
            StoreError: Redis cannot be used, or its data are of a newer program.
        """
        connection = Connection(self._address(), self._prefix)
        try:
            self._check_format(connection)
            self._look(connection)
            store = RedisStore(connection, Owners(connection, self._owner))
            store.identity()  # no run begins on sums that were lost
        except BaseException:
            connection.close()
            raise
        return store

    def _check_format(self, connection: Connection) -> None:
        key = connection.key("format")
        connection.ask("SETNX", key, FORMAT)
        found = connection.ask("GET", key)
        if found != str(FORMAT):
            raise StoreError(
                f"Redis has keys {key} of format {found}, which this voice-exporter does not "
                f"know; expected {FORMAT}, or another store.redis.prefix"
            )

    def _look(self, connection: Connection) -> None:
        """Warn once where Redis may lose what it was given."""
        if self._looked:
            return
        self._looked = True
        try:
            about = connection.ask("INFO")
        except StoreError:  # such as without the right to ask
            return
        if about.get("aof_enabled") == 0:
            log.warning(
                "redis loses the latest writes when it ends; expected: appendonly yes",
                extra={"setting": "store.redis"},
            )
        if about.get("maxmemory") and about.get("maxmemory_policy") != "noeviction":
            log.warning(
                "redis may drop budgets when its memory is full; expected: maxmemory-policy "
                "noeviction",
                extra={"setting": "store.redis", "policy": about["maxmemory_policy"]},
            )
