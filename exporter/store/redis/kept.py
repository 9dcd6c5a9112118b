"""What is kept beside the runs: the roster, real calls, ramps and calibrations."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from pydantic import TypeAdapter

from exporter.roster.types import Worker
from exporter.store.records import CalibrationRecord, EvidencePlace
from exporter.store.redis.owners import Room
from exporter.store.redis.scripts import (
    ADD_CALIBRATION,
    CLAIM_CALLS,
    DROP_WORKERS,
    FORGET_CALLS,
    SAVE_CALLS,
    SAVE_WORKERS,
)

_WORKERS_KEPT_S = 7 * 86400.0
_CALLS_KEPT_S = 2 * 86400
"""Real calls that nobody has changed for so long were left, and no other exporter took them."""
_WORDS_AT_ONCE = 3 * 1000
"""Of workers, three for each: a script holds up all others that ask Redis."""
_WORKER = TypeAdapter(Worker)
_PLACE = TypeAdapter(EvidencePlace)
_CALIBRATION = TypeAdapter(CalibrationRecord)


class Kept(Room):
    """Documents that are replaced as a whole."""

    _saved_workers: frozenset[str] = frozenset()

    def add_calibration(self, calibration: CalibrationRecord) -> None:
        """Keep a calibration."""
        document = _CALIBRATION.dump_json(calibration).decode()
        self._connection.run(ADD_CALIBRATION, calibration.at.timestamp(), document)

    def calibrations(self, limit: int) -> tuple[CalibrationRecord, ...]:
        """Return calibrations, the newest first."""
        documents = self._ask("ZREVRANGE", "calibrations", 0, limit - 1)
        return tuple(map(_CALIBRATION.validate_json, documents))

    def save_evidence(
        self, place: EvidencePlace, run_ids: Collection[str], gone: Collection[str] = ()
    ) -> None:
        """Note which exporter keeps calls; a run that is pruned takes its note with it."""
        document = _PLACE.dump_json(place).decode()
        ids = sorted(run_ids)
        for start in range(0, len(ids), _WORDS_AT_ONCE):
            these = dict.fromkeys(ids[start : start + _WORDS_AT_ONCE], document)
            self._ask("HSET", "evidence", *chain(*these.items()))
        if gone:
            self._ask("HDEL", "evidence", *gone)

    def evidence(self, run_id: str) -> EvidencePlace | None:
        """Return which exporter keeps a call."""
        document = self._ask("HGET", "evidence", run_id)
        return None if document is None else _PLACE.validate_json(document)

    def save_workers(self, workers: Sequence[Worker]) -> None:
        """Keep the roster of this exporter; what others have seen later or besides stays."""
        here = frozenset(each.worker_id for each in workers)
        words: list[str | float] = []
        for each in workers:
            words += (each.worker_id, each.last_seen, _WORKER.dump_json(each).decode())
        for gone in self._saved_workers - here:
            words += (gone, "", "")
        for start in range(0, len(words), _WORDS_AT_ONCE):
            self._connection.run(SAVE_WORKERS, *words[start : start + _WORDS_AT_ONCE])
        self._saved_workers = here

    def workers(self) -> tuple[Worker, ...]:
        """Return the workers that any exporter knows."""
        documents = self._ask("HGETALL", "workers")
        return tuple(_WORKER.validate_json(documents[each]) for each in sorted(documents))

    def save_ramp(self, vantage: str, document: str) -> None:
        """Keep the last ramp of a vantage."""
        self._ask("HSET", "ramps", vantage, document)

    def forget_ramp(self, vantage: str) -> None:
        """Forget the ramp of a vantage."""
        self._ask("HDEL", "ramps", vantage)

    def ramps(self) -> tuple[str, ...]:
        """Return the last ramp of each vantage."""
        documents = self._ask("HGETALL", "ramps")
        return tuple(documents[each] for each in sorted(documents))

    def save_calls(self, documents: Mapping[str, str]) -> None:
        """Keep real calls, as those of this exporter."""
        words = (word for each in documents.items() for word in each)
        self._connection.run(SAVE_CALLS, self._owners.owner, *words)

    def forget_calls(self, room_sids: Sequence[str]) -> None:
        """Forget real calls."""
        self._connection.run(FORGET_CALLS, *room_sids)

    def calls(self) -> Mapping[str, str]:
        """Return the real calls of this exporter, and take over those of exporters that died."""
        self._owners.claim("calls:owners", CLAIM_CALLS)
        owners, documents = self._ask("HGETALL", "calls:owners"), self._ask("HGETALL", "calls")
        own = (sid for sid, owner in owners.items() if owner == self._owners.owner)
        return {sid: documents[sid] for sid in own if sid in documents}

    def prune_kept(self, now: datetime, since: datetime) -> int:
        """Delete calibrations from before `since`, and what nobody looks after any longer.

        Returns:
            How many calibrations went.
        """
        seen_since = now.timestamp() - _WORKERS_KEPT_S
        self._connection.run(DROP_WORKERS, seen_since)
        seconds, _ = self._connection.ask("TIME")
        old = self._ask("ZRANGEBYSCORE", "calls:by_change", "-inf", seconds - _CALLS_KEPT_S)
        if old:
            self.forget_calls(old)
        gone: int = self._ask("ZREMRANGEBYSCORE", "calibrations", "-inf", f"({since.timestamp()!r}")
        return gone

    def _ask(self, command: str, name: str, *words: str | float) -> Any:
        return self._connection.ask(command, self._connection.key(name), *words)
