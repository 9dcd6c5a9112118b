"""The connection to Redis, and where the errors of redis-py end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import NoScriptError, RedisClusterException, RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from exporter.errors import StoreError
from exporter.store.redis.address import Address
from exporter.store.redis.scripts import Script

ANSWER_S = 5.0
"""How long Redis may take to accept a connection, and to answer."""
_WHY_LENGTH = 200


class Connection:
    """Asks Redis, in one thread at a time. Every method may raise `StoreError`."""

    def __init__(self, address: Address, prefix: str) -> None:
        """Prepare; the first question connects.

        Args:
            address: Where it is.
            prefix: Of all keys. It is their hash tag: in a cluster all of them are on one node, as
                what is done in one step must be.
        """
        self._address = address
        self._prefix = prefix
        with translated(self._address):
            self._client = client(address)

    def key(self, name: str) -> str:
        """Return the full name of a key."""
        return f"{{{self._prefix}}}:{name}"

    def ask(self, command: str, *words: str | float) -> Any:
        """Send one command, and return what redis-py makes of the answer."""
        with translated(self._address):
            return self._client.execute_command(command, *words)

    def run(self, script: Script, *words: str | float) -> Any:
        """Have Redis do a script in one step.

        Args:
            script: What it does.
            words: Its arguments, after the prefix of all keys.
        """
        arguments = (len(script.keys), *map(self.key, script.keys), self.key(""), *words)
        with translated(self._address):
            try:
                return self._client.execute_command("EVALSHA", script.digest, *arguments)
            except NoScriptError:  # its first time, or Redis was started again
                return self._client.execute_command("EVAL", script.text, *arguments)

    def close(self) -> None:
        """Let go of it."""
        with translated(self._address):
            self._client.close()


@contextmanager
def translated(address: Address) -> Iterator[None]:
    """Let what goes wrong there be a `StoreError` that says where."""
    try:
        yield
    except (RedisError, RedisClusterException, OSError) as error:  # the second is none of the first
        why = " ".join(str(error).split())[:_WHY_LENGTH] or type(error).__name__
        raise StoreError(f"cannot use Redis at {address.place}: {why}") from error


def client(address: Address, answer_s: float = ANSWER_S) -> Any:
    """Return a client of redis-py, whose answers are text. Only that of a cluster connects here.

    Args:
        address: Where the Redis is.
        answer_s: How long it may take to accept a connection, and to answer.
    """
    common: dict[str, Any] = {
        "username": address.username,
        "password": address.password,
        "decode_responses": True,
        "protocol": 2,  # one form of answers from each version
        "socket_timeout": answer_s,
        "socket_connect_timeout": answer_s,
    }
    tls = {name: value for name, value in address.options.items() if name.startswith("ssl_")}
    if address.tls:
        common |= {"ssl": True, **tls}
    if address.kind == "cluster":
        nodes = [ClusterNode(*each) for each in address.hosts]  # type: ignore[no-untyped-call] # redis-py has no types there
        return RedisCluster(startup_nodes=nodes, **common)
    # A connection that a restart of Redis has broken is made again at once, and no later: the
    # buffer before this store waits and tries again itself.
    common |= {"db": address.database, "retry": Retry(NoBackoff(), 1)}
    if address.kind == "socket":
        return Redis(unix_socket_path=address.path, **common)
    if address.kind == "sentinel":
        own = {
            name.removeprefix("sentinel_"): value
            for name, value in address.options.items()
            if name not in tls
        }
        timeouts = {"socket_timeout": answer_s, "socket_connect_timeout": answer_s}
        more = {**own, **timeouts, **({"ssl": True, **tls} if address.tls else {})}
        sentinel = Sentinel([*address.hosts], sentinel_kwargs=more, **common)  # type: ignore[no-untyped-call] # nor there
        return sentinel.master_for(address.path)  # type: ignore[no-untyped-call] # nor there
    ((host, port),) = address.hosts
    return Redis(host=host, port=port, **common)
