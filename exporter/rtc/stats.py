"""WebRTC's statistics of one participant, as values of our own."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livekit.rtc._proto import stats_pb2 as pb
from livekit.rtc.room import RtcStats

from exporter.rtc.line import Received

if TYPE_CHECKING:
    from livekit import rtc

STATS_TIMEOUT_S = 1.0


async def received(track: "rtc.Track") -> Received | None:
    """Read the counters of a remote track; None before its first packet or after its end."""
    try:
        async with asyncio.timeout(STATS_TIMEOUT_S):
            stats = await track.get_stats()
    except Exception:  # noqa: BLE001 - the SDK raises that very class for a track that is gone
        return None
    for stat in stats:
        if stat.HasField("inbound_rtp"):
            inbound = stat.inbound_rtp
            return Received(
                packets=int(inbound.received.packets_received),
                jitter_buffer_delay_s=float(inbound.inbound.jitter_buffer_delay),
                jitter_buffer_samples=int(inbound.inbound.jitter_buffer_emitted_count),
            )
    return None


_CANDIDATE_TYPES = ("host", "srflx", "prflx", "relay")
"""In the order of the SDK's numbers."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One end of a possible path."""

    kind: str
    """host, srflx, prflx or relay."""
    protocol: str
    """udp or tcp."""
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Path:
    """A path that ICE has selected."""

    local: Candidate
    remote: Candidate
    packets: int
    """Sent and received on it."""
    answers: int
    """Checks of ICE that were answered; each tells a round trip."""
    round_trip_s: float
    """Of the last check, in whole milliseconds."""

    @property
    def transport(self) -> str:
        """How the media goes: udp, tcp, or turn when a relay is between."""
        return "turn" if "relay" in (self.local.kind, self.remote.kind) else self.local.protocol


@dataclass(frozen=True, slots=True)
class SentStream:
    """What we have sent on one RTP stream."""

    ssrc: int
    at_s: float
    packets: int
    size: int = 0
    """Bytes of these packets, with the headers of RTP."""


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """What the SFU last reported of a stream that we send."""

    ssrc: int
    at_s: float
    """When the report came."""
    lost: int
    """Since the stream began."""
    jitter_s: float
    round_trip_s: float


@dataclass(frozen=True, slots=True)
class ReceivedStream:
    """What has come on one RTP stream from the SFU."""

    ssrc: int
    at_s: float
    packets: int
    lost: int
    """Gaps in the numbers of packets: those the sender's way to the SFU lost are among them."""
    jitter_s: float
    """In whole milliseconds."""
    samples: int
    """Played, concealed ones included."""
    last_packet_s: float
    """When the last packet came, on this host's wall clock; 0 before the first."""
    concealed: int
    """Samples made up because nothing came in time; RED and FEC have done their part before."""
    size: int = 0
    """Bytes of the packets that came, with the headers of RTP."""
    concealed_silence: int = 0
    """Those of the samples made up that are silence: nobody hears them, nor that they lack."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The statistics of one participant at one moment; counters count from its beginning."""

    paths: tuple[Path, ...]
    """One, or two where publishing and subscribing have a connection each; the busiest first."""
    offered: tuple[Candidate, ...]
    """Where the server said that it can be reached."""
    sent: tuple[SentStream, ...]
    reports: tuple[ReceiverReport, ...]
    received: tuple[ReceivedStream, ...]

    @property
    def path(self) -> Path | None:
        """The busiest path."""
        return self.paths[0] if self.paths else None

    @classmethod
    def of(cls, stats: RtcStats) -> "Snapshot":
        """Read what the SDK tells."""
        told: list[pb.RtcStats] = [*stats.publisher_stats, *stats.subscriber_stats]
        remote = [each.remote_candidate for each in told if each.HasField("remote_candidate")]
        return cls(
            paths=_paths(told),
            offered=tuple(_candidate(each.candidate) for each in remote),
            sent=tuple(_sent(each.outbound_rtp) for each in told if each.HasField("outbound_rtp")),
            reports=tuple(
                _report(each.remote_inbound_rtp)
                for each in told
                if each.HasField("remote_inbound_rtp")
            ),
            received=tuple(
                _received(each.inbound_rtp) for each in told if each.HasField("inbound_rtp")
            ),
        )


def _paths(told: Sequence[pb.RtcStats]) -> tuple[Path, ...]:
    """Return the selected path of each connection, the busiest first."""
    pairs = {
        each.candidate_pair.rtc.id: each.candidate_pair.candidate_pair
        for each in told
        if each.HasField("candidate_pair")
    }
    ends = {
        end.rtc.id: _candidate(end.candidate)
        for each in told
        for end in (each.local_candidate, each.remote_candidate)
        if end.rtc.id
    }
    found = []
    for each in told:
        pair = pairs.get(each.transport.transport.selected_candidate_pair_id)
        if pair and pair.local_candidate_id in ends and pair.remote_candidate_id in ends:
            path = Path(
                local=ends[pair.local_candidate_id],
                remote=ends[pair.remote_candidate_id],
                packets=pair.packets_sent + pair.packets_received,
                answers=pair.responses_received,
                round_trip_s=pair.current_round_trip_time,
            )
            found.append(path)
    return tuple(sorted(found, key=lambda path: -path.packets))


def _candidate(stat: pb.IceCandidateStats) -> Candidate:
    return Candidate(_CANDIDATE_TYPES[stat.candidate_type], stat.protocol, stat.address, stat.port)


def _sent(stat: pb.RtcStats.OutboundRtp) -> SentStream:
    return SentStream(
        ssrc=stat.stream.ssrc,
        at_s=_seconds(stat.rtc),
        packets=stat.sent.packets_sent,
        size=stat.sent.bytes_sent + stat.outbound.header_bytes_sent,
    )


def _report(stat: pb.RtcStats.RemoteInboundRtp) -> ReceiverReport:
    return ReceiverReport(
        ssrc=stat.stream.ssrc,
        at_s=_seconds(stat.rtc),
        lost=stat.received.packets_lost,
        jitter_s=stat.received.jitter,
        round_trip_s=stat.remote_inbound.round_trip_time,
    )


def _received(stat: pb.RtcStats.InboundRtp) -> ReceivedStream:
    return ReceivedStream(
        ssrc=stat.stream.ssrc,
        at_s=_seconds(stat.rtc),
        packets=stat.received.packets_received,
        lost=stat.received.packets_lost,
        jitter_s=stat.received.jitter,
        samples=stat.inbound.total_samples_received,
        last_packet_s=stat.inbound.last_packet_received_timestamp / 1000,
        concealed=stat.inbound.concealed_samples,
        size=stat.inbound.bytes_received + stat.inbound.header_bytes_received,
        concealed_silence=stat.inbound.silent_concealed_samples,
    )


def _seconds(stat: pb.RtcStatsData) -> float:
    return stat.timestamp / 1e6
