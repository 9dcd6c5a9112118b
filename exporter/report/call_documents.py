"""What `latency --json` prints."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from exporter.evidence.detail import RunDetail
from exporter.evidence.reading import read_call
from exporter.evidence.sound import SOUND_NAME
from exporter.outcome import (
    Components,
    Verdict,
)
from exporter.report.call_figures import CallReport, LatencyReport
from exporter.report.printing import (
    Timestamp,
)
from exporter.stats import Stats
from exporter.store.records import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyItem(RunDetail):
    """One call to one agent: what the history keeps of a run, and what follows from its turns.

    A call that failed outside of its turns has one more turn here, with the reason.
    """

    target_s: float
    stats: Stats
    components: Components | None

    @classmethod
    def of_call(cls, call: CallReport, saved: Path | None = None) -> "LatencyItem":
        """Describe a call, with its evidence if it is saved in a folder."""
        record = RunRecord.of(replace(call.outcome, result=call.result))
        kept = read_call(saved, record.run_id) if saved else None
        run = RunDetail.of_record(record, kept, with_words=True, sound=SOUND_NAME)
        known: dict[str, Any] = {field.name: getattr(run, field.name) for field in fields(run)}
        known |= {"turns": call.turns, "log": call.outcome.log}
        return cls(
            **known,
            target_s=call.config.target_ms / 1000,
            stats=call.stats,
            components=call.components,
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
    def of(cls, report: LatencyReport, saved: Path | None = None) -> "LatencyDocument":
        """Describe what `latency` found, with the evidence of calls that are saved in a folder."""
        return cls(
            run_at=report.run_at,
            server=report.server,
            floor_s=report.calibration.floor_s if report.calibration else None,
            latency=tuple(LatencyItem.of_call(each, saved) for each in report.calls),
            verdict=report.verdict,
        )
