"""Where certificates are looked for, and how long a way took."""

import asyncio
from typing import Any

import pytest

from exporter.errors import ProbeError
from exporter.outcome import Reason, Transport
from exporter.probes.reach.measure import Ways, tls_places
from exporter.rtc.client import Client
from exporter.rtc.signalling import Joined
from exporter.rtc.stats import Candidate, Path, Snapshot
from exporter.rtc.tasks import at_once
from tests import virtual_time
from tests.fake_call.api import SERVER
from tests.virtual_time import Clock

CONNECTING_S, LEAVING_S = 0.5, 2.0


class SlowLeaver(Client):
    """A client that is connected by UDP in half a second, and takes its time to leave."""

    async def connect(self, url: str, token: str, timeout_s: float, **_more: Any) -> float:
        """Enter."""
        assert url
        assert token
        assert timeout_s > CONNECTING_S
        await asyncio.sleep(CONNECTING_S)
        return CONNECTING_S

    async def read(self) -> Snapshot:
        """Tell that media goes by UDP."""
        end = Candidate("host", "udp", "10.0.0.1", 7882)
        return Snapshot((Path(end, end, 1, 1, 0.001),), (), (), (), ())

    async def leave(self) -> None:
        """Leave, when the server has taken note."""
        await asyncio.sleep(LEAVING_S)


def test_the_time_of_a_way_ends_when_media_flows() -> None:
    """To leave again is no part of it."""

    async def story(_clock: Clock) -> Transport:
        return await Ways(SERVER, "room", 8.0, Joined(0.1, "1.13", ()), SlowLeaver).udp()

    way = virtual_time.run(story)
    assert way.works
    assert way.seconds == pytest.approx(CONNECTING_S)


def test_what_ends_one_way_ends_the_others_first() -> None:
    """None of them goes on in a room that is deleted meanwhile."""
    left: list[str] = []

    async def way(name: str, seconds: float, error: ProbeError | None = None) -> str:
        try:
            await asyncio.sleep(seconds)
            if error is not None:
                raise error
        finally:
            await asyncio.sleep(LEAVING_S)
            left.append(name)
        return name

    async def story(_clock: Clock) -> None:
        assert await at_once((way("udp", 1.0), way("tcp", 0.5))) == ["udp", "tcp"]
        left.clear()
        with pytest.raises(ProbeError, match="why"):
            await at_once((way("udp", 9.0), way("tcp", 0.5, ProbeError(Reason.VOID, "why"))))
        assert sorted(left) == ["tcp", "udp"]

    virtual_time.run(story)


@pytest.mark.parametrize(
    ("url", "ice_urls", "places"),
    [
        ("ws://h:7880", (), []),
        ("wss://h", (), [("h", 443)]),
        ("https://h:8443/", ("stun:s:3478", "turn:t:3478?transport=udp"), [("h", 8443)]),
        ("wss://h", ("turns:t:443?transport=tcp",), [("h", 443), ("t", 443)]),
        ("wss://h", ("turns:t?transport=tcp", "turns:t:5349"), [("h", 443), ("t", 5349)]),
        ("ws://h", ("turns:[2001:db8::1]:5349",), [("2001:db8::1", 5349)]),
    ],
)
def test_every_place_with_tls(
    url: str, ice_urls: tuple[str, ...], places: list[tuple[str, int]]
) -> None:
    """The server's own, and those of its TURN servers by TLS; each once."""
    assert tls_places(url, ice_urls) == places
