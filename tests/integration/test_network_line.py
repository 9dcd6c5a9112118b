"""Real calls on a bad line: through the SDK, the relay and a real server, all on this host.

What the relay does by itself is in tests/unit/relay. A machine may be late meanwhile: what is
timed is held to how late it was.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ProbeError
from exporter.outcome import CallReconnect, CallResult, LineCounts, Outcome, Reason, Verdict
from exporter.probe import Run
from exporter.probes import PROBES
from exporter.probes.latency.breaks import break_connection, fall_silent
from exporter.probes.latency.measure import place_call
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc.client import Client
from exporter.rtc.line import Received
from exporter.rtc.relay.impairment import Impairment
from exporter.rtc.relay.relay import Relay
from exporter.rtc.stats import Snapshot
from exporter.server_api import Server, ServerApi, make_token
from tests import patience
from tests.integration.scripts import Script
from tests.integration.test_truth import Notes, check_delays, write_clip
from tests.integration.voids import assert_late, measured, span
from tests.lateness import watching

pytestmark = pytest.mark.integration

DELAYS_S = (0.0, 0.1, 0.3)
ON_THE_WAY = 5
"""Packets that may be between the relay and the statistics of the SDK."""
SECONDS = 12.0
"""Of media on a line that loses packets: 600 packets each way."""


@dataclass(frozen=True, slots=True)
class LineNotes(Notes):
    """What the agent knows of each turn, and the line's part of what the caller waits for."""

    line_s: float

    @property
    def delays_s(self) -> list[float]:
        """How long after the end of each utterance its reply came, but for the way itself."""
        return [float(each) + self.line_s for each in self.delays.read_text().split()]


def target(**settings: Any) -> LatencyConfig:
    """Return a target that does not greet."""
    defaults = {"trials": 2, "greeting": "none", "join_timeout": patience.WAIT_S}
    return LatencyConfig(agent_name="truth", **(defaults | settings))


def run(server: Server) -> Run:
    """Return a run that has time."""
    return Run(f"line-{time.monotonic_ns()}", server, deadline=time.monotonic() + 300)


def result_of(outcome: Outcome) -> CallResult:
    """Return what a call found."""
    assert isinstance(outcome.result, CallResult), outcome
    return outcome.result


def spoiled(server: Server, folder: Path, delays_s: Sequence[float]) -> int:
    """Place a call for each delay of the line, and check it; return how many could not be timed.

    The relay's own counts hold for these as well.
    """
    clip, found = write_clip(folder / "clip.wav"), 0
    with watching(folder) as watch:
        for delay_s in delays_s:
            notes = LineNotes(
                folder / f"delays-{delay_s}", folder / f"depths-{delay_s}", 2 * delay_s
            )
            # Without a delay a limit that is never reached: the call goes through the relay too.
            line: dict[str, Any] = {"delay": delay_s, "rate": 100_000}
            script = Script(delays=str(notes.delays), depths=str(notes.depths)).metadata()
            config = target(metadata=script, line=line, utterance={"wav": clip})
            outcome = asyncio.run(place_call(config, run(server)))
            check_counts(outcome, delay_s, watch.worst_s(*span(outcome)))
            turns = result_of(outcome).turns
            replied = measured(turns)
            print(delay_s, f"{len(replied)} of {len(turns)} turns measured")  # noqa: T201 - n
            if not replied or len(notes.delays_s) != len(turns):
                assert_late([outcome], watch, turns[:1])
                found += 1
            else:
                check_delays(replied, turns, notes, watch.worst_s(*span(outcome)))
    return found


def check_counts(outcome: Outcome, delay_s: float, late_s: float) -> None:
    """Assert that the relay saw all RTP, dropped none of it, and held it for what was set."""
    result = result_of(outcome)
    assert result.line is not None
    assert any(line.endswith("ms") and "relay: up dropped 0 of" in line for line in outcome.log)
    for way in (result.line.up, result.line.down):
        assert way.packets > 100
        assert way.dropped == 0
        assert way.delay_p50_s is not None
        assert delay_s <= way.delay_p50_s < delay_s + 0.005 + late_s


def test_a_call_is_later_by_the_delay_of_both_ways(truth: Server, tmp_path: Path) -> None:
    """Each measured turn reads the true delay, twice the line's, and the way without it."""
    spoiled(truth, tmp_path, [0.1])


@pytest.mark.long
def test_calls_are_later_by_any_delay(truth: Server, tmp_path: Path) -> None:
    """Without a delay, and with one that a satellite has; a busy machine may spoil one of them."""
    assert spoiled(truth, tmp_path, DELAYS_S) <= 1


async def talk(server: Server, loss: float, seconds: float) -> tuple[Snapshot, LineCounts]:
    """Let one talk to another through a line; return its statistics and the relay's."""
    line = Impairment(loss=loss, burst=2.0 if loss else 1.0)
    room = f"line-{time.monotonic_ns()}"
    async with AsyncExitStack() as stack:
        relay = stack.enter_context(Relay(server.url, line, line, seed="1"))
        near, far = Client(f"{room}-near"), Client(f"{room}-far")
        for client, by in ((far, None), (near, relay.rtc_config)):
            stack.push_async_callback(client.leave)
            token = make_token(server, identity=client.identity, room=room)
            await client.connect(server.url, token, patience.WAIT_S, receive=True, rtc_config=by)
            await client.publish(1, patience.WAIT_S)
        await asyncio.sleep(seconds)
        counts, snapshot = await _agreed(relay, near)
        async with ServerApi(server) as api:
            await api.delete_room(room)
    return snapshot, counts


