"""A room, and who is in it, as the SDK would show them to a caller."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from livekit import rtc
from livekit.rtc._proto.room_pb2 import SimulateScenarioKind
from livekit.rtc._proto.stats_pb2 import RtcStats
from livekit.rtc.room import RtcStats as SessionStats

from tests.fake_call.devices import FakeTrack


@dataclass
class FakePublication(rtc.RemoteTrackPublication):
    """A track that somebody publishes."""

    of_name: str
    audio: FakeTrack
    encrypted: bool = False

    @property
    def track(self) -> FakeTrack:
        """The track itself: everything is subscribed at once."""
        return self.audio

    @property
    def name(self) -> str:
        """As its publisher named it."""
        return self.of_name

    @property
    def kind(self) -> rtc.TrackKind.ValueType:
        """Audio, always."""
        return rtc.TrackKind.KIND_AUDIO

    @property
    def encryption_type(self) -> rtc.EncryptionType.ValueType:
        """Whether its frames are encrypted end to end."""
        return rtc.EncryptionType.GCM if self.encrypted else rtc.EncryptionType.NONE

    @property
    def source(self) -> rtc.TrackSource.ValueType:
        """A microphone, also for music: only the name tells them apart."""
        return rtc.TrackSource.SOURCE_MICROPHONE


class FakeParticipant(rtc.RemoteParticipant):
    """An agent as its caller sees it."""

    def __init__(
        self,
        identity: str,
        attributes: dict[str, str],
        kind: rtc.ParticipantKind.ValueType = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT,
    ) -> None:
        self._identity = identity
        self._kind = kind
        self.told = attributes
        self.published: dict[str, FakePublication] = {}
        self.left_by: rtc.DisconnectReason.ValueType | None = None

    @property
    def disconnect_reason(self) -> rtc.DisconnectReason.ValueType | None:
        """How it left; None while it is there."""
        return self.left_by

    @property
    def identity(self) -> str:
        """Of the participant."""
        return self._identity

    @property
    def attributes(self) -> dict[str, str]:
        """A copy, as of the SDK."""
        return dict(self.told)

    @property
    def kind(self) -> rtc.ParticipantKind.ValueType:
        """An agent, if not made otherwise."""
        return self._kind

    @property
    def track_publications(self) -> dict[str, rtc.RemoteTrackPublication]:
        """Its tracks by their ids."""
        return dict(self.published)


class FakeLocalParticipant(rtc.LocalParticipant):
    """The caller's own side of the room, with the RPC methods of the others."""

    def __init__(self, methods: dict[str, Callable[[str], None]]) -> None:
        self._methods = methods

    async def perform_rpc(
        self,
        *,
        destination_identity: str,
        method: str,
        payload: str,
        response_timeout: float | None = None,
        max_round_trip_latency: float | None = None,
    ) -> str:
        """Perform an RPC, at once."""
        assert (payload, max_round_trip_latency) == ("", None)
        assert response_timeout
        if destination_identity not in self._methods:
            raise rtc.RpcError(rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD, "not registered")
        self._methods[destination_identity](method)
        return ""

    async def send_bytes(self, data: bytes, **to: object) -> None:  # type: ignore[override]  # nobody reads what it returns
        """Refuse: the agents of these tests take no requests."""
        assert data
        assert to["destination_identities"]
        raise RuntimeError("nobody takes requests")


