"""What the agent tells of its own connection, when it is asked."""

import asyncio
from collections.abc import Callable

import pytest
from google.protobuf.json_format import MessageToDict
from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb
from livekit.rtc._proto.stats_pb2 import RtcStats

from exporter.outcome import Media, MediaDirection
from exporter.rtc.media import media_of
from exporter.rtc.session_events import TOPIC, SessionEvents
from exporter.rtc.session_messages import statistics_of
from tests import virtual_time
from tests.fake_call.room import FakeLocalParticipant, FakeParticipant, FakeRoom
from tests.virtual_time import Clock

US = "agent-1"


def statistics() -> tuple[RtcStats, ...]:
    """Return what an agent has counted: 300 sent and 6 lost, 400 expected and 8 lost."""
    sent, report, heard = RtcStats(), RtcStats(), RtcStats()
    sent.outbound_rtp.stream.ssrc = report.remote_inbound_rtp.stream.ssrc = 4_000_000_000
    sent.outbound_rtp.sent.packets_sent = 300
    sent.outbound_rtp.sent.bytes_sent = 2**40
    report.remote_inbound_rtp.received.packets_lost = 6
    report.remote_inbound_rtp.received.jitter = 0.004
    heard.inbound_rtp.stream.ssrc = 7
    heard.inbound_rtp.received.packets_received = 392
    heard.inbound_rtp.received.packets_lost = 8
    heard.inbound_rtp.received.jitter = 0.005
    heard.inbound_rtp.inbound.total_samples_received = 100_000
    heard.inbound_rtp.inbound.concealed_samples = 2_000
    return sent, report, heard


def answer(request_id: str, *told: RtcStats) -> pb.SessionResponse:
    """Return the answer as livekit-agents makes it: by way of JSON."""
    response = pb.SessionResponse(request_id=request_id)
    response.get_rtc_stats.SetInParent()
    for each in told:
        response.get_rtc_stats.publisher_stats.add().update(MessageToDict(each))
    return response


class AskedRoom(FakeRoom):
    """A room with an agent that answers."""

    def __init__(self, respond: Callable[[pb.SessionRequest], pb.SessionResponse | None]) -> None:
        super().__init__()
        self._people[US] = FakeParticipant(US, {})
        self.asked: list[pb.SessionRequest] = []
        self.respond = respond
        self.events: SessionEvents

    @property
    def local_participant(self) -> rtc.LocalParticipant:
        """The caller, whose requests reach the agent."""
        room = self

        class Asking(FakeLocalParticipant):
            async def send_bytes(self, data: bytes, **to: object) -> None:  # type: ignore[override]  # the test needs no more of it
                assert (to["topic"], to["destination_identities"]) == (TOPIC, [US])
                request = pb.AgentSessionMessage.FromString(data).request
                room.asked.append(request)
                response = room.respond(request)
                if response is not None:
                    room.events.take_message(pb.AgentSessionMessage(response=response), US)

        return Asking({})


def asked(
    respond: Callable[[pb.SessionRequest], pb.SessionResponse | None], *, reports: bool = True
) -> tuple[Media | None, int]:
    """Return what is known of the media of a call, and how often its agent was asked."""

    async def ask(_clock: Clock) -> tuple[Media | None, int]:
        room = AskedRoom(respond)
        room.events = SessionEvents(room)
        room.events.timeline.agent = US
        if reports:
            room.events.timeline.reporters.add(US)
        await room.connect("ws://x", "token", object())
        try:
            return await media_of(room, room.events), len(room.asked)
        finally:
            await room.events.aclose()
            await asyncio.sleep(0)

    return virtual_time.run(ask)


def test_what_an_agent_answers_is_its_own_side_of_the_call() -> None:
    """What it sent and what the SFU lost of it, what it heard and had to make up."""
    media, times = asked(lambda request: answer(request.request_id, *statistics()))
    assert times == 1
    assert media is not None
    assert media.agent_up == MediaDirection(300, 6, 0.004)
    assert media.agent_down == MediaDirection(400, 8, 0.005, 0.02)
    assert media.up == MediaDirection(1000, 10, 0.002)


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(lambda _: None, id="no answer"),
        pytest.param(lambda request: answer(request.request_id), id="no statistics"),
        pytest.param(lambda _: answer("another", *statistics()), id="to another request"),
        pytest.param(
            lambda request: pb.SessionResponse(request_id=request.request_id, error="no"),
            id="an error",
        ),
    ],
)
def test_an_agent_that_does_not_tell_costs_nothing_else(
    respond: Callable[[pb.SessionRequest], pb.SessionResponse | None],
) -> None:
    """The caller's own side is known all the same."""
    media, times = asked(respond)
    assert times == 1
    assert media == Media(MediaDirection(1000, 10, 0.002), MediaDirection(500, 5, 0.003, 0.01))


def test_an_agent_that_reports_nothing_is_not_asked() -> None:
    """It would not answer."""
    media, times = asked(lambda request: answer(request.request_id), reports=False)
    assert times == 0
    assert media is not None


def test_large_numbers_and_fractions_survive_the_way_by_json() -> None:
    """64 bits go as text, all others as floats."""
    found = statistics_of(answer("1", *statistics()))
    assert found is not None
    assert found.sent[0].ssrc == 4_000_000_000
    assert found.sent[0].size == 2**40
    assert found.reports[0].jitter_s == pytest.approx(0.004)
