"""Moves a ledger from its file into the Redis that several exporters share."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from exporter.daemon.agent_loads import KeptLoad
from exporter.errors import ConfigError, StoreError, StoreInUse
from exporter.probes.ramp.figures import RampFigures
from exporter.settings.settings import Settings
from exporter.store.config import folder_of
from exporter.store.protocol import Store
from exporter.store.records import RunQuery, RunRecord
from exporter.store.sqlite import open_sqlite
from exporter.store.sqlite_file import FILE_NAME

_AT_ONCE = 500
_MOST_CALIBRATIONS = 100_000


@dataclass(frozen=True, slots=True)
class Moved:
    """What a ledger had, which is in the other one now."""

    runs: int
    open_runs: int
    """Runs that an exporter was killed in; the next one ends them."""
    sums: int
    """Days of spending, of all targets together."""
    calibrations: int
    workers: int
    ramps: int
    """Last ramps of the SFU, and last loads on an agent."""
    calls: int
    """Real calls that had not ended."""


def migrate(settings: Settings) -> Moved:
    """Copy the ledger in `store.folder` to `store.redis`; the file stays as it is.

    It may be repeated: nothing is counted twice, and of two sums for a day the larger stays.

    Raises:
        ConfigError: No Redis is set, there is no ledger, an exporter uses it, or one of the two
            cannot be used; one line.
    """
    if not settings.store.is_shared:
        raise ConfigError("store.redis.url_file: is missing; expected where the ledger is to go")
    folder = folder_of(settings.store)
    if not (folder / FILE_NAME).is_file():
        raise ConfigError(f"store.folder: there is no ledger in {folder}")
    try:
        with (
            closing(open_sqlite(folder)) as source,
            closing(settings.store.redis.opener()()) as target,
        ):
            return _copy(source, target)
    except StoreInUse as error:
        raise ConfigError(f"store.folder: {error}; expected one that is stopped") from None
    except StoreError as error:
        raise ConfigError(str(error)) from None


def _copy(source: Store, target: Store) -> Moved:
    runs = 0
    for run in _all_runs(source):
        target.end(run)
        runs += 1
    open_runs, spent = source.open_runs(), source.spent("")
    target.restore(open_runs, spent)
    calibrations = source.calibrations(_MOST_CALIBRATIONS)
    for calibration in calibrations:
        target.add_calibration(calibration)
    workers, ramps, calls = source.workers(), source.ramps(), source.calls()
    target.save_workers(workers)
    for document in ramps:
        load = KeptLoad.read(document)
        place = load.place if load else RampFigures.model_validate_json(document).vantage
        target.save_ramp(place, document)
    target.save_calls(calls)
    return Moved(
        runs, len(open_runs), len(spent), len(calibrations), len(workers), len(ramps), len(calls)
    )


def _all_runs(source: Store) -> Iterator[RunRecord]:
    query = RunQuery(limit=_AT_ONCE)
    while page := source.runs(query):
        yield from page
        query = replace(query, before=page[-1].started_at, before_id=page[-1].run_id)
