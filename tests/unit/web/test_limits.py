"""What keeps a stranger from wearing the exporter out: rates, password checks, quiet logs."""

import asyncio
import base64
import logging
import socket
from pathlib import Path

import bcrypt
import pytest
from prometheus_client import CollectorRegistry

from exporter.metrics.registry import Metrics
from exporter.web.refusals import RefusalReason, Refusals
from exporter.web.server import Acceptor, listen, shown
from exporter.web.settings import WebSettings
from exporter.web.web_config import BasicAuth, RateLimiter, TooManyChecks
from tests.unit.web.asking import Site


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_rate_limiter() -> None:
    """A burst at once, then one in each interval; a pause fills it again, and no further."""
    clock = Clock()
    limiter = RateLimiter(0.5, 2, clock)
    assert [limiter.take() for _ in range(3)] == [True, True, False]
    clock.now += 0.5
    assert [limiter.take() for _ in range(2)] == [True, False]
    clock.now += 3600
    assert [limiter.take() for _ in range(3)] == [True, True, False]


def test_rate_limit_of_the_file(tmp_path: Path) -> None:
    """More requests than allowed get 429, and are counted."""
    file = tmp_path / "web.yml"
    file.write_text("rate_limit: {interval: 1h, burst: 2}")
    site = Site(file=file)
    assert [site.ask("GET", "/-/healthy").status_code for _ in range(3)] == [200, 200, 429]
    assert site.refused("rate") == 1


def _answers(listener: socket.socket, host: str) -> bool:
    try:
        with socket.create_connection((host, listener.getsockname()[1]), timeout=5):
            return True
    except ConnectionRefusedError:
        return False


def test_every_address_is_of_both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """`:PORT` is reached by IPv6 and by IPv4; by IPv4 where the kernel has no IPv6."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("this kernel has no IPv6")
    with listen(WebSettings(listen_address=":0")) as listener:
        assert (_answers(listener, "::1"), _answers(listener, "127.0.0.1")) == (True, True)
        assert shown(listener).startswith("[::]:")
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with listen(WebSettings(listen_address=":0")) as listener:
        assert (_answers(listener, "::1"), _answers(listener, "127.0.0.1")) == (False, True)
        assert shown(listener).startswith("0.0.0.0:")


def test_one_address_is_of_its_family() -> None:
    """An address that is written is listened on, and no other."""
    with listen(WebSettings(listen_address="127.0.0.1:0")) as listener:
        assert (_answers(listener, "::1"), _answers(listener, "127.0.0.1")) == (False, True)


def test_a_socket_that_accepts_nothing_leaves_the_loop_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever the system says about the listener, the rest goes on, and it is told."""

    async def scenario() -> None:
        with socket.socket() as deaf:  # it does not listen
            acceptor = Acceptor(deaf, lambda *_: None)
            for _ in range(10):
                await asyncio.sleep(0)
            acceptor.close()
            await acceptor.wait_closed()

    asyncio.run(scenario())
    assert caplog.messages == ["cannot accept connections"]


def test_refusals_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """A flood is one line a minute for each reason; the next line says how many there were."""
    clock = Clock()
    registry = CollectorRegistry()
    refusals = Refusals(Metrics(registry, "sfu"), clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            refusals.note(RefusalReason.TOKEN, "192.0.2.7", "/-/reload")
        refusals.note(RefusalReason.HOST, "127.0.0.1")
        clock.now += 60
        refusals.note(RefusalReason.TOKEN, "192.0.2.7", "/-/reload")
    lines = [(vars(each)["reason"], vars(each)["more_since"]) for each in caplog.records]
    assert lines == [("token", None), ("host", None), ("token", 4)]
    labels = {"server": "sfu", "reason": "token"}
    name = "voice_exporter_http_requests_refused_total"
    assert registry.get_sample_value(name, labels) == 6


def test_series_of_every_reason_exist_from_the_start() -> None:
    """At 0, so that an increase from nothing is an increase."""
    site = Site()
    assert {site.refused(reason) for reason in RefusalReason} == {0}


def header(user: str, password: bytes) -> str:
    """Return the header of basic auth."""
    return "Basic " + base64.b64encode(user.encode() + b":" + password).decode()


class Counting:
    """Counts checks of bcrypt, each done for real."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hashes: list[bytes] = []
        check = bcrypt.checkpw

        def counted(password: bytes, hashed: bytes) -> bool:
            self.hashes.append(hashed)
            return check(password, hashed)

        monkeypatch.setattr(bcrypt, "checkpw", counted)


def users() -> dict[str, str]:
    """Return two users, the second with the dearer hash."""
    return {
        "ali": bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode(),
        "sindbad": bcrypt.hashpw(b"\xff roc", bcrypt.gensalt(5)).decode(),
    }


def test_good_passwords_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bcrypt runs once for a good password, each time for a wrong one, never for none."""
    counting = Counting(monkeypatch)
    auth = BasicAuth(users())

    async def ask(*headers: str) -> list[bool]:
        return [await auth.accepts(each) for each in headers]

    good, wrong = header("ali", b"sesame"), header("ali", b"sesam")
    assert asyncio.run(ask(good, good, good)) == [True] * 3
    assert len(counting.hashes) == 1
    assert asyncio.run(ask(wrong, wrong)) == [False] * 2
    assert len(counting.hashes) == 3
    assert asyncio.run(ask("", "Basic", "Basic \N{SNOWMAN}", "Bearer x")) == [False] * 4
    assert len(counting.hashes) == 3
    assert asyncio.run(ask(header("sindbad", b"\xff roc"))) == [True]


def test_an_unknown_user_costs_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash is checked for a name that nobody has, and not the cheapest one."""
    counting = Counting(monkeypatch)
    known = users()
    assert not asyncio.run(BasicAuth(known).accepts(header("nobody", b"\xff roc")))
    assert counting.hashes == [known["sindbad"].encode()]


def test_nothing_holds_a_password() -> None:
    """After a check the password is nowhere in what is kept."""
    auth = BasicAuth(users())
    asyncio.run(auth.accepts(header("ali", b"sesame")))
    assert "sesame" not in str(vars(auth))


def test_a_flood_of_passwords_is_turned_away() -> None:
    """So many may wait; the rest is told to come again, and the good are not lost among them."""
    auth = BasicAuth(users())

    async def flood() -> list[bool | BaseException]:
        asked = (auth.accepts(header("ali", f"{n}".encode())) for n in range(40))
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(flood())
    assert sum(isinstance(each, TooManyChecks) for each in answers) == 24
    assert answers.count(False) == 16
    assert asyncio.run(auth.accepts(header("ali", b"sesame")))


def test_passwords_longer_than_bcrypt_reads() -> None:
    """As everywhere with bcrypt, 72 bytes count; a longer one is no error."""
    auth = BasicAuth({"ali": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()})
    assert asyncio.run(auth.accepts(header("ali", b"x" * 100)))
    assert not asyncio.run(auth.accepts(header("ali", b"x" * 71)))
