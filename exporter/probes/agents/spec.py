"""List what the server knows: agents in rooms, rooms, participants, dispatches without agent."""

import time
from collections.abc import Callable, Iterable, Iterator

from pydantic import Field

from exporter.config.values import Duration, ProbeSection
from exporter.outcome import Finding, Listing, Outcome, Verdict, failure
from exporter.probe import Probe
from exporter.probes.agents.families import FAMILIES, configured
from exporter.probes.agents.listings import Listings, StuckAgents
from exporter.roster.types import Worker, WorkerStatus

_MOST_FINDINGS = 10
"""Of one kind: a fleet with an agent name for each call would fill the page."""
_IN_SERVICE = (WorkerStatus.IDLE, WorkerStatus.BUSY, WorkerStatus.FULL)


class AgentsConfig(ProbeSection):
    """Listing of rooms and agents."""

    interval: Duration = Field(15.0, ge=1, description="Time between two listings.")
    deadline: Duration = Field(30.0, gt=0, description="Time limit of a listing.")
    concurrency: int = Field(
        16, ge=1, le=256, description="Number of rooms queried at the same time."
    )
    requests_per_minute: int = Field(
        600,
        ge=0,
        le=1_000_000,
        description="Requests to the server API that listings send in any minute at most; 0: any "
        "number. LiveKit Cloud refuses more than 1,000 of a project, those of its own applications "
        "included.",
    )
    stuck_after: Duration = Field(
        30.0,
        gt=0,
        description="Time in state initializing or thinking after which an agent is stuck.",
    )
    no_job_after: Duration = Field(
        15.0,
        gt=0,
        description=(
            "Age of a pending dispatch from which the listing is FAIL, and the idle workers of its "
            "agent count as not taking jobs."
        ),
    )
    unclosed_after: Duration = Field(
        600.0, gt=0, description="Time without a human after which a room counts as unclosed."
    )
    alone_after: Duration = Field(
        10.0, gt=0, description="Time without any agent after which a caller counts as alone."
    )
    call_rooms: tuple[str, ...] = Field(
        ("*",),
        description="Patterns of the names of rooms in which a caller expects an agent, with * and "
        "? as in a shell. Set it where the server has other rooms too, such as meetings.",
    )
    silent_after: Duration = Field(
        5.0,
        gt=0,
        description="Time without a published, unmuted microphone track after which an agent "
        "counts as without audio.",
    )


def summary(result: Listing) -> str:
    """Say how much is there."""
    pending = f"{len(result.pending)} dispatches pending"
    return f"{result.rooms} rooms, {len(result.agents)} agents, {pending}"


class Judge:
    """Judges listings in their order: only several of them show that an agent thinks for ever."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._stuck = StuckAgents(clock)

    def __call__(self, config: AgentsConfig, outcome: Outcome) -> tuple[Finding, ...]:
        """Judge a listing.

        FAIL when it failed, when no agent has come to a dispatch for long, and when agents are
        stuck: their callers hear nothing.
        """
        listing = outcome.result
        if outcome.reason is not None or not isinstance(listing, Listing):
            return failure(outcome)
        stuck = self._stuck(config.stuck_after, listing)
        late = (
            _failed(f"{_count(count, 'agent')} of {_name(name)} stuck in state {state}")
            for (name, state), count in sorted(stuck.items())
        )
        return (*_few(_pending(config, listing)), *_few(late))


def judge(config: AgentsConfig, outcome: Outcome) -> tuple[Finding, ...]:
    """Judge one listing alone."""
    return Judge()(config, outcome)


def judge_workers(workers: Iterable[Worker]) -> tuple[Finding, ...]:
    """Judge who is there to take calls: FAIL for an agent whose workers are lost, SLOW for some."""
    return _few(_lost(workers))


def _lost(workers: Iterable[Worker]) -> Iterator[Finding]:
    by_agent: dict[str, list[Worker]] = {}
    for worker in workers:
        by_agent.setdefault(worker.agent_name, []).append(worker)
    for name, known in sorted(by_agent.items()):
        lost = sum(worker.is_lost for worker in known)
        left = sum(worker.status in _IN_SERVICE for worker in known)
        if lost and left:
            text = f"{_count(lost, 'worker')} of {_name(name)} lost, {left} in service"
            yield Finding(Verdict.SLOW, text)
        elif lost:
            yield _failed(f"no worker of {_name(name)} is in service, {lost} lost")


def _pending(config: AgentsConfig, listing: Listing) -> Iterator[Finding]:
    ages: dict[str, list[float]] = {}
    for each in listing.pending:
        if each.age_s >= config.no_job_after:
            ages.setdefault(each.agent_name, []).append(each.age_s)
    for name, waits in sorted(ages.items()):
        count = _count(len(waits), "dispatch", "dispatches")
        yield _failed(f"{count} to {_name(name)} pending, for up to {max(waits):.0f} s")


def _few(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the first findings, worst first, and how many there are besides."""
    found = sorted(findings, key=lambda finding: finding.verdict is not Verdict.FAIL)
    shown, more = found[:_MOST_FINDINGS], found[_MOST_FINDINGS:]
    return (*shown, *(Finding(each.verdict, f"{len(more)} more") for each in more[:1]))


def _failed(text: str) -> Finding:
    return Finding(Verdict.FAIL, text)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _name(agent_name: str) -> str:
    return repr(agent_name) if agent_name else "agents without a name"


PROBE = Probe(
    name="agents",
    config=AgentsConfig,
    measure="exporter.probes.agents.measure:list_agents",
    lane="api",
    judge=judge,
    summary=summary,
    families=FAMILIES,
    reader=Listings,
    configured=configured,
)
