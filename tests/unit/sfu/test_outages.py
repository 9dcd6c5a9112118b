"""Connections that are lost while nobody breaks them: what is noticed, and what is made of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace

import pytest
from livekit import rtc
from livekit.rtc.room import EventTypes, RtcStats

from exporter.errors import ProbeError
from exporter.outcome import ConnectTimes, Reason, Reconnect
from exporter.probes.sfu import measure as baseline
from exporter.probes.sfu.spec import SfuConfig
from exporter.rtc.client import Client
from exporter.rtc.gaps import Outage, Span, unprovoked
from exporter.rtc.lag import LagMonitor
from exporter.rtc.pair import Pair
from tests import virtual_time
from tests.fake_call.calls import watched
from tests.unit.sfu.baselines import GOOD
from tests.virtual_time import Clock


def heard(*parts: tuple[float, float]) -> tuple[Span, ...]:
    """Return when packets came, as readings of half a second would tell."""
    return tuple(_spans(parts))


def _spans(parts: Iterable[tuple[float, float]]) -> Iterator[Span]:
    for first_s, last_s in parts:
        at_s = first_s
        while at_s < last_s:
            yield Span(at_s, min(at_s + 0.5, last_s))
            at_s += 0.52


def times(found: Reconnect) -> tuple[float, float]:
    """Return how long it took to resume, and how long nothing was heard."""
    assert found.resume_s is not None
    assert found.media_gap_s is not None
    return found.resume_s, found.media_gap_s


def test_a_cut_is_one_break() -> None:
    """Both lose it and are back at times of their own: from the last packet to the last word."""
    outages = (Outage(115.0, 134.1), Outage(115.2, 134.4))
    (found,) = unprovoked(outages, heard((90, 100), (134.65, 140)), "", 140)
    assert (found.kind, found.reason) == ("unprovoked", None)
    assert times(found) == pytest.approx((34.4, 34.65))


def test_a_break_of_signalling_alone() -> None:
    """Media went on: there is no silence for it to begin with."""
    (found,) = unprovoked((Outage(115.0, 116.0),), heard((90, 140)), "", 140)
    assert times(found) == pytest.approx((1.0, 0.02))


def test_a_silence_that_ended_before_the_word_came() -> None:
    """The SDK needs 15 s to notice; media can be back by then."""
    (found,) = unprovoked((Outage(115.0, 116.0),), heard((90, 101), (114, 140)), "", 140)
    assert times(found) == pytest.approx((15.0, 13.0))


def test_two_breaks() -> None:
    """Media flowed between them: each has its own times."""
    outages = (Outage(115.0, 120.0), Outage(145.0, 160.0))
    first, second = unprovoked(outages, heard((90, 100), (120, 130), (160.5, 170)), "", 170)
    assert times(first) == pytest.approx((20, 20))
    assert times(second) == pytest.approx((30, 30.5))


@pytest.mark.parametrize(
    ("outage", "gone", "reason", "detail"),
    [
        (Outage(115), "", Reason.CONNECT_FAILED, "not reconnected within 50 s"),
        (
            Outage(115, 140),
            "",
            Reason.NO_AUDIO_TRACK,
            "reconnected, but no media arrived within 50 s",
        ),
        (Outage(115), "why", Reason.ROOM_CLOSED, "the SDK gave up (why)"),
    ],
)
def test_what_did_not_come_back(outage: Outage, gone: str, reason: Reason, detail: str) -> None:
    """Its reason says how far it came; the silence did not end, so it has no length."""
    (found,) = unprovoked((outage,), heard((90, 100)), gone, 150)
    assert (found.reason, found.detail, found.media_gap_s) == (reason, detail, None)


def test_without_an_outage_there_is_no_break() -> None:
    """A room that is closed on purpose was not lost, and a short cut raises no event."""
    assert unprovoked((), heard((90, 100), (103, 110)), "room_deleted", 110) == ()


CAME_BACK = Reconnect("unprovoked", 30.0, 28.0)
NOT_BACK = Reconnect("unprovoked", reason=Reason.CONNECT_FAILED, detail="not reconnected")


@pytest.mark.parametrize(
    ("lost", "seconds", "charged"),
    [
        pytest.param(CAME_BACK, 0.0, True, id="a break"),
        pytest.param(CAME_BACK, 7.0, True, id="a short standstill loses no connection"),
        pytest.param(CAME_BACK, 9.0, False, id="a long one does"),
        pytest.param(NOT_BACK, 0.0, True, id="not back"),
        pytest.param(NOT_BACK, 4.0, True, id="not back, after a short standstill"),
        pytest.param(NOT_BACK, 6.0, False, id="not back, and we did not try"),
    ],
)
def test_a_connection_that_we_lost_is_not_charged_to_the_server(
    lost: Reconnect, seconds: float, charged: bool
) -> None:
    """Who gives no sign of life is given up, and whoever stands still does not reconnect."""

    async def story(clock: Clock) -> ProbeError | None:
        began = time.monotonic()
        asyncio.get_running_loop().call_later(1.0, clock.advance, seconds)
        await asyncio.sleep(20.0)
        return baseline.lost_by_us(replace(GOOD, reconnects=(lost,)), began)

    found = virtual_time.run(watched(story))
    assert (found is None) is charged
    assert found is None or found.reason is Reason.VOID


class Site:
    """Two participants that are in no room; what their SDK tells is made up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pair = Pair(Client("a"), Client("b"), LagMonitor(), ConnectTimes(0, 0, 0))
        self._patch = monkeypatch
        self.works(self.pair.sender)
        self.works(self.pair.receiver)

    def works(self, client: Client, *, tells: bool = True) -> None:
        """Let this one have statistics, or none."""

        async def stats() -> RtcStats:
            if not tells:
                raise RuntimeError("no session")
            return RtcStats(publisher_stats=[], subscriber_stats=[])

        self._patch.setattr(client.room, "get_rtc_stats", stats)

    def say(self, event: EventTypes, *args: object) -> None:
        """Let the SDK say something of the sender."""
        self.pair.sender.room.emit(event, *args)


