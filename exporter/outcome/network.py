"""What was found of the way to the SFU."""

from dataclasses import dataclass
from datetime import datetime

from exporter.outcome.reasons import Reason


@dataclass(frozen=True, slots=True)
class Loss:
    """How many of how many RTP packets were lost, in one direction."""

    packets: int
    """Sent."""
    lost: int

    @property
    def ratio(self) -> float:
        """The lost share, 0 to 1."""
        return self.lost / self.packets if self.packets else 0.0


@dataclass(frozen=True, slots=True)
class ConnectTimes:
    """How long each phase of a connection took, in seconds; the phases follow each other."""

    signal_s: float
    """TCP, TLS, WebSocket and the server's answer to a join."""
    ice_s: float
    """Offer and answer, ICE and DTLS: until media can flow."""
    media_s: float
    """Publishing a track to its first sound at another participant."""


UNPROVOKED = "unprovoked"
"""The kind of a break that nobody made."""


_BROKE = {
    "signal": "the signalling connection (WebSocket) was closed",
    "full": "signalling and media connections were closed",
    "migration": "the server gave the participant up, as for a move to another node",
    "silence": "no packet passed in either direction",
    "unprovoked": "a connection was lost that nobody broke on purpose",
}


def broke(kind: str) -> str:
    """Say what broke, for people: the label `kind` of metrics is one word."""
    return _BROKE.get(kind, kind)


@dataclass(frozen=True, slots=True)
class Reconnect:
    """One break of a connection, and how it came back."""

    kind: str
    """signal, full or migration, broken on purpose; or unprovoked."""
    resume_s: float | None = None
    """From the break to the SDK's word that it is connected again; an unprovoked break begins with
    the last packet of media before the silence."""
    media_gap_s: float | None = None
    """The longest time without a packet at the receiver; one packet is 20 ms."""
    reason: Reason | None = None
    """Set when it did not come back."""
    detail: str = ""

    @property
    def is_void(self) -> bool:
        """Whether the prober spoiled it, so that it says nothing."""
        return self.reason is not None and self.reason.is_own_fault

    @property
    def text(self) -> str:
        """What came of it, for people."""
        if self.reason is not None:
            return f"{broke(self.kind)}: {self.reason}: {self.detail}"
        back = f"back after {self.resume_s:.2f} s, no media for {self.media_gap_s:.2f} s"
        return f"{broke(self.kind)}: {back}"


@dataclass(frozen=True, slots=True)
class SfuBaseline:
    """The network path between two test participants, without load."""

    vantage: str
    """From where: the label."""
    round_trips_s: tuple[float, ...]
    """Of data messages from one participant to the other, in order, less `floor_s`."""
    pings: int
    """Data messages sent."""
    lost: int
    """Those that did not arrive within two seconds."""
    voids: int
    """Those that arrived while the prober's event loop was late."""
    floor_s: float | None
    """Our own share of what was timed, already taken off: event loop, SDK and its queue."""
    ice_round_trips_s: tuple[float, ...]
    """Round trips by ICE connectivity checks, in whole milliseconds."""
    jitter_up_s: float | None
    """Interarrival jitter at the SFU, median of its reports."""
    jitter_down_s: float | None
    """Interarrival jitter at the receiver, in whole milliseconds."""
    loss_up: Loss | None
    loss_down: Loss | None
    concealed: float | None
    """Share of the audio that the receiver had to make up, 0 to 1."""
    connect: ConnectTimes
    transport: str
    """How the media went: udp, tcp, turn, or "" if not known."""
    candidate_type: str
    """Of the local end: host, srflx, prflx, relay, or "" if not known."""
    quality: tuple[tuple[str, str], ...]
    """LiveKit's own word (excellent good poor lost, or "") for each client."""
    udp_addresses: tuple[str, ...]
    """HOST:PORT at which the server said that it takes media by UDP."""
    media_gap_s: float | None = None
    """The longest time without a packet at the receiver, whatever the SDK said meanwhile."""
    reconnects: tuple[Reconnect, ...] = ()
    """Connections that were lost meanwhile, unprovoked."""


@dataclass(frozen=True, slots=True)
class Transport:
    """One way that media may take."""

    name: str
    """udp, tcp or turn."""
    works: bool
    offered: tuple[str, ...]
    """HOST:PORT, or the URL of a TURN server, at which the server said that it can be reached."""
    detail: str = ""
    """Why it does not work."""
    seconds: float | None = None
    """From nothing to media that can flow this way."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A TLS certificate on the way to the SFU."""

    place: str
    """HOST:PORT."""
    expires_at: datetime | None = None
    fault: str = ""
    """Why it could not be read, or is not trusted."""


@dataclass(frozen=True, slots=True)
class SfuReach:
    """Which ways to the SFU are open from here."""

    signal_s: float
    """TCP, TLS, WebSocket and the server's answer to a join."""
    server_version: str
    transports: tuple[Transport, ...]
    certificates: tuple[Certificate, ...]
    """Of the server and of its TURN servers, where they use TLS."""
    clock_skew_s: float | None
    """Server clock minus local clock, known to about a second; 0 when within one."""
    region: str = ""
    """Of the node that took the join; "" if the server names none."""
    node_id: str = ""
    """Of the same; a new one with each start of a node."""


@dataclass(frozen=True, slots=True)
class SfuReconnects:
    """Every kind of break, once."""

    reconnects: tuple[Reconnect, ...]
