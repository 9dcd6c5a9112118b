"""The table of verdicts in docs/metrics.md: every reason and every probe, by the judges' word."""

from collections.abc import Iterator
from datetime import UTC, datetime

from exporter.outcome import Outcome, Reason
from exporter.probes import PROBES


def verdict_rows() -> Iterator[tuple[Reason, tuple[str, ...]]]:
    """Yield each reason with the verdict of a run of each probe that ended for it."""
    for reason in Reason:
        yield reason, tuple(_verdict(probe, reason) for probe in PROBES)


def verdict_table() -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"| reason | {' | '.join(PROBES)} |"
    yield "|---" * (len(PROBES) + 1) + "|"
    for reason, verdicts in verdict_rows():
        yield f"| `{reason}` | {' | '.join(verdicts)} |"


def _verdict(probe: str, reason: Reason) -> str:
    row = PROBES[probe]
    config = row.config(agent_name="demo") if "agent_name" in row.config.model_fields else None
    ended = Outcome(probe, "", datetime.now(UTC), 1.0, reason, "why")
    return row.judged(config or row.config(), ended).verdict
