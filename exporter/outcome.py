"""The types that travel: from a probe, across the process border, to every listener.

All are frozen and picklable. Times are seconds. `None` means "not known" or "not measured" and
is never replaced by 0.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Reason(StrEnum):
    """Why a probe or a turn has no measurement: the bounded label `reason`."""

    CONNECT_FAILED = "connect_failed"
    """The server, its signalling or its media ports could not be reached."""
    AUTH_FAILED = "auth_failed"
    """The server refused the credentials."""
    API_FAILED = "api_failed"
    """The server API answered with an error other than refusal."""
    DISPATCH_FAILED = "dispatch_failed"
    """The room exists, but the agent dispatch could not be created."""
    NO_WORKER = "no_worker"
    """Nothing took the dispatch: no worker of that name is registered or free."""
    JOIN_TIMEOUT = "join_timeout"
    """A worker took the job, but no agent entered the room in time."""
    NO_AUDIO_TRACK = "no_audio_track"
    """The agent is in the room, but published no microphone track in time."""
    GREETING_TIMEOUT = "greeting_timeout"
    """The agent did not come to listen: it greeted without end, or never when it should."""
    NO_REPLY = "no_reply"
    """The agent listened, and no audible reply came in time."""
    AGENT_LEFT = "agent_left"
    """The agent left the room during the call."""
    AGENT_ERROR = "agent_error"
    """The agent reported an error of its own, and no reply came."""
    ROOM_CLOSED = "room_closed"
    """The room was closed, or the caller was removed from it, during the call."""
    DEADLINE = "deadline"
    """The probe passed its deadline and was ended."""
    PROBE_CRASHED = "probe_crashed"
    """The probe's own process died or failed in a way that it does not know."""
    VOID = "void"
    """The prober itself was late, so the measurement says nothing about the agent."""


class Verdict(StrEnum):
    """A judgement; the worst of several wins, in the order FAIL, SLOW, UNKNOWN, PASS."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    SLOW = "SLOW"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


class TurnOutcome(StrEnum):
    """How one turn ended: the label `outcome`."""

    REPLIED = "replied"
    FAILED = "failed"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Components:
    """Where the time of one turn went, in seconds; `None` where it is unknown.

    All but `transport` are the agent's own report on the byte stream `lk.agent.session`.
    """

    transcription_s: float | None = None
    """End of the user's speech to the final transcript."""
    end_of_turn_s: float | None = None
    """Final transcript to the agent's decision that the user's turn is over."""
    llm_s: float | None = None
    """Request to the language model to its first token."""
    tts_s: float | None = None
    """First text given to speech synthesis to its first audio."""
    transport_s: float | None = None
    """What the caller's end-to-end latency has over the sum of the others."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance of the caller and what came of it."""

    outcome: TurnOutcome
    warmup: bool = False
    """The first turn of a call: listed, but in no statistic and no histogram."""
    e2e_s: float | None = None
    """Last sample of the caller's speech to first sample of the reply; only when replied."""
    reason: Reason | None = None
    """Always set unless the outcome is `replied`."""
    detail: str = ""
    """One line for people on why the turn failed or is void."""
    components: Components = field(default_factory=Components)
    reported_e2e_s: float | None = None
    """What the agent itself reports for this turn."""
    loop_lag_s: float | None = None
    """The largest lateness of the prober's own event loop during the turn."""
    jitter_buffer_s: float | None = None
    """Mean depth of the receiving jitter buffer during the turn."""


@dataclass(frozen=True, slots=True)
class CallResult:
    """What one call to one agent found; `turns` may be empty when the call failed early."""

    agent_name: str
    call_type: str
    scenario: str
    turns: tuple[Turn, ...] = ()
    time_to_agent_s: float | None = None
    """Dispatch requested to agent in the room."""
    time_to_greeting_s: float | None = None
    """Caller in the room to the first audio of the greeting; None if it does not greet."""
    split_absent: str = ""
    """Why there are no components ("" when there are)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The floor of the method: what it adds to the delay of an echo that is known exactly."""

    floor_s: float
    """Median of (measured - true delay)."""
    spread_s: float
    """Largest less smallest (measured - true delay): n is too small for percentiles."""
    n: int
    """Turns used: warm-up and void turns are not."""
    voids: int = 0


@dataclass(frozen=True, slots=True)
class AgentInRoom:
    """One agent participant in one room."""

    agent_name: str
    identity: str
    room: str
    state: str
    """`lk.agent.state`: initializing idle listening thinking speaking, or "" if not told."""
    humans: int
    """Standard, SIP and connector (WhatsApp, Twilio) participants in the room, hidden ones not."""
    age_s: float
    """Since the agent joined."""
    worker_id: str = ""
    """The worker that runs it, once its dispatch tells of the job; "" until then."""


@dataclass(frozen=True, slots=True)
class PendingDispatch:
    """A dispatch by name for which no agent came."""

    agent_name: str
    room: str
    age_s: float
    humans: int = 0
    """As in `AgentInRoom`: the callers who wait for it."""


