"""Statistics of participants as WebRTC would tell them."""

from exporter.rtc.stats import (
    Candidate,
    Path,
    ReceivedStream,
    ReceiverReport,
    SentStream,
    Snapshot,
)

HOST = Candidate("host", "udp", "192.0.2.1", 50000)
SERVER = Candidate("host", "udp", "192.0.2.9", 7882)


def path(kind: str = "host", protocol: str = "udp", packets: int = 10, answers: int = 1) -> Path:
    """Return a path from a local candidate of that kind."""
    local = Candidate(kind, protocol, "192.0.2.1", 50000)
    return Path(local, SERVER, packets, answers, 0.04)


def sent(at_s: float, packets: int, ssrc: int = 1) -> SentStream:
    """Return what was sent by then."""
    return SentStream(ssrc, at_s, packets)


def report(at_s: float, lost: int, ssrc: int = 1, round_trip_s: float = 0.0) -> ReceiverReport:
    """Return a report of the SFU that came then."""
    return ReceiverReport(ssrc, at_s, lost, 0.001, round_trip_s)


def received(
    packets: int,
    lost: int = 0,
    ssrc: int = 7,
    *,
    samples: int = 0,
    concealed: int = 0,
    last_packet_s: float = 0.0,
    at_s: float = 0.0,
) -> ReceivedStream:
    """Return what has come."""
    return ReceivedStream(ssrc, at_s, packets, lost, 0.001, samples, last_packet_s, concealed)


def snapshot(*streams: SentStream | ReceiverReport | ReceivedStream) -> Snapshot:
    """Return one reading with these streams."""
    return Snapshot(
        paths=(path(),),
        offered=(SERVER,),
        sent=tuple(each for each in streams if isinstance(each, SentStream)),
        reports=tuple(each for each in streams if isinstance(each, ReceiverReport)),
        received=tuple(each for each in streams if isinstance(each, ReceivedStream)),
    )
