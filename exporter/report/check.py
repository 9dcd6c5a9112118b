"""Agents, latency and the SFU under one verdict: what `check` prints."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from rich.text import Text

from exporter.outcome import Listing, Verdict, worst
from exporter.report.agents import AgentsDocument, FleetReport, print_agents, print_workers
from exporter.report.call_documents import LatencyDocument
from exporter.report.call_figures import LatencyReport
from exporter.report.latency import NONE_FOUND, print_calls
from exporter.report.printing import STYLES, Timestamp, clean, console, print_verdict, say
from exporter.report.sfu import SfuDocument, SfuReport, print_baseline


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The three diagnostics, each with its own judgement."""

    fleet: FleetReport
    """Agents in rooms, and workers."""
    latency: LatencyReport
    sfu: SfuReport

    @property
    def agents_verdict(self) -> Verdict:
        """Whether all could be asked, and agents and workers are well."""
        return self.fleet.verdict

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
        for finding in self.fleet.findings:
            yield f"agents: {finding}"
        if not self.latency.calls and not self.latency.failure:
            yield f"latency: {Verdict.UNKNOWN}: {NONE_FOUND}"
        for call in self.latency.calls:
            if call.verdict is not Verdict.PASS:
                why = "; ".join(each.text for each in call.outcome.findings or ())
                yield f"latency: {call.verdict}: {call.config.agent_name}: {why}"
        for finding in self.sfu.findings:
            yield f"sfu: {finding}"


@dataclass(frozen=True, slots=True)
class CheckedAgents(AgentsDocument):
    """The document of `agents`, with a verdict."""

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


def print_check(report: CheckReport) -> None:
    """Print the verdict and why, then what the three diagnostics found."""
    out = console()
    print_verdict(report.verdict)
    reasons = list(report.reasons())
    for name, verdict in report.verdicts.items():
        if verdict is Verdict.PASS:
            out.print(f"{name}: ", Text(verdict, STYLES[verdict]), sep="")
        for reason in reasons:
            if reason.startswith(f"{name}: "):
                say(out, clean(reason))
    out.print()
    if report.fleet.listing.ok:
        print_agents(report.listing)
        if report.fleet.asked:
            print_workers(report.fleet.workers, report.fleet.now)
        out.print()
    print_calls(report.latency, verdicts=False)
    out.print()
    print_baseline(report.sfu)
