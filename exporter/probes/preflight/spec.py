"""The production checklist: what is asked, and how each answer is judged."""

from dataclasses import dataclass

from pydantic import Field

from exporter.config.values import Duration, ProbeSection, Section
from exporter.outcome import Finding, Outcome, Verdict, failure
from exporter.probe import Probe, always
from exporter.probes.latency.way_in.config import TokenConfig
from exporter.probes.reach.spec import ReachConfig
from exporter.roster.collector import CollectorConfig

ABOUT = {
    "signal": "Three joins by signalling alone. FAIL where none succeeds.",
    "udp_ports": "Six participants connect at once; of a range, the server gives each another "
    "port. FAIL where none gets through and no other transport works, SLOW where one does not.",
    "tcp": "Media by TCP, the way out where UDP is blocked. SLOW without it.",
    "turn_udp": "Media through the server's TURN by UDP alone. SLOW where it is not offered.",
    "turn_tls": "Media through its TURN by TLS alone, which the strictest networks allow. SLOW "
    "where it is not offered. Its certificate must be of a public authority: the SDK's "
    "connection to TURN does not use `livekit.ca_file`.",
    "round_trip_udp": "Median round trip by UDP, of ICE checks, in whole milliseconds. SLOW above "
    "`sfu.target_rtt_ms`.",
    "round_trip_tcp": "The same by TCP.",
    "round_trip_turn": "The same through TURN.",
    "certificate": "Validity and trust of the certificates of server and TURN servers. SLOW "
    "without TLS, and below `reach.warn_before`.",
    "clock": "Server clock minus the clock of this host. SLOW above `reach.max_skew`, FAIL above "
    "a minute: tokens are refused then.",
    "rights": "The key may create and list rooms, and list participants and dispatches.",
    "listen_only": "A participant who may only listen announces a track, which must be refused; "
    "one who may publish does the same, which must succeed.",
    "other_room": "A token of one room must open no other, neither by API nor by a join.",
    "expired": "A token that expired an hour ago must be refused.",
    "secret": "The API secret has at least 32 characters, and is not that of `livekit-server "
    "--dev`.",
    "webhook": "The webhook of a new room comes within 5 s: to `--webhook-listen`, or to the "
    "exporter at `--collector`. UNKNOWN without either.",
    "private_address": "A server with a public URL advertises at least one public address for "
    "media.",
    "bandwidth": "What one client with one audio track sends and another receives in 3 s. SLOW "
    "above 1 % loss, UNKNOWN where no packet arrives.",
    "token_endpoint": "The token of each target with `token`: time and dangerous claims, which "
    "make it SLOW. FAIL where one gives none.",
}
"""Every check in the order of the checklist, and how it is judged."""
CHECKS = tuple(ABOUT)
UNSEEN = (
    "networks other than this host's: run it where callers are as well",
    "UDP ports that no participant was given: the server picks one of its range for each",
    "whether the certificate is renewed by itself: its age does not say",
    "whether the secret is kept safely, and who knows it",
    "the agent: `voice-exporter latency` calls it",
    "how many clients the server carries: `voice-exporter sfu --load` finds that",
    "fail-over and backup: nothing is broken on purpose",
)
"""What no check can see, for people."""
CLEANUP_S = 5.0


class TokenEndpoint(Section):
    """The endpoint of one target."""

    name: str
    """Of the target, for people."""
    token: TokenConfig


class PreflightConfig(ProbeSection):
    """The checklist; it is no section of a file, but made of several and of flags."""

    interval: Duration = Field(86_400.0, description="It is never scheduled.")
    timeout: Duration = Field(
        8.0, gt=0, le=60, description="Time limit of each check, and to connect by one transport."
    )
    participants: int = Field(
        6, ge=1, le=10, description="Participants that connect at once, each at a UDP port."
    )
    reach: ReachConfig = Field(default=ReachConfig(), description="Limits of its items.")
    target_rtt_ms: float = Field(50, gt=0, description="As of `sfu`.")
    webhook_listen: str = Field("", description="HOST:PORT at which webhooks are awaited.")
    collector: CollectorConfig = Field(
        default=CollectorConfig(), description="The exporter that gets the webhooks."
    )
    endpoints: tuple[TokenEndpoint, ...] = Field((), description="Those of the targets.")
    skip: frozenset[str] = Field(frozenset(), description="Checks that are left out.")
    deadline: Duration = Field(
        default_factory=lambda config: 60.0 + 16 * config["timeout"],
        description="Time limit of all checks.",
    )


@dataclass(frozen=True, slots=True)
class Checked:
    """One line of the checklist."""

    check: str
    """One of `CHECKS`."""
    verdict: Verdict
    measured: str
    """What was found, with its figure; why it could not be checked where it is UNKNOWN."""
    n: int = 0
    """How many measurements or attempts that is; 0 where nothing could be tried."""
    todo: str = ""
    """What to do; "" where it is well."""


@dataclass(frozen=True, slots=True)
class Checklist:
    """All of it, in the order of `CHECKS`."""

    items: tuple[Checked, ...]


def judge(_config: PreflightConfig, outcome: Outcome) -> tuple[Finding, ...]:
    """Judge by every check that does not pass."""
    found = outcome.result
    if not isinstance(found, Checklist):
        return failure(outcome)
    return tuple(
        Finding(each.verdict, f"{each.check}: {each.measured}")
        for each in found.items
        if each.verdict is not Verdict.PASS
    )


def summary(result: Checklist) -> str:
    """Say how many checks passed."""
    passed = sum(each.verdict is Verdict.PASS for each in result.items)
    return f"{passed} of {len(result.items)} checks passed"


PROBE = Probe(
    name="preflight",
    config=PreflightConfig,
    measure="exporter.probes.preflight.measure:measure_preflight",
    lane="call",
    judge=judge,
    summary=summary,
    families=(),
    reader=always(lambda _config, _outcome: ()),
)
TABLE = {PROBE.name: PROBE}
"""A table of its own: it has no section, no schedule and no series."""
