"""The series that every probe has, whatever it measures."""

from collections.abc import Iterable

from exporter.metrics.registry import Metrics
from exporter.metrics.streak import Streak
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
        set_streak(metrics, probe, agent_name)


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


def set_streak(
    metrics: Metrics, check: str, agent_name: str, streaks: Iterable[Streak] = ()
) -> None:
    """Show how long a check has not been well: the longest of its targets' streaks, 0 for none."""
    longest = {Verdict.SLOW: 0, Verdict.FAIL: 0}
    for streak in streaks:
        longest[Verdict.SLOW] = max(longest[Verdict.SLOW], streak.slow)
        longest[Verdict.FAIL] = max(longest[Verdict.FAIL], streak.fail)
    for verdict, runs in longest.items():
        metrics.set("voice_verdict_streak", runs, check, agent_name, verdict)


class ServerCheck:
    """The common series of a probe of the server, with its verdict and for how long that holds."""

    def __init__(self, metrics: Metrics, probe: str) -> None:
        """Set up; no series exist before `begin`.

        Args:
            metrics: What is written to.
            probe: The row in the table of probes, which is also the name of the check.
        """
        self._metrics = metrics
        self._probe = probe
        self._streak = Streak()

    def begin(self) -> None:
        """Let the series exist; those that do stay as they are."""
        create_probe(self._metrics, self._probe)

    def end(self) -> None:
        """Remove the series, for the probe is run no more."""
        remove_probe(self._metrics, self._probe)
        self._streak = Streak()

    def judge(self, verdict: Verdict) -> None:
        """Take the verdict on a run; after `end` it comes too late."""
        if has_probe(self._metrics, self._probe):
            self._streak = self._streak.after(verdict)
            set_verdict(self._metrics, self._probe, "", verdict)
            set_streak(self._metrics, self._probe, "", [self._streak])
