"""The JSON documents that `--json` prints: these classes are their shape."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.outcome import Calibration, Components, Listing, Outcome, Turn
from exporter.report.latency import CallReport, LatencyReport
from exporter.roster.types import Worker
from exporter.stats import Stats

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_DIGITS = 6
"""Decimals of a second: a microsecond is far below what is measured."""


@dataclass(frozen=True, slots=True)
class TurnItem:
    """One turn of a call."""

    outcome: str
    warmup: bool
    e2e_s: float | None
    reason: str | None
    components: Components | None

    @classmethod
    def of(cls, turn: Turn) -> "TurnItem":
        """Describe a turn."""
        split = turn.components if turn.components != Components() else None
        reason = str(turn.reason) if turn.reason else None
        return cls(str(turn.outcome), turn.warmup, turn.e2e_s, reason, split)


@dataclass(frozen=True, slots=True)
class LatencyItem:
    """One call to one agent."""

    agent_name: str
    call_type: str
    verdict: str
    target_s: float
    stats: Stats
    components: Components | None
    turns: tuple[TurnItem, ...]

    @classmethod
    def of(cls, call: CallReport) -> "LatencyItem":
        """Describe a call."""
        return cls(
            agent_name=call.config.agent_name,
            call_type=call.config.call_type,
            verdict=str(call.verdict),
            target_s=call.config.target_ms / 1000,
            stats=call.stats,
            components=call.components,
            turns=tuple(TurnItem.of(turn) for turn in call.turns),
        )


@dataclass(frozen=True, slots=True)
class LatencyDocument:
    """What `latency --json` prints."""

    run_at: str
    server: str
    floor_s: float | None
    latency: tuple[LatencyItem, ...]
    verdict: str

    @classmethod
    def of(cls, report: LatencyReport) -> "LatencyDocument":
        """Describe what `latency` found."""
        return cls(
            run_at=timestamp(report.run_at),
            server=report.server,
            floor_s=report.calibration.floor_s if report.calibration else None,
            latency=tuple(LatencyItem.of(call) for call in report.calls),
            verdict=str(report.verdict),
        )


@dataclass(frozen=True, slots=True)
class AgentItem:
    """One agent in a room, or one that was dispatched to it and is not there."""

    agent_name: str
    identity: str | None
    room: str
    state: str
    humans: int
    age_s: float


@dataclass(frozen=True, slots=True)
class WorkerItem:
    """One worker of the roster."""

    agent_name: str
    worker_id: str
    status: str
    active_jobs: int | None
    load: float | None
    sdk_version: str
    last_seen_s: float

    @classmethod
    def of(cls, worker: Worker, now: float) -> "WorkerItem":
        """Describe a worker, `now` being Unix time."""
        return cls(
            agent_name=worker.agent_name,
            worker_id=worker.worker_id,
            status=str(worker.status),
            active_jobs=worker.active_jobs,
            load=worker.load,
            sdk_version=worker.sdk_version,
            last_seen_s=max(0.0, now - worker.last_seen),
        )


@dataclass(frozen=True, slots=True)
class AgentsDocument:
    """What `agents --json` prints."""

    in_room: tuple[AgentItem, ...]
    workers: tuple[WorkerItem, ...] = ()

    @classmethod
    def of(
        cls, listing: Listing, workers: Iterable[Worker] = (), now: float = 0
    ) -> "AgentsDocument":
        """Describe a listing and the workers that are known, `now` being Unix time."""
        items = tuple(WorkerItem.of(worker, now) for worker in workers)
        return cls(tuple(agent_items(listing)), items)


def agent_items(listing: Listing) -> Iterable[AgentItem]:
    """Yield the agents in rooms, then the dispatched ones that are not there."""
    for each in listing.agents:
        state = each.state or "active"
        yield AgentItem(each.agent_name, each.identity, each.room, state, each.humans, each.age_s)
    for absent in listing.pending:
        yield AgentItem(
            absent.agent_name, None, absent.room, "dispatched", absent.humans, absent.age_s
        )


@dataclass(frozen=True, slots=True)
class CalibrateDocument:
    """What `calibrate --json` prints."""

    run_at: str
    server: str
    floor_s: float | None
    spread_s: float | None
    n: int
    voids: int
    reason: str | None
    detail: str

    @classmethod
    def of(cls, server: str, outcome: Outcome) -> "CalibrateDocument":
        """Describe a calibration."""
        found = outcome.result if isinstance(outcome.result, Calibration) else None
        return cls(
            run_at=timestamp(outcome.started_at),
            server=server,
            floor_s=found.floor_s if found else None,
            spread_s=found.spread_s if found else None,
            n=found.n if found else 0,
            voids=found.voids if found else 0,
            reason=str(outcome.reason) if outcome.reason else None,
            detail=outcome.detail,
        )


def timestamp(moment: datetime) -> str:
    """Write a moment as UTC in RFC 3339, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_json(document: "DataclassInstance") -> str:
    """Return the document as JSON: keys in the order of the class, seconds to a microsecond."""
    return json.dumps(_rounded(asdict(document)), indent=2, allow_nan=False)


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value