class FakeRoom(rtc.Room):
    """A room that a test fills; events go to the listeners as the SDK's would.

    Args:
        refused: The SDK's word for why nobody may enter; "" lets in.
        endless: Entering never ends.
    """

    def __init__(self, refused: str = "", *, endless: bool = False) -> None:
        super().__init__()
        self._refused = refused
        self._endless = endless
        self._inside = False
        self._state = rtc.ConnectionState.CONN_CONNECTED
        self._people: dict[str, FakeParticipant] = {}
        self.methods: dict[str, Callable[[str], None]] = {}
        """What takes the RPCs to a participant."""
        self.back_s: tuple[float, ...] = ()
        """When the connection is made again, in seconds after it was broken on purpose."""
        self.taken_s = 0.0
        """How long after that the others take what the caller publishes anew."""
        self.takes = True
        """They hear what the caller says."""

    @property
    def remote_participants(self) -> dict[str, rtc.RemoteParticipant]:
        """Who is there, as far as the caller sees."""
        return dict(self._people)

    @property
    def local_participant(self) -> rtc.LocalParticipant:
        """The caller."""
        return FakeLocalParticipant(self.methods)

    async def connect(self, url: str, token: str, options: object = None) -> None:
        """Enter, at once.

        Raises:
            ConnectError: Nobody may.
        """
        assert url
        assert token
        assert options is not None
        if self._endless:
            await asyncio.Event().wait()
        if self._refused:
            raise rtc.ConnectError(self._refused)
        self._inside = True

    async def simulate_scenario(self, scenario: SimulateScenarioKind.ValueType) -> None:
        """Lose the connection now, and have it again when it is due.

        Where all is built anew the SDK lets the others leave, and join again.
        """
        assert scenario in SimulateScenarioKind.values()
        self._state = rtc.ConnectionState.CONN_RECONNECTING
        self.emit("reconnecting")
        people = tuple(self._people.values())
        anew = people if scenario == SimulateScenarioKind.SIMULATE_NODE_FAILURE else ()
        for person in anew:
            self.leave(person, rtc.DisconnectReason.UNKNOWN_REASON)
        for seconds in self.back_s:
            asyncio.get_running_loop().call_later(seconds, self._back, anew)

    def _back(self, anew: Iterable[FakeParticipant]) -> None:
        self._state = rtc.ConnectionState.CONN_CONNECTED
        for person in anew:
            self.enter(person)
        if anew:
            self.takes = False
            self.emit("local_track_republished", None, "TR_before")
            asyncio.get_running_loop().call_later(self.taken_s, self._take)
        self.emit("reconnected")

    def _take(self) -> None:
        self.takes = True
        self.emit("local_track_subscribed", None)

    @property
    def connection_state(self) -> rtc.ConnectionState.ValueType:
        """Connected, but while the connection is made again."""
        return self._state

    def isconnected(self) -> bool:
        """Tell whether the caller is in."""
        return self._inside

    async def get_rtc_stats(self) -> SessionStats:
        """Count what never came: 1000 packets up, of which 10 were lost, and 500 down."""
        if not self._inside:
            raise RuntimeError("the room isn't connected")
        up, report, down = RtcStats(), RtcStats(), RtcStats()
        up.outbound_rtp.stream.ssrc = report.remote_inbound_rtp.stream.ssrc = 1
        up.outbound_rtp.sent.packets_sent = 1000
        report.remote_inbound_rtp.received.packets_lost = 10
        report.remote_inbound_rtp.received.jitter = 0.002
        down.inbound_rtp.stream.ssrc = 2
        down.inbound_rtp.received.packets_received = 495
        down.inbound_rtp.received.packets_lost = 5
        down.inbound_rtp.received.jitter = 0.003
        down.inbound_rtp.inbound.total_samples_received = 480_000
        down.inbound_rtp.inbound.concealed_samples = 5_800
        down.inbound_rtp.inbound.silent_concealed_samples = 1_000
        return SessionStats(publisher_stats=[up, report], subscriber_stats=[down])

    async def disconnect(
        self, *, reason: rtc.DisconnectReason.ValueType = rtc.DisconnectReason.CLIENT_INITIATED
    ) -> None:
        """Leave, or be made to leave."""
        self._inside = False
        self.emit("disconnected", reason)

    def has_already(self, person: FakeParticipant) -> None:
        """Have somebody in the room before the caller enters: the SDK has no event for it."""
        self._people[person.identity] = person

    def enter(self, person: FakeParticipant) -> None:
        """Let somebody in."""
        self._people[person.identity] = person
        self.emit("participant_connected", person)

    def leave(
        self,
        person: FakeParticipant,
        reason: rtc.DisconnectReason.ValueType = rtc.DisconnectReason.CLIENT_INITIATED,
    ) -> None:
        """Let somebody go."""
        person.left_by = reason
        if self._people.pop(person.identity, None) is not None:
            self.emit("participant_disconnected", person)

    def attributes_changed(self, person: FakeParticipant, **changed: str) -> None:
        """Change what somebody tells of itself."""
        person.told.update(changed)
        self.emit("participant_attributes_changed", changed, person)

    def publish(
        self, person: FakeParticipant, name: str = "voice", *, encrypted: bool = False
    ) -> FakeTrack:
        """Have somebody publish another track."""
        publication = FakePublication(name, FakeTrack(), encrypted)
        person.published[f"TR_{name}_{id(publication)}"] = publication
        self.emit("track_subscribed", publication.track, publication, person)
        return publication.track

    def unpublish(self, person: FakeParticipant, track: FakeTrack) -> None:
        """Have somebody take a track away."""
        for sid, publication in list(person.published.items()):
            if publication.audio is track:
                del person.published[sid]
                self.emit("track_unsubscribed", track, publication, person)

    def send_bytes(self, topic: str, body: bytes, sender: str) -> None:
        """Send a byte stream to the caller, whole."""
        self._byte_stream_handlers[topic](_Reader(body), sender)


class _Reader(rtc.ByteStreamReader):
    def __init__(self, body: bytes) -> None:
        self._left = [body]

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()
