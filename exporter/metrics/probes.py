"""The series that every probe has, whatever it measures."""

from exporter.metrics.registry import Metrics
from exporter.metrics.table import TABLE
from exporter.outcome import Reason, Verdict

SKIPS = ("overlap", "missed", "window", "budget")


def create_probe(metrics: Metrics, probe: str, agent_name: str = "") -> None:
    """Let the series of a probe exist, at 0 if they are new; its verdict is UNKNOWN then."""
    metrics.create("voice_probe_attempts_total", probe, agent_name)
    for reason in Reason:
        metrics.create("voice_probe_failures_total", probe, agent_name, reason)
    for skip in SKIPS:
        metrics.create("voice_probe_skipped_total", probe, agent_name, skip)
    metrics.create("voice_probe_success", probe, agent_name)
    metrics.create("voice_probe_last_run_timestamp_seconds", probe, agent_name)
    metrics.create("voice_probe_last_success_timestamp_seconds", probe, agent_name)
    if not metrics.has("voice_verdict", probe, agent_name, Verdict.UNKNOWN):
        set_verdict(metrics, probe, agent_name, Verdict.UNKNOWN)


def has_probe(metrics: Metrics, probe: str, agent_name: str = "") -> bool:
    """Return whether a probe has series; one without was removed while it ran."""
    return metrics.has("voice_probe_attempts_total", probe, agent_name)


def remove_probe(metrics: Metrics, probe: str) -> None:
    """Remove the series of a probe that is run no more, and of no agent."""
    for row in TABLE:
        for label in {"probe", "check"} & set(row.labels):
            metrics.remove(row.name, **{label: probe}, agent_name="")


def set_verdict(metrics: Metrics, check: str, agent_name: str, verdict: Verdict) -> None:
    """Show the verdict of a check: exactly one of its states is 1."""
    for each in Verdict:
        metrics.set("voice_verdict", each is verdict, check, agent_name, each)