async def _agreed(relay: Relay, client: Client) -> tuple[LineCounts, Snapshot]:
    """Read both until the client has seen all but what is on its way; a late machine takes time."""
    async with asyncio.timeout(patience.WAIT_S):
        while True:
            snapshot, counts = await client.read(), relay.counts()
            if counts.down.sent - sum(each.packets for each in snapshot.received) <= ON_THE_WAY:
                return counts, snapshot
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("loss", "seconds"),
    [
        (0.1, 4.0),
        pytest.param(0.0, SECONDS, marks=pytest.mark.long),
        pytest.param(0.02, SECONDS, marks=pytest.mark.long),
        pytest.param(0.1, SECONDS, marks=pytest.mark.long),
    ],
)
def test_rtp_statistics_know_of_the_same_loss(loss: float, seconds: float, livekit: Server) -> None:
    """Media goes through the relay alone, and what it dropped is what both sides miss."""
    snapshot, counts = asyncio.run(talk(livekit, loss, seconds))
    assert snapshot.path is not None
    assert snapshot.path.transport == "turn"
    (came,) = snapshot.received
    assert abs(came.packets - counts.down.sent) <= ON_THE_WAY
    assert abs(came.lost - counts.down.lost) <= ON_THE_WAY  # before the first there is no gap
    reported = snapshot.reports[0].lost
    assert counts.up.lost * 0.6 - ON_THE_WAY <= reported <= counts.up.lost + 1  # up to 5 s old
    if not loss:
        assert counts.up.dropped == counts.down.dropped == 0


@pytest.mark.long  # unit/relay/test_network_line.py
def test_a_relay_that_cannot_be_used_is_no_failure_of_the_agent(
    livekit: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's media does not answer it: UNKNOWN, and the reason says why."""

    class Mute(Relay):
        answered = 0

        def start(self) -> None:
            super().start()
            self.silence(300)

    monkeypatch.setattr("exporter.probes.latency.relaying.Relay", Mute)
    config = target(line={"delay": "10ms"})
    outcome = asyncio.run(place_call(config, run(livekit)))
    assert outcome.reason is Reason.VOID, outcome
    assert "no relay can be used here" in outcome.detail
    assert PROBES["latency"].judged(config, outcome).verdict is Verdict.UNKNOWN


_RARE = ("silence", "signal", "migration")


class Heard(Client):
    """A client of which is known how much it has received, as of a caller."""

    async def received(self) -> Received | None:
        """Read the counters of all that was heard; None while there are none."""
        try:
            streams = (await self.read()).received
        except ProbeError:  # while it connects again
            return None
        return Received(sum(each.packets for each in streams), 0.0, 0) if streams else None


async def come_back(server: Server, kind: str) -> tuple[CallReconnect, int, Snapshot]:
    """Break a connection through a relay; return what came of it, and how it goes on.

    The number is that of relayed addresses that the SDK has asked for.
    """
    room = f"line-{time.monotonic_ns()}"
    async with AsyncExitStack() as stack:
        relay = stack.enter_context(Relay(server.url, Impairment(), Impairment()))
        near, far = Heard(f"{room}-near"), Client(f"{room}-far")
        for client, by in ((far, None), (near, relay.rtc_config)):
            stack.push_async_callback(client.leave)
            token = make_token(server, identity=client.identity, room=room)
            await client.connect(server.url, token, patience.WAIT_S, receive=True, rtc_config=by)
            await client.publish(1, patience.WAIT_S)
        await patience.comes_true(lambda: relay.counts().down.sent > 25)
        if kind == "silence":
            found = await fall_silent(near, relay, 2.0, patience.WAIT_S)
        else:
            found = await break_connection(near, kind, patience.WAIT_S)
        before = relay.counts().down.sent
        await patience.comes_true(lambda: relay.counts().down.sent > before + 25)
        snapshot = await near.read()
        async with ServerApi(server) as api:
            await api.delete_room(room)
    return found, relay.allocated, snapshot


@pytest.mark.parametrize(
    "kind",
    ["full", *(pytest.param(kind, marks=pytest.mark.long) for kind in _RARE)],
)
def test_a_broken_connection_comes_back_by_the_relay(kind: str, livekit: Server) -> None:
    """It takes a while, and media goes through the relay alone afterwards as before."""
    found, allocated, snapshot = asyncio.run(come_back(livekit, kind))
    assert found.kind == kind
    assert found.seconds is not None
    assert (2.0 if kind == "silence" else 0.0) < found.seconds < patience.WAIT_S
    assert snapshot.path is not None
    assert snapshot.path.transport == "turn"
    assert allocated >= 1, found