@dataclass(frozen=True, slots=True)
class RoomWithoutHuman:
    """A room in which there is no human; it may be that one has just left."""

    room: str
    sid: str
    """A room that is made again under the same name has another."""
    age_s: float
    """Since the room was made."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the server says is there, at one moment."""

    agents: tuple[AgentInRoom, ...] = ()
    pending: tuple[PendingDispatch, ...] = ()
    rooms: int = 0
    participants: tuple[tuple[str, int], ...] = ()
    """Number of participants by kind (standard agent sip egress ingress connector bridge other)."""
    without_human: tuple[RoomWithoutHuman, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerPage:
    """What one worker's own HTTP page told, or why it told nothing."""

    url: str
    """As it was asked; holds no user and no password."""
    host: str = ""
    """Name or address in the URL; for a DNS name with several addresses, this one."""
    address: str = ""
    """IP address that the host stands for."""
    port: int = 0
    reason: Reason | None = None
    """connect_failed when it did not answer, api_failed when the answer is no worker's page."""
    detail: str = ""
    agent_name: str = ""
    active_jobs: int | None = None
    load: float | None = None
    sdk_version: str = ""
    child_processes: int | None = None
    """From its Prometheus page, as the next one."""
    initialize_mean_s: float | None = None
    """Mean time that its job processes took to start."""


@dataclass(frozen=True, slots=True)
class WorkerScrape:
    """The pages of all workers that are configured, at one moment."""

    pages: tuple[WorkerPage, ...] = ()


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


@dataclass(frozen=True, slots=True)
class SfuBaseline:
    """What the network and the SFU did to two participants of our own, without any load."""

    vantage: str
    """From where: the label."""
    round_trips_s: tuple[float, ...]
    """Of data messages from one participant to the other, in order, less `floor_s`."""
    pings: int
    """Data messages sent."""
    lost: int
    """Those that did not arrive within two seconds."""
    voids: int
    """Those that arrived while our own event loop was late."""
    floor_s: float | None
    """Our own share of what was timed, already taken off: event loop, SDK and its queue."""
    ice_round_trips_s: tuple[float, ...]
    """What ICE's own checks told, in whole milliseconds."""
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
    """Of our own end: host, srflx, prflx, relay, or "" if not known."""
    quality: tuple[tuple[str, str], ...]
    """LiveKit's own word (excellent good poor lost, or "") for each client."""
    udp_addresses: tuple[str, ...]
    """HOST:PORT at which the server said that it takes media by UDP."""


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
    """What the server's clock is ahead of ours, known to about a second; 0 when within one."""


@dataclass(frozen=True, slots=True)
class RampClient:
    """One client of ours in one tier of a ramp."""

    round_trips_s: tuple[float, ...] = ()
    """Of data messages from this client to the next one in its room, less our own share."""
    lost: int = 0
    """Data messages that did not arrive in time."""
    voids: int = 0
    """Those that arrived while our own event loop was late."""
    media: Loss | None = None
    """The audio packets that the others in the room sent to it, and what of them did not come."""
    quality: str = ""
    """LiveKit's own word (excellent good poor lost, or "")."""
    connect_s: float | None = None
    """Until media could flow; None if it never could."""
    reason: Reason | None = None
    """Why it was not connected to the end of the tier."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ProberLoad:
    """What one process of the prober spent on its clients in one tier."""

    clients: int
    cpu_cores: float
    """Seconds of CPU in a second, all threads together."""
    lag_s: float
    """Lateness of its event loop, 99th percentile."""
    send_wait_s: float | None
    """From the request to send a data message to the SDK's answer, 95th percentile."""
    sent_ratio: float
    """Audio packets sent, of those that were due."""


@dataclass(frozen=True, slots=True)
class RampTier:
    """One level of a ramp: so many clients at one time."""

    clients: int
    """Asked for; there is one member for each."""
    members: tuple[RampClient, ...]
    load: tuple[ProberLoad, ...]
    """One for each process of the prober that lived to the end of the tier."""
    cores: float
    """That the prober may use."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """The tiers of a ramp, from few clients to many, as far as it came."""

    vantage: str
    """From where: the label."""
    tiers: tuple[RampTier, ...] = ()


@dataclass(frozen=True, slots=True)
class RampProgress:
    """How far a ramp is, for people who watch."""

    clients: int
    """Of the tier that is under way."""
    done: float
    """Share of the whole ramp, 0 to 1."""
    round_trip_s: float | None = None
    """Median of the last second; None while clients connect."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """One connection that was broken on purpose, and how it came back."""

    kind: str
    """signal, full or migration."""
    resume_s: float | None = None
    """From the break to the SDK's word that it is connected again."""
    media_gap_s: float | None = None
    """The longest time without a packet at the other participant; one packet is 20 ms."""
    reason: Reason | None = None
    """Set when it did not come back."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SfuReconnects:
    """Every kind of break, once."""

    reconnects: tuple[Reconnect, ...]


Result = (
    CallResult
    | Calibration
    | Listing
    | Ramp
    | SfuBaseline
    | SfuReach
    | SfuReconnects
    | WorkerScrape
)
"""What a probe may have found."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of one probe found. A failed run carries a reason, always."""

    probe: str
    """The row in `exporter.probes.PROBES`: latency agents workers calibrate."""
    agent_name: str
    """The target's agent, or "" for probes that have none."""
    started_at: datetime
    """Wall clock, UTC; for people only, never used in arithmetic."""
    duration_s: float
    reason: Reason | None = None
    detail: str = ""
    result: Result | None = None
    log: tuple[str, ...] = ()
    """The run's own log lines, oldest first."""
    run_id: str = ""
    """Set by the runner; on every log line of the run and in the name of its room."""

    @property
    def ok(self) -> bool:
        """Whether the run measured what it set out to measure."""
        return self.reason is None
