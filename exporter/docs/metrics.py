"""docs/metrics.md, written from the table of metrics.

A metric without an entry here cannot exist, and an entry cannot be wrong about name or labels.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from exporter.docs import GENERATED
from exporter.limits import Limit
from exporter.metrics.table import TABLE
from exporter.outcome import Outcome, Reason
from exporter.probes import PROBES
from exporter.series import Family

_INTRODUCTION = """\
Every series has the label `server` in addition to the labels in its row.
No label contains the name of a room or a participant, or any words of a call.

Durations are seconds.
A value that is unknown is absent, never 0.
Series of a configured target exist at 0 from the start, and are removed with the target;
those of `voice_usage_total` from the first call that reports their model.

A *measured* turn was answered and is not the warm-up turn, the first of a call that
did not fail.
Histograms contain measured turns only.
`voice_turns_total` counts every planned turn except warm-up turns, so an agent that is down cannot
look good. The share of turns answered within 1.5 s is:

    sum(rate(voice_e2e_latency_seconds_bucket{agent_name="demo", le="1.5"}[1h]))
    /
    sum(rate(voice_turns_total{agent_name="demo", outcome!="void"}[1h]))

Histograms of turns have a bucket at every `target_ms`, every `fail_ms` and every threshold under
`slo` in the configuration.

If a listing fails, `voice_agents` and the other metrics of its group keep the values of the last
listing: `voice_probe_success{probe="agents"}` is 0 then, and
`voice_probe_last_success_timestamp_seconds` is their time.

The page also has the usual `process_*` and `python_*` metrics of the exporter's main process,
without the label `server`.
"""

_VERDICTS = """\
What a run is judged to be that ended for a reason; one without a reason is judged by its figures.
`probe_crashed` and `void` are the prober's own faults: they say nothing about an agent or a server,
so they are UNKNOWN, count no turn as failed, and have an alert of the exporter, VoiceProberFailing.
"""

_LIMITS = """\
A wait in vain says something of an agent or a server only if the prober was there all the while.
Where it stood still for too much of a limit of time, because it was starved, stopped or suspended,
the reason is `void`; see [measurement.md](measurement.md#when-the-prober-stood-still).
"""


def metrics_page() -> str:
    """Return docs/metrics.md."""
    lines = ["# Metrics", "", GENERATED, "", *_INTRODUCTION.splitlines()]
    for group in dict.fromkeys(row.group for row in TABLE):
        lines += ["", f"## {group.capitalize()}", "", "| metric | type | labels | meaning |"]
        lines += ["|---|---|---|---|"]
        lines += [_line(row) for row in TABLE if row.group == group]
    lines += ["", "## Buckets", "", *_buckets()]
    lines += ["", "## Reasons and verdicts", "", *_VERDICTS.splitlines(), "", *_verdict_table()]
    lines += ["", "## Limits of time", "", *_LIMITS.splitlines(), "", *_limit_table()]
    return "\n".join(lines) + "\n"


def _line(row: Family) -> str:
    labels = " ".join(f"`{label}`" for label in row.labels)
    return f"| `{row.name}` | {row.kind} | {labels} | {row.help} |"


def _buckets() -> Iterator[str]:
    yield "| histogram | upper bounds in seconds |"
    yield "|---|---|"
    for row in TABLE:
        if row.kind == "histogram":
            bounds = " ".join(f"{bound:g}" for bound in row.buckets)
            more = ", and the configured thresholds" if row.has_thresholds else ""
            yield f"| `{row.name}` | {bounds}{more} |"


def verdict_rows() -> Iterator[tuple[Reason, tuple[str, ...]]]:
    """Yield each reason with the verdict of a run of each probe that ended for it."""
    for reason in Reason:
        yield reason, tuple(_verdict(probe, reason) for probe in PROBES)


def _verdict_table() -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"| reason | {' | '.join(PROBES)} |"
    yield "|---" * (len(PROBES) + 1) + "|"
    for reason, verdicts in verdict_rows():
        yield f"| `{reason}` | {' | '.join(verdicts)} |"


def _limit_table() -> Iterator[str]:
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
