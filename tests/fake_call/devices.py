"""Room, microphone and ear as the SDK would show them to a caller."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

import numpy as np
from livekit import rtc
from livekit.rtc._proto.room_pb2 import SimulateScenarioKind
from livekit.rtc._proto.stats_pb2 import RtcStats
from livekit.rtc.room import RtcStats as SessionStats

from exporter.rtc.hearing import Hearing
from exporter.rtc.levels import RATE, Pcm
from exporter.rtc.sample_clock import FRAME_MS, PIECE
from exporter.rtc.tracks import Microphone
from exporter.rtc.voice import Voice

QUEUE_S = 0.1
FRAME = RATE * FRAME_MS // 1000
FRAME_S = FRAME / RATE
WAIT_S = (FRAME - PIECE) / RATE
"""How long the first sample of a frame waits for its last piece."""
PACKET_S = 0.02
SILENCE = np.zeros(FRAME, np.int16)


class FakeMicrophone(Microphone):
    """A queue that the clock empties: it knows when each sample leaves it.

    Args:
        on_audio: Called with audio that was captured, and when its first sample leaves.
    """

    def __init__(self, on_audio: Callable[[float, Pcm], None]) -> None:
        Voice.__init__(self, self._take_in)
        self._on_audio = on_audio
        self._empty_at = 0.0

    async def publish(self, participant: rtc.LocalParticipant, name: str = "microphone") -> None:
        """Begin to send; nobody needs to be asked."""
        assert participant is not None
        assert name == "microphone"
        self.begin()

    async def aclose(self) -> None:
        """Stop sending."""
        await Voice.aclose(self)

    async def _take_in(self, pcm: Pcm) -> None:
        now = time.monotonic()
        leaves = max(self._empty_at, now)
        self._empty_at = leaves + len(pcm) / RATE
        self._on_audio(leaves, pcm)
        await asyncio.sleep(max(0.0, self._empty_at - QUEUE_S - now))


class FakeTrack(rtc.RemoteAudioTrack):
    """A track whose every sample has its time, from the moment it was made.

    Attributes:
        broken_off: No frame comes any more.
        is_lost: What is not fetched in time is lost, as for a process that is stopped.
    """

    def __init__(self) -> None:
        self._sounds: list[tuple[float, Pcm]] = []
        self._noise: Pcm | None = None
        self._made = time.monotonic()
        self._stalled_at: float | None = None
        self.broken_off = False
        self.is_lost = False

    def play(self, pcm: Pcm, at: float) -> None:
        """Sound from that time on."""
        self._sounds.append((at, pcm))

    def cut(self, at: float) -> None:
        """Let everything that sounds end at that time."""
        self._sounds = [
            (begin, pcm[: max(0, round((at - begin) * RATE))]) for begin, pcm in self._sounds
        ]

    def add_noise(self, pcm: Pcm) -> None:
        """Sound under everything else, over and over."""
        self._noise = pcm

    def stall(self) -> None:
        """Bring no more packets."""
        self._stalled_at = time.monotonic()

    async def get_stats(self) -> list[RtcStats]:
        """Count a packet for each 20 ms, each 60 ms deep in the jitter buffer."""
        until = time.monotonic() if self._stalled_at is None else self._stalled_at
        stats = RtcStats()
        inbound = stats.inbound_rtp
        inbound.received.packets_received = round((until - self._made) / PACKET_S)
        inbound.inbound.jitter_buffer_emitted_count = round((until - self._made) * RATE)
        inbound.inbound.jitter_buffer_delay = 0.06 * inbound.inbound.jitter_buffer_emitted_count
        return [stats]

    async def frames(self) -> AsyncIterator[Pcm]:
        """Bring each frame when its last piece is due; those that were not fetched come late."""
        begin, number = time.monotonic(), 0
        while not self.broken_off:
            due = begin + number * FRAME_S
            await asyncio.sleep(max(0.0, due + WAIT_S - time.monotonic()))
            if self.is_lost and (late := time.monotonic() - due - WAIT_S) > 0:
                begin, due = begin + late, due + late
            yield self._sound_at(due)
            number += 1

    def _sound_at(self, when: float) -> Pcm:
        if self._noise is None and not any(at < when + FRAME_S for at, _ in self._sounds):
            return SILENCE
        mix = np.zeros(FRAME, np.int32)
        if self._noise is not None:
            first = round((when - self._made) * RATE)
            mix += np.take(self._noise, np.arange(first, first + FRAME), mode="wrap")
        self._sounds = [each for each in self._sounds if each[0] + len(each[1]) / RATE > when]
        for at, pcm in self._sounds:
            first = round((when - at) * RATE)  # of the sound, at the first sample of the frame
            part = pcm[max(0, first) : max(0, first + FRAME)]
            skipped = max(0, -first)
            mix[skipped : skipped + len(part)] += part
        return np.clip(mix, -32768, 32767).astype(np.int16)


def ear_on(track: rtc.RemoteAudioTrack) -> Hearing:
    """Hear a fake track."""
    assert isinstance(track, FakeTrack)
    return Hearing(track.frames())


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
        anew = people if scenario == SimulateScenarioKind.SIMULATE_FULL_RECONNECT else ()
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
