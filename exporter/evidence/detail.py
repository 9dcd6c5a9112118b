"""One run with all that is known of it, as JSON: what the ledger keeps, and its evidence."""

from dataclasses import dataclass, fields
from typing import Any, Self

from pydantic import ConfigDict, with_config

from exporter.evidence.journal import AnyEvent, silenced
from exporter.evidence.kept import KeptCall, TurnMark
from exporter.store.records import EvidencePlace, RunRecord


@with_config(ConfigDict(use_attribute_docstrings=True))
@dataclass(frozen=True, slots=True)
class Evidence:
    """What is kept of a call. All times are seconds since the first sample of its sound."""

    length_s: float
    """Of the sound."""
    events: tuple[AnyEvent, ...]
    """The timeline; `kind` says what an event is. Words are "" unless `evidence.text` keeps them,
    and for whoever may not read them."""
    marks: tuple[TurnMark, ...]
    """Where each turn lies in the sound, in the order of `turns`."""
    target_s: float | None
    """The target for the latency of the call."""
    sound: str | None
    """Link to the sound (FLAC, left the caller, right the agent), relative to this document; null
    where none is kept."""

    @classmethod
    def of(cls, call: KeptCall, sound: str, *, with_words: bool) -> Self:
        """Describe a kept call.

        Args:
            call: That is kept.
            sound: Link to its sound.
            with_words: Whoever asks may read what was said.
        """
        return cls(
            length_s=round(call.length_s, 3),
            events=call.events if with_words else silenced(call.events),
            marks=call.marks,
            target_s=call.target_s,
            sound=sound if call.sound else None,
        )


@with_config(ConfigDict(use_attribute_docstrings=True))
@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail(RunRecord):
    """A run that has ended, with its evidence."""

    evidence: Evidence | None = None
    """Null where the call is not kept by this exporter."""
    evidence_at: EvidencePlace | None = None
    """The exporter that keeps the call, where it is another one that shares the ledger."""

    @classmethod
    def of_record(
        cls,
        run: RunRecord,
        call: KeptCall | None,
        *,
        with_words: bool,
        sound: str = "",
        elsewhere: EvidencePlace | None = None,
    ) -> Self:
        """Return all that is known of a run.

        Args:
            run: As the ledger has it.
            call: As it is kept, if it is; it has the log of a run that succeeded as well.
            with_words: Whoever asks may read what was said.
            sound: Name of the sound below the run; that of the API if "".
            elsewhere: The exporter that keeps the call, where another one does.
        """
        known: dict[str, Any] = {each.name: getattr(run, each.name) for each in fields(run)}
        if call is None:
            return cls(**known, evidence_at=elsewhere)
        known["log"] = call.outcome.log
        link = f"{run.run_id}/{sound or 'sound'}"
        return cls(**known, evidence=Evidence.of(call, link, with_words=with_words))


def recorded(record: RunRecord | None, kept: KeptCall | None) -> RunRecord | None:
    """Return the record of a run: the ledger may lose one whose call is kept.

    Args:
        record: Of the ledger; None where it has none.
        kept: The call; None where it is not kept.
    """
    return RunRecord.of(kept.outcome) if record is None and kept is not None else record
