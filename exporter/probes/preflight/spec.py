"""The production checklist: what is asked, and how each answer is judged."""

from dataclasses import dataclass

from pydantic import Field

from exporter.config.values import Duration, ProbeSection, Section
from exporter.outcome import Finding, Outcome, Verdict, failure
from exporter.probe import Probe, always
from exporter.probes.latency.way_in.config import TokenConfig
from exporter.probes.reach.spec import ReachConfig
from exporter.roster.collector import CollectorConfig

CHECKS = (
    *("signal", "udp_ports", "tcp", "turn_udp", "turn_tls"),
    *("round_trip_udp", "round_trip_tcp", "round_trip_turn"),
    *("certificate", "clock", "rights", "listen_only", "other_room", "expired", "secret"),
    *("webhook", "private_address", "bandwidth", "token_endpoint"),
)
"""Every check, in the order of the checklist."""
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
        default_factory=lambda config: 30.0 + 8 * config["timeout"],
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