def in_loop(check: Callable[[Site], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a check of two participants, which are made in an event loop."""

    async def run() -> None:
        await check(Site(monkeypatch))

    asyncio.run(run())


def test_statistics_may_lack_while_it_connects_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it says so, and once it has given up, the connection is gone."""

    async def check(site: Site) -> None:
        await site.pair.read()
        site.works(site.pair.sender, tells=False)
        with pytest.raises(ProbeError, match="no statistics of a"):
            await site.pair.read()
        site.say("reconnecting")
        await site.pair.read()
        assert (len(site.pair.sender.snapshots), len(site.pair.receiver.snapshots)) == (1, 2)
        site.say("disconnected", rtc.DisconnectReason.SERVER_SHUTDOWN)
        with pytest.raises(ProbeError, match=r"the SDK gave up \(server_shutdown\)"):
            await site.pair.read()

    in_loop(check, monkeypatch)


def test_an_outage_is_from_word_to_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said twice it is still one; the next is another."""
    words: tuple[EventTypes, ...] = ("reconnecting", "reconnecting", "reconnected", "reconnecting")

    async def check(site: Site) -> None:
        site.say("reconnected")  # of nothing that was lost
        for word in words:
            site.say(word)
        first, second = site.pair.outages
        assert first.back_s is not None
        assert first.lost_s <= first.back_s <= second.lost_s
        assert second.back_s is None
        assert site.pair.sender.connecting
        assert not site.pair.receiver.connecting

    in_loop(check, monkeypatch)


def test_a_deadline_before_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """1. All is measured. 2. The connection is lost. 3. Time is up. Result: it did not come back.

    What the SDK says when the participants leave is none of it.
    """
    monkeypatch.setattr(baseline, "READ_PERIOD_S", 0.001)
    monkeypatch.setattr(Client, "quality", "")  # who never connected has none

    async def check(site: Site) -> None:
        measurement = baseline._Measurement(SfuConfig(), site.pair)
        monkeypatch.setattr(measurement, "_pinged", lambda: True)
        monkeypatch.setattr(measurement, "_enough", lambda: True)
        site.say("reconnecting")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await measurement.take()
        site.say("reconnected")
        site.say("disconnected", rtc.DisconnectReason.CLIENT_INITIATED)
        (found,) = measurement.result().reconnects
        assert (found.kind, found.reason) == ("unprovoked", Reason.CONNECT_FAILED)

    in_loop(check, monkeypatch)
