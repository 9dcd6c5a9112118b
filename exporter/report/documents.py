"""The JSON documents that `--json` prints: these classes are their shape."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer, TypeAdapter

from exporter.outcome import Calibration, Components, Listing, Outcome, Reason, Turn, Verdict
from exporter.report.latency import CallReport, LatencyReport
from exporter.roster.types import Worker
from exporter.roster.wire import WorkerView
from exporter.stats import Stats

_DIGITS = 6
"""Decimals of a second: a microsecond is far below what is measured."""


def _to_the_second(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Timestamp = Annotated[datetime, PlainSerializer(_to_the_second)]
"""A moment, which a document has as UTC in RFC 3339, to the second."""


@dataclass(frozen=True, slots=True)
class LatencyItem:
    """One call to one agent."""

    agent_name: str
    call_type: str
    verdict: Verdict
    target_s: float
    stats: Stats
    components: Components | None
    turns: tuple[Turn, ...]

    @classmethod
    def of(cls, call: CallReport) -> "LatencyItem":
        """Describe a call."""
        return cls(
            agent_name=call.config.agent_name,
            call_type=call.config.call_type,
            verdict=call.verdict,
            target_s=call.config.target_ms / 1000,
            stats=call.stats,
            components=call.components,
            turns=call.turns,
        )


@dataclass(frozen=True, slots=True)
class LatencyDocument:
    """What `latency --json` prints."""

    run_at: Timestamp
    server: str
    floor_s: float | None
    latency: tuple[LatencyItem, ...]
    verdict: Verdict

    @classmethod
    def of(cls, report: LatencyReport) -> "LatencyDocument":
        """Describe what `latency` found."""
        return cls(
            run_at=report.run_at,
            server=report.server,
            floor_s=report.calibration.floor_s if report.calibration else None,
            latency=tuple(map(LatencyItem.of, report.calls)),
            verdict=report.verdict,
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
class AgentsDocument:
    """What `agents --json` prints."""

    in_room: tuple[AgentItem, ...]
    workers: tuple[WorkerView, ...] = ()

    @classmethod
    def of(
        cls, listing: Listing, workers: Iterable[Worker] = (), now: float = 0
    ) -> "AgentsDocument":
        """Describe a listing and the workers that are known, `now` being Unix time."""
        views = tuple(WorkerView.of(worker, now) for worker in workers)
        return cls(tuple(agent_items(listing)), views)


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

    run_at: Timestamp
    server: str
    floor_s: float | None
    spread_s: float | None
    n: int
    voids: int
    reason: Reason | None
    detail: str

    @classmethod
    def of(cls, server: str, outcome: Outcome) -> "CalibrateDocument":
        """Describe a calibration."""
        found = outcome.result if isinstance(outcome.result, Calibration) else None
        return cls(
            run_at=outcome.started_at,
            server=server,
            floor_s=found.floor_s if found else None,
            spread_s=found.spread_s if found else None,
            n=found.n if found else 0,
            voids=found.voids if found else 0,
            reason=outcome.reason,
            detail=outcome.detail,
        )


def to_json(document: object) -> str:
    """Return a document as JSON: keys in the order of its class, seconds to a microsecond."""
    plain = TypeAdapter(type(document)).dump_python(document, mode="json")
    return json.dumps(_rounded(plain), indent=2, allow_nan=False)


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value
