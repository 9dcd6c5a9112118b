"""What the tests of the stores share."""

from collections.abc import Iterator

import pytest

from tests.redis_server import RedisServer, require_redis


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis of the whole run; each test has a prefix of its own. Do not stop it."""
    require_redis()
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server
