"""Reading WebRTC's statistics: the selected path, and counters by stream."""

from livekit.rtc._proto import stats_pb2 as pb
from livekit.rtc.room import RtcStats

from exporter.rtc.stats import Snapshot

from .streams import path


def candidate(name: str, kind: str, protocol: str, port: int, *, remote: bool) -> pb.RtcStats:
    """Return one end."""
    stat = pb.RtcStats()
    end = stat.remote_candidate if remote else stat.local_candidate
    end.rtc.id = name
    end.candidate.candidate_type = pb.IceCandidateType.Value(kind)
    end.candidate.protocol = protocol
    end.candidate.address = "192.0.2.9"
    end.candidate.port = port
    return stat


def pair(name: str, local: str, remote: str, packets: int) -> pb.RtcStats:
    """Return a pair of ends."""
    stat = pb.RtcStats()
    stat.candidate_pair.rtc.id = name
    told = stat.candidate_pair.candidate_pair
    told.local_candidate_id, told.remote_candidate_id = local, remote
    told.packets_sent, told.responses_received = packets, 3
    told.current_round_trip_time = 0.081
    return stat


def transport(selected: str) -> pb.RtcStats:
    """Return a transport that uses a pair."""
    stat = pb.RtcStats()
    stat.transport.transport.selected_candidate_pair_id = selected
    return stat


def test_the_selected_pair_is_the_path() -> None:
    """Pairs that ICE only tries are none; of two connections the busier comes first."""
    ends = [
        candidate("L1", "HOST", "udp", 1, remote=False),
        candidate("L2", "PRFLX", "tcp", 2, remote=False),
        candidate("R1", "HOST", "udp", 7882, remote=True),
        candidate("R2", "HOST", "tcp", 7881, remote=True),
    ]
    tried, quiet, busy = (
        pair("P1", "L1", "R1", 900),
        pair("P2", "L1", "R1", 1),
        pair("P3", "L2", "R2", 5),
    )
    stats = RtcStats(
        publisher_stats=[*ends, tried, quiet, transport("P2")],
        subscriber_stats=[busy, transport("P3"), transport("gone")],
    )
    told = Snapshot.of(stats)
    assert [(each.transport, each.packets) for each in told.paths] == [("tcp", 5), ("udp", 1)]
    assert told.path is not None
    assert (told.path.local.kind, told.path.remote.port) == ("prflx", 7881)
    assert (told.path.answers, told.path.round_trip_s) == (3, 0.081)
    assert [(each.protocol, each.port) for each in told.offered] == [("udp", 7882), ("tcp", 7881)]


def test_counters_keep_their_stream_and_time() -> None:
    """Sent, reported and received are told apart, with the statistics' own clock in seconds."""
    sent, report, received = pb.RtcStats(), pb.RtcStats(), pb.RtcStats()
    sent.outbound_rtp.rtc.timestamp = 1_500_000
    sent.outbound_rtp.stream.ssrc, sent.outbound_rtp.sent.packets_sent = 5, 70
    report.remote_inbound_rtp.stream.ssrc = 5
    report.remote_inbound_rtp.received.packets_lost = 2
    received.inbound_rtp.received.packets_received = 68
    received.inbound_rtp.inbound.concealed_samples = 480
    told = Snapshot.of(RtcStats([sent, report], [received]))
    assert [(each.ssrc, each.at_s, each.packets) for each in told.sent] == [(5, 1.5, 70)]
    assert [(each.ssrc, each.lost) for each in told.reports] == [(5, 2)]
    assert [(each.packets, each.concealed) for each in told.received] == [(68, 480)]
    assert told.path is None


def test_a_relay_at_either_end_is_turn() -> None:
    """However the relay itself is reached."""
    assert path("relay", "udp").transport == "turn"
    assert path("host", "tcp").transport == "tcp"
    assert path("srflx", "udp").transport == "udp"
