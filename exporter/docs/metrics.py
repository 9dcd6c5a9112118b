"""docs/metrics.md, written from the table of metrics.

A metric without an entry here cannot exist, and an entry cannot be wrong about name or labels.
"""

from collections.abc import Iterator

from exporter.docs import GENERATED
from exporter.docs.verdicts import verdict_table
from exporter.metrics.table import TABLE
from exporter.series import Family

_INTRODUCTION = """\
Every series has the label `server`, beside those of its row.
No label holds the name of a room or of a person, or anything that was said.

Durations are seconds.
What is not known is absent: it is never 0.
Series of a configured target exist at 0 from the start, and go when the target goes.

A *measured* turn was answered and is not a call's first, which is warm-up.
Only measured turns are in histograms.
`voice_turns_total` has every planned turn but warm-up, so the share of turns that an agent answers
within 1.5 s is, without a way for a dead agent to look good:

    sum(rate(voice_e2e_latency_seconds_bucket{agent_name="demo", le="1.5"}[1h]))
    /
    sum(rate(voice_turns_total{agent_name="demo", outcome!="void"}[1h]))

Histograms of turns have a bucket at every `target_ms`, every `fail_ms` and every threshold under
`slo` in the configuration.

When a listing fails, `voice_agents` and the others of its group keep what the last one found:
`voice_probe_success{probe="agents"}` is 0 then, and `voice_probe_last_success_timestamp_seconds`
says how old they are.

The page also has the usual `process_*` and `python_*` of the exporter's own process, without
the label `server`.
"""

_VERDICTS = """\
What a run is judged to be that ended for a reason; one without a reason is judged by its figures.
`probe_crashed` and `void` are the prober's own faults: they say nothing about an agent or a server,
so they are UNKNOWN, count no turn as failed, and have an alert of the exporter, VoiceProberFailing.
"""


def metrics_page() -> str:
    """Return docs/metrics.md."""
    lines = ["# Metrics", "", GENERATED, "", *_INTRODUCTION.splitlines()]
    for group in dict.fromkeys(row.group for row in TABLE):
        lines += ["", f"## {group.capitalize()}", "", "| metric | type | labels | meaning |"]
        lines += ["|---|---|---|---|"]
        lines += [_line(row) for row in TABLE if row.group == group]
    lines += ["", "## Buckets", "", *_buckets()]
    lines += ["", "## Reasons and verdicts", "", *_VERDICTS.splitlines(), "", *verdict_table()]
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
