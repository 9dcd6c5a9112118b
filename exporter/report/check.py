"""What `check` found: agents, latency and the SFU under one verdict."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from exporter.outcome import Listing, TurnOutcome, Verdict
from exporter.report.documents import (
    AgentItem,
    AgentsDocument,
    LatencyDocument,
    WorkerItem,
    timestamp,
)
from exporter.report.fleet import FleetReport
from exporter.report.latency import CallReport, LatencyReport
from exporter.report.sfu import SfuDocument, SfuReport
from exporter.verdict import judge_server, worst


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The three diagnostics, each with its own judgement."""

    fleet: FleetReport
    """Agents in rooms, and workers."""
    latency: LatencyReport
    sfu: SfuReport

    @property
    def agents_verdict(self) -> Verdict:
        """Whether the server could be asked."""
        return judge_server(self.fleet.listing)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """The verdict of each."""
        return {
            "agents": self.agents_verdict,
            "latency": self.latency.verdict,
            "sfu": self.sfu.verdict,
        }

    @property
    def verdict(self) -> Verdict:
        """The worst of the three."""
        return worst(self.verdicts.values())

    @property
    def listing(self) -> Listing:
        """What is in rooms; nothing when that could not be asked."""
        found = self.fleet.listing.result
        return found if isinstance(found, Listing) else Listing()

    def reasons(self) -> Iterator[str]:
        """Yield, in one line each, what keeps the whole from PASS."""
        listing = self.fleet.listing
        if listing.reason is not None:
            yield f"agents: {self.agents_verdict}: {listing.reason}: {listing.detail}"
        if not self.latency.calls and not self.latency.failure:
            yield (
                f"latency: {Verdict.UNKNOWN}: no agent is in a room and none is configured; "
                "name one with --agent"
            )
        for call in self.latency.calls:
            if call.verdict is not Verdict.PASS:
                yield f"latency: {call.verdict}: {call.config.agent_name}: {_why(call)}"
        for finding in self.sfu.findings:
            yield f"sfu: {finding.verdict}: {finding.text}"


def _why(call: CallReport) -> str:
    """Say on one line what is wrong with a call."""
    if call.outcome.reason is not None:
        return f"{call.outcome.reason}: {call.outcome.detail}"
    failed = next((turn for turn in call.turns if turn.outcome is TurnOutcome.FAILED), None)
    if failed is not None:
        return f"{failed.reason}: {failed.detail}"
    average_s = call.stats.avg_s
    if average_s is None:
        return "no turn was measured"
    hard = call.config.fail_ms if call.verdict is Verdict.FAIL else None
    limit_ms = call.config.target_ms if hard is None else hard
    return f"{average_s:.2f} s on average is above {limit_ms / 1000:g} s"


@dataclass(frozen=True, slots=True)
class CheckedAgents:
    """The document of `agents`, with a verdict."""

    in_room: tuple[AgentItem, ...]
    workers: tuple[WorkerItem, ...]
    verdict: str


@dataclass(frozen=True, slots=True)
class CheckDocument:
    """What `check --json` prints."""

    run_at: str
    server: str
    agents: CheckedAgents
    latency: LatencyDocument
    sfu: SfuDocument
    verdict: str
    reasons: tuple[str, ...]
    """What keeps the verdict from PASS, each on one line."""

    @classmethod
    def of(cls, report: CheckReport) -> Self:
        """Describe what `check` found."""
        listed = AgentsDocument.of(report.listing, report.fleet.workers, report.fleet.now)
        return cls(
            run_at=timestamp(report.latency.run_at),
            server=report.latency.server,
            agents=CheckedAgents(listed.in_room, listed.workers, str(report.agents_verdict)),
            latency=LatencyDocument.of(report.latency),
            sfu=SfuDocument.of(report.sfu),
            verdict=str(report.verdict),
            reasons=tuple(report.reasons()),
        )
