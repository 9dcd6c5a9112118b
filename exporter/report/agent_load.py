"""Loads on an agent: what `agent-load` prints."""

from dataclasses import dataclass
from typing import Self

from exporter.outcome import AgentLoad, Outcome, Verdict
from exporter.probes.agent_load.judge import JudgedTier, PerCall
from exporter.probes.agent_load.spec import AgentLoadConfig, agent_knee, judged_tiers
from exporter.probes.ramp.judge import KneeKind
from exporter.report.printing import clean, console, ms, print_findings, print_verdict, say, table


@dataclass(frozen=True, slots=True)
class LoadDocument:
    """What `agent-load --json` prints."""

    agent_name: str
    call_type: str
    scenario: str
    tiers: tuple[JudgedTier, ...]
    knee_calls: int | None
    """None unless it was found; `knee` says why not."""
    knee: KneeKind
    text: str
    """The knee in words."""
    per_call: PerCall
    """What one more call takes of the agent's workers."""
    verdict: Verdict
    findings: tuple[str, ...]
    """What the verdict rests on, when it is not PASS."""

    @classmethod
    def of(cls, config: AgentLoadConfig, outcome: Outcome) -> Self:
        """Describe a load."""
        knee = agent_knee(config, outcome)
        tiers = outcome.result.tiers if isinstance(outcome.result, AgentLoad) else ()
        return cls(
            **config.labels(),
            tiers=judged_tiers(config, outcome),
            knee_calls=knee.clients,
            knee=knee.kind,
            text=knee.text,
            per_call=PerCall.of(tiers),
            verdict=outcome.verdict,
            findings=tuple(map(str, outcome.findings or ())),
        )


def print_load(document: LoadDocument, outcome: Outcome) -> None:
    """Print a row for each tier, then the knee, and what a call takes of the workers."""
    out = console()
    if document.tiers:
        heads = ("CALLS", "E2E P50", "P95", "MAX", "N", "TO AGENT", "YIELD", "FAILED", "VOID")
        out.print(table((*heads, "LIMIT"), [_row(tier) for tier in document.tiers]))
        for tier in document.tiers:
            for why in (*tier.broken, *tier.limits):
                say(out, f"{tier.clients} calls: {clean(why)}")
        say(out, f"knee of {clean(document.agent_name)}: {document.text}")
        cost = document.per_call
        if cost.memory_bytes is not None:
            cpu = "" if cost.cpu_cores is None else f" and {cost.cpu_cores:.2f} cores"
            say(out, f"one call: {cost.memory_bytes / 1e6:.0f} MB{cpu} of its workers, n={cost.n}")
    print_findings(outcome.findings or ())
    print_verdict(document.verdict, "AGENT LOAD")


def _row(tier: JudgedTier) -> tuple[str, ...]:
    times = (tier.e2e.p50_s, tier.e2e.p95_s, tier.e2e.max_s)
    more = (tier.time_to_agent.p50_s, tier.time_to_yield.p50_s)
    p50, p95, most, to_agent, to_yield = (
        ms(None if each is None else each * 1000) for each in (*times, *more)
    )
    failed = str(sum(count for _, count in tier.failures))
    limit = "prober" if tier.limited else "target" if tier.broken else "-"
    head = (str(tier.clients), p50, p95, most, str(tier.e2e.n))
    return (*head, to_agent, to_yield, failed, str(tier.voids), limit)
