"""Runs that have ended, of the ledger of this host or of a running exporter."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, urlencode

from pydantic import TypeAdapter, ValidationError

from exporter.commands.once import run
from exporter.errors import ConfigError, ProbeError, StoreError
from exporter.evidence.detail import RunDetail, recorded
from exporter.evidence.reading import read_call
from exporter.roster.collector import CollectorConfig, ask
from exporter.settings.redis import StoreSettings
from exporter.settings.settings import Settings
from exporter.store.config import evidence_folder, folder_of
from exporter.store.protocol import Store
from exporter.store.records import RunQuery, RunRecord
from exporter.store.sqlite import read_sqlite

LAST = 20
"""Runs that are listed where nobody says how many."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Page:
    runs: tuple[RunRecord, ...]


_PAGE = TypeAdapter(_Page)
_RUN = TypeAdapter(RunDetail)


def list_runs(settings: Settings, query: RunQuery) -> tuple[RunRecord, ...]:
    """Return runs, the newest first.

    Args:
        settings: With `collector.url` that exporter is asked, else the ledger is read.
        query: Which runs.

    Raises:
        ConfigError: There is no ledger, or the exporter did not answer; one line.
    """
    if settings.collector.url is None:
        return _read(settings, lambda store: store.runs(query))
    wanted = {
        "limit": query.limit,
        "agent_name": query.agent_name,
        "outcome": "failed" if query.failed else None,
    }
    return _of(_PAGE, _asked(settings.collector, "runs", **wanted)).runs


def find_run(settings: Settings, run_id: str) -> RunDetail | None:
    """Return one run with its evidence; None where there is none of that id.

    Raises:
        ConfigError: As of `list_runs`.
    """
    if settings.collector.url is not None:
        return _of(_RUN, _asked(settings.collector, f"runs/{quote(run_id, safe='')}"))
    kept = read_call(evidence_folder(settings.store), run_id)
    record = recorded(_read(settings, lambda store: store.run(run_id)), kept)
    return None if record is None else RunDetail.of_record(record, kept, with_words=True)


def _read(settings: Settings, read: Callable[[Store], T]) -> T:
    try:
        with closing(_opened(settings.store)) as store:
            return read(store)
    except StoreError as error:
        expected = "expected store.folder of an exporter of this host, or --collector URL"
        raise ConfigError(f"{error}; {expected}") from None


def _opened(config: StoreSettings) -> Store:
    return config.redis.opener()() if config.is_shared else read_sqlite(folder_of(config))


def _asked(config: CollectorConfig, path: str, **query: object) -> bytes:
    known = {name: value for name, value in query.items() if value is not None}
    try:
        return run(ask(config, "GET", f"{path}?{urlencode(known)}" if known else path))
    except ProbeError as error:
        raise ConfigError(error.detail) from None


def _of(known: TypeAdapter[T], body: bytes) -> T:
    try:
        return known.validate_json(body)
    except ValidationError:
        raise ConfigError("--collector: the answer is not of an exporter of this version") from None
