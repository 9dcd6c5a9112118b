"""The baseline against a real server: what it measures, and how it fails.

Whether it tells the truth about a network is held in tests/netlab, over links that are known.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from exporter import logs
from exporter.outcome import Outcome, Reason, SfuBaseline
from exporter.probe import ROOM_PREFIX
from exporter.probes.sfu.spec import SfuConfig
from exporter.rtc.pings import LOST_AFTER_S
from exporter.run.runner import Runner
from exporter.server_api import Server, ServerApi
from tests.command import run_here

pytestmark = pytest.mark.integration

SHORT = SfuConfig(pings=20, packets=200)


Take = Callable[[Server, SfuConfig], Outcome]


@pytest.fixture(scope="module", name="take")
def _take(livekit: Server) -> Iterator[Take]:
    """Takes a baseline as the daemon does: all of them in one process, which imports the SDK."""
    with asyncio.Runner() as loop:

        async def start() -> Runner:
            return Runner(livekit, processes=1)

        runner = loop.run(start())

        def take(server: Server, config: SfuConfig) -> Outcome:
            runner.reconfigure(server, logs.LogSetup(secrets=(server.api_secret,)))
            return loop.run(runner.run("sfu", config))

        yield take
        loop.run(runner.aclose())


def our_rooms(server: Server) -> list[str]:
    """Return the rooms that probes made and left behind."""

    async def ask() -> list[str]:
        async with ServerApi(server) as api:
            return [name for name in await api.list_rooms() if name.startswith(ROOM_PREFIX)]

    return asyncio.run(ask())


def test_a_baseline_over_loopback(livekit: Server, take: Take) -> None:
    """Nothing is lost, media go by UDP, each phase takes its time, and no room is left.

    A busy machine spoils messages: then more are sent, up to twice as many, and all are accounted
    for. How true the figures are is held in tests/netlab.
    """
    outcome = take(livekit, SHORT)
    assert outcome.ok, outcome.detail
    found = outcome.result
    assert isinstance(found, SfuBaseline)
    answered = len(found.round_trips_s) + found.lost
    assert answered + found.voids == found.pings
    assert (answered == 20 and found.pings < 40) or (answered <= 20 and found.pings == 40)
    assert found.lost == 0
    assert found.floor_s is not None
    assert found.floor_s > 0
    assert 0 <= min(found.round_trips_s) <= max(found.round_trips_s) < LOST_AFTER_S
    assert found.ice_round_trips_s
    assert (found.transport, found.candidate_type) == ("udp", "host")
    for loss in (found.loss_up, found.loss_down):
        assert loss is not None
        assert loss.packets >= 200
        assert loss.lost == 0
    assert found.concealed is not None
    assert found.connect.signal_s > 0
    assert found.connect.ice_s > 0
    assert found.connect.media_s > 0
    assert all(address.startswith("127.0.0.1:") for address in found.udp_addresses)
    assert our_rooms(livekit) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"url": "ws://127.0.0.1:1"}, Reason.CONNECT_FAILED),
        ({"api_secret": "x" * 32}, Reason.AUTH_FAILED),
    ],
    ids=["unreachable", "refused"],
)
def test_server_that_does_not_serve_us(
    livekit: Server, take: Take, change: dict[str, str], reason: Reason
) -> None:
    """No connection and refused credentials each have their reason, and no figure."""
    outcome = take(replace(livekit, **change), SHORT)
    assert (outcome.reason, outcome.result) == (reason, None)


def test_a_baseline_that_is_cut_short_tells_what_it_has(livekit: Server, take: Take) -> None:
    """At its deadline the round trips so far are told, with the reason; no room is left."""
    endless = SHORT.model_copy(update={"packets": 1_000_000, "deadline": 10.0})
    outcome = take(livekit, endless)
    assert outcome.reason is Reason.DEADLINE
    assert isinstance(outcome.result, SfuBaseline)
    assert len(outcome.result.round_trips_s) > 0
    assert our_rooms(livekit) == []


def test_command(livekit: Server) -> None:
    """`sfu --json` prints one document and nothing else; its verdict is that of its figures.

    On loopback a busy prober may take more than all of a round trip for its own share.
    """
    arguments = ("--json", "--pings", "20", "--packets", "50", "--vantage", "lab")
    status, out, err = run_here(livekit, "sfu", *arguments, "--target-rtt-ms", "0.001")
    document = json.loads(out)
    assert err == []
    assert document["baseline"]["vantage"] == "lab"
    slow = document["baseline"]["rtt_ms"]["p50"] > 0.001
    assert any(each.startswith("SLOW: round trip ") for each in document["findings"]) == slow
    assert (document["verdict"] == "PASS") == (document["findings"] == [])
    assert status == (0 if document["verdict"] == "PASS" else 1)
