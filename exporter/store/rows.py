"""Records as rows of the SQLite store, and back."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from exporter.outcome import Reason, Turn, Verdict
from exporter.roster.types import Worker
from exporter.store.records import OpenRun, RunRecord, Spending

Row = tuple[Any, ...]

RUN_COLUMNS = ", ".join(
    each.name.replace("started_at", "started_at_seconds") for each in fields(RunRecord)
)
OPEN_COLUMNS = (
    "run_id, probe, agent_name, call_type, scenario, started_at_seconds, target, day, turns, "
    "call_seconds, room_name"
)
_TURNS = TypeAdapter(tuple[Turn, ...])
_WORKER = TypeAdapter(Worker)


def from_record(record: RunRecord) -> Row:
    """Return the values of `RUN_COLUMNS`."""
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    values["started_at"] = record.started_at.timestamp()
    values["turns"] = _TURNS.dump_json(record.turns).decode()
    return tuple(values.values())


def to_record(row: Row) -> RunRecord:
    """Return the run of a row of `RUN_COLUMNS`."""
    values = dict(zip((each.name for each in fields(RunRecord)), row, strict=True))
    values["started_at"] = to_time(values["started_at"])
    values["reason"] = Reason(values["reason"]) if values["reason"] else None
    values["verdict"] = Verdict(values["verdict"])
    values["turns"] = _TURNS.validate_json(values["turns"])
    return RunRecord(**values)


def from_open_run(run: OpenRun) -> Row:
    """Return the values of `OPEN_COLUMNS`."""
    return (
        run.run_id,
        run.probe,
        run.agent_name,
        run.call_type,
        run.scenario,
        run.started_at.timestamp(),
        run.target,
        run.day,
        run.plan.turns,
        run.plan.call_seconds,
        run.room_name,
    )


def to_open_run(row: Row) -> OpenRun:
    """Return the run of a row of `OPEN_COLUMNS`."""
    run_id, probe, agent, call_type, scenario, started_at, target, day, turns, seconds, room = row
    return OpenRun(
        run_id=run_id,
        probe=probe,
        agent_name=agent,
        call_type=call_type,
        scenario=scenario,
        started_at=to_time(started_at),
        target=target,
        day=day,
        plan=Spending(turns, seconds),
        room_name=room,
    )


def from_worker(worker: Worker) -> Row:
    """Return the id of a worker and the document with all that is known of it."""
    return worker.worker_id, _WORKER.dump_json(worker).decode()


def to_worker(document: str) -> Worker:
    """Return the worker of a document."""
    return _WORKER.validate_json(document)


def to_time(seconds: float) -> datetime:
    """Return a moment, UTC."""
    return datetime.fromtimestamp(seconds, UTC)
