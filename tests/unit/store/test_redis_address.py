"""URLs of a Redis: what is understood, and what is told of the others."""

import pytest

from exporter.store.redis.address import SCHEMES, Address, parse


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://cache", Address("server", (("cache", 6379),))),
        (
            "rediss://me:p%40ss@cache:6380/3?ssl_ca_certs=/ca.pem",
            Address(
                "server",
                (("cache", 6380),),
                tls=True,
                username="me",
                password="p@ss",  # noqa: S106 - of nobody
                database=3,
                options={"ssl_ca_certs": "/ca.pem"},
            ),
        ),
        ("redis://[::1]:7000", Address("server", (("::1", 7000),))),
        (
            "redis+sentinel://a,b:26380/mymaster/2?sentinel_password=x",
            Address(
                "sentinel",
                (("a", 26379), ("b", 26380)),
                path="mymaster",
                database=2,
                options={"sentinel_password": "x"},
            ),
        ),
        ("rediss+cluster://a,b", Address("cluster", (("a", 6379), ("b", 6379)), tls=True)),
        ("unix:///run/redis.sock", Address("socket", (), path="/run/redis.sock")),
    ],
)
def test_url_is_understood(url: str, expected: Address) -> None:
    """Host, port, database and how to sign in are known."""
    assert parse(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("cache:6379", f"is not the URL of a Redis; {SCHEMES}"),
        ("http://cache", f"is not the URL of a Redis; {SCHEMES}"),
        ("redis+magic://cache", f"is not the URL of a Redis; {SCHEMES}"),
        ("redis://:secret@", "has no valid host and port; expected HOST or HOST:PORT"),
        ("redis://cache:99999", "has no valid host and port; expected HOST or HOST:PORT"),
        ("redis://a,b", "has several hosts; expected redis+sentinel:// or redis+cluster://"),
        (
            "redis://cache/first",
            "has no valid database; expected its number after the host, such as /0",
        ),
        (
            "redis+sentinel://a",
            "names no service; expected redis+sentinel://HOST,HOST/SERVICE",
        ),
        ("redis+cluster://a/1", "has a path; a cluster has no databases, expected none"),
        ("redis://cache?ssl_ca_certs=/ca", "has an unknown option 'ssl_ca_certs'; expected none"),
        ("unix:run", "is not the URL of a Redis; " + SCHEMES),
        ("unix://run", "is not the URL of a socket; expected unix:///PATH"),
    ],
)
def test_what_is_no_url_is_one_line_without_secrets(url: str, expected: str) -> None:
    """It says what was expected, and repeats nothing that may be a password."""
    with pytest.raises(ValueError, match="expected") as caught:
        parse(url)
    assert str(caught.value) == expected


def test_place_holds_no_secret() -> None:
    """Where it is may be logged."""
    address = parse("redis+sentinel://me:secret@[::1],b/main?sentinel_password=hidden")
    assert address.place == "[::1]:26379,b:26379/main"
    assert address.secrets == ("secret", "hidden")
    assert "secret" not in repr(address)
    assert "hidden" not in repr(address)
