"""The one seam between probes and everything else: the row of a probe, and one run of it.

It knows no probe. What a run is handed, and what a probe must say of itself, is here; the table
of all probes is `exporter.probes`.
"""

import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import EvidenceLost, Finding, Outcome, RampProgress, Reason, Turn, failure
from exporter.series import Family, Reading
from exporter.server_api import Server

C = TypeVar("C", bound=BaseModel)
R = TypeVar("R")

ROOM_PREFIX = "voice-exporter-"
"""Rooms of runs are named this and the id of the run, unless the target names its room."""
PROBE_ATTRIBUTE = "voice-exporter.probe"
"""Attribute of the caller in a room that the target names: what is in it is a probe's as well."""

Lane = Literal["call", "api"]
"""Which processes run a probe: a listing of seconds must not wait behind calls of minutes."""


def _nobody(_news: RampProgress | Turn | EvidenceLost | str) -> None:
    """Take a finished turn, a room, a progress or a loss when no one watches."""


Reader = Callable[[C, Outcome], Iterable[Reading]]
"""Turns the Outcomes of one configuration, in their order, into readings."""


def always(reader: Reader[C]) -> Callable[[], Reader[C]]:
    """Return what a row has for a reader that compares nothing."""
    return lambda: reader


def _nothing(_config: BaseModel) -> tuple[Reading, ...]:
    return ()


USUAL_S = 20.0
"""How long a test of the server usually takes, at most: those of the network take 1 to 15 s."""


def _usual_s(_config: BaseModel) -> float:
    return USUAL_S


def _no_labels(_config: BaseModel) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Keep:
    """What a run is to write down, so that it can be seen and heard afterwards."""

    folder: Path
    """For this run alone; the run makes it."""
    audio: bool = True
    """The sound of the call as well."""
    text: bool = False
    """What was said as words as well."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one probe: its server, its deadline and its callbacks."""

    id: str
    """On every log line of this run."""
    server: Server
    deadline: float
    """On the monotonic clock of the probe's process; the runner kills what passes it."""
    on_turn: Callable[[Turn], None] = _nobody
    """Called after each turn of a call, for people who watch."""
    on_room: Callable[[str], None] = _nobody
    """Called with the name of a room that this run is about to create, so that the runner can
    delete it should the run be killed. Never call it with a room of someone else."""
    on_progress: Callable[[RampProgress], None] = _nobody
    """Called now and again by a ramp, for people who watch."""
    keep: Keep | None = None
    """Where to write down what happens; None: nowhere."""
    on_lost: Callable[[EvidenceLost], None] = _nobody
    """Called when it could not be written down; the run goes on all the same."""
    before: object = None
    """What an earlier run of this probe left for it (`Outcome.kept`); None: this one is alone."""
    clock: Callable[[], float] = time.monotonic
    started: float = field(default_factory=time.monotonic)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    lines: list[str] = field(default_factory=list)

    def log(self, line: str) -> None:
        """Keep one line of what happened, with the seconds since the start. No secrets."""
        self.lines.append(f"{self.clock() - self.started:8.3f} {line}")

    def left(self) -> float:
        """Return the seconds until the deadline, at least 0."""
        return max(0.0, self.deadline - self.clock())

    async def within_deadline(self, work: Awaitable[None], keep_s: float) -> ProbeError | None:
        """Await the work for as long as the deadline allows.

        Args:
            work: What the run is to do.
            keep_s: Seconds kept back from the deadline, to leave, to clean up and to report what
                was measured so far.

        Returns:
            Why it ended early, by the probe's own word, as `deadline`, or as `void` where the
            prober stood still for too much of that time; None if it did not.
        """
        since, allowed_s = time.monotonic(), max(0.0, self.left() - keep_s)
        try:
            async with asyncio.timeout(allowed_s) as limit:
                await work
        except ProbeError as error:
            return error
        except TimeoutError:
            if not limit.expired():
                raise
            detail = f"not finished within {round(self.deadline - self.started, 1):g} s"
            return Limit.RUN.ran_out(detail, since, allowed_s)
        return None

    def outcome(
        self,
        probe: str,
        agent_name: str = "",
        *,
        result: object = None,
        ended: ProbeError | None = None,
        reason: Reason | None = None,
        detail: str = "",
        loop_lag_s: float | None = None,
        kept: object = None,
    ) -> Outcome:
        """Build the Outcome of this run as of now.

        Args:
            probe: The name of the row.
            agent_name: Of a call.
            result: What was measured.
            ended: Why it ended early, if it did; else `reason` and `detail` say what failed.
            reason: Why it failed.
            detail: One line on that for people.
            loop_lag_s: The largest lateness of the event loop while it was connected.
            kept: For the next run.
        """
        if ended is not None:
            reason, detail = ended.reason, ended.detail
        return Outcome(
            probe=probe,
            agent_name=agent_name,
            started_at=self.started_at,
            duration_s=self.clock() - self.started,
            reason=reason,
            detail=detail,
            result=result,
            log=tuple(self.lines),
            loop_lag_s=loop_lag_s,
            kept=kept,
        )


