"""What `check` found: agents, latency and the SFU under one verdict."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from exporter.outcome import Listing, Verdict, worst
from exporter.report.documents import AgentItem, AgentsDocument, LatencyDocument, Timestamp
from exporter.report.fleet import FleetReport
from exporter.report.latency import LatencyReport
from exporter.report.sfu import SfuDocument, SfuReport
from exporter.roster.wire import WorkerView


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
        return self.fleet.listing.verdict

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
        for finding in self.fleet.listing.findings or ():
            yield f"agents: {finding.verdict}: {finding.text}"
        if not self.latency.calls and not self.latency.failure:
            yield (
                f"latency: {Verdict.UNKNOWN}: no agent is in a room and none is configured; "
                "name one with --agent"
            )
        for call in self.latency.calls:
            if call.verdict is not Verdict.PASS:
                why = "; ".join(each.text for each in call.outcome.findings or ())
                yield f"latency: {call.verdict}: {call.config.agent_name}: {why}"
        for finding in self.sfu.findings:
            yield f"sfu: {finding.verdict}: {finding.text}"


@dataclass(frozen=True, slots=True)
class CheckedAgents:
    """The document of `agents`, with a verdict."""

    in_room: tuple[AgentItem, ...]
    workers: tuple[WorkerView, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class CheckDocument:
    """What `check --json` prints."""

    run_at: Timestamp
    server: str
    agents: CheckedAgents
    latency: LatencyDocument
    sfu: SfuDocument
    verdict: Verdict
    reasons: tuple[str, ...]
    """What keeps the verdict from PASS, each on one line."""

    @classmethod
    def of(cls, report: CheckReport) -> Self:
        """Describe what `check` found."""
        listed = AgentsDocument.of(report.listing, report.fleet.workers, report.fleet.now)
        return cls(
            run_at=report.latency.run_at,
            server=report.latency.server,
            agents=CheckedAgents(listed.in_room, listed.workers, report.agents_verdict),
            latency=LatencyDocument.of(report.latency),
            sfu=SfuDocument.of(report.sfu),
            verdict=report.verdict,
            reasons=tuple(report.reasons()),
        )
