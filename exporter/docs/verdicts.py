"""The tables of verdicts in docs/metrics.md: of reasons, by the judges' word, and of limits."""

from collections.abc import Iterator
from datetime import UTC, datetime

from exporter.limits import Limit
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


def limit_table() -> Iterator[str]:
    """Yield the lines of the table of limits of time."""
    yield "| limit | what is waited for | ends in | `void` where the prober stood still |"
    yield "|---|---|---|---|"
    for limit in Limit:
        ends = "an item of a checklist" if limit.reason is None else f"`{limit.reason}`"
        yield f"| `{limit}` | {limit.what} | {ends} | {limit.spoils.value} |"


def _verdict(probe: str, reason: Reason) -> str:
    row = PROBES[probe]
    config = row.config(agent_name="demo") if "agent_name" in row.config.model_fields else None
    ended = Outcome(probe, "", datetime.now(UTC), 1.0, reason, "why")
    return row.judged(config or row.config(), ended).verdict