@dataclass(frozen=True, slots=True)
class Probe(Generic[C, R]):
    """A row of the table: all that is known of a probe outside of its own folder."""

    name: str
    """The label `probe` and `check`, and the section of the configuration."""
    config: type[C]
    """The frozen model that its work takes; has a `deadline` in seconds."""
    measure: str
    """Where its work is: the dotted path `module:coroutine` of `(config, Run) -> Outcome`. The
    probe's process imports it, and the SDK with it; nobody else does."""
    lane: Lane
    judge: Callable[[C, Outcome], tuple[Finding, ...]]
    """What keeps a run from PASS; asked once for each run, and shown everywhere."""
    summary: Callable[[R], str]
    """A few words on what was measured, for people."""
    families: tuple[Family, ...]
    """The metrics that its runs write."""
    reader: Callable[[], Reader[C]]
    """Makes what turns its Outcomes into readings: one for each thing that is probed, so that it
    may compare an Outcome with those before it."""
    configured: Callable[[C], Iterable[Reading]] = _nothing
    """What a configuration says on /metrics; of several that share a series, the least is shown."""
    alone: bool = False
    """No other run of its lane may be under way: it loads what they measure."""
    usual_s: Callable[[C], float] = _usual_s
    """How long a run usually takes, in seconds: with the interval it says how many processes are
    wanted. The deadline is for the worst case, and several times as long."""
    labels: Callable[[C], Mapping[str, str]] = _no_labels
    """The labels that identify the subject of a probe."""

    def work(self) -> Callable[[C, Run], Awaitable[Outcome]]:
        """Import and return its work.

        Raises:
            ImportError: There is no such module.
            AttributeError: The module has no such coroutine.
        """
        module, _, name = self.measure.partition(":")
        work: Callable[[C, Run], Awaitable[Outcome]] = getattr(
            importlib.import_module(module), name
        )
        return work

    def judged(self, config: C, outcome: Outcome) -> Outcome:
        """Return an outcome of this probe with its findings.

        No judge is asked of a run that the prober spoiled: it is UNKNOWN for every probe.
        """
        if outcome.reason is not None and outcome.reason.is_own_fault:
            return replace(outcome, findings=failure(outcome))
        return replace(outcome, findings=self.judge(config, outcome))

    def text(self, outcome: Outcome) -> str:
        """Return the summary of a run, or the reason why it has no result."""
        if outcome.reason is not None:
            return f"{outcome.reason}: {outcome.detail}"
        result: Any = outcome.result
        return "" if result is None else self.summary(result)


def failed_is_all(_config: BaseModel, outcome: Outcome) -> tuple[Finding, ...]:
    """Judge a probe that has no thresholds: it failed, or all is well."""
    return failure(outcome)
