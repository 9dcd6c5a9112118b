"""Writes what is configured and never measured: alert rules and panels compare with it."""

from exporter.config.settings import Settings
from exporter.metrics.registry import Metrics

_Probe = tuple[str, str]
"""Probe and agent name."""


class ConfiguredSeries:
    """Shows the objective, the thresholds of alerts, and how often each probe runs."""

    def __init__(self, metrics: Metrics, settings: Settings) -> None:
        """Show what holds for the whole exporter.

        Args:
            metrics: What is written to.
            settings: The configuration.
        """
        self._metrics = metrics
        self._intervals: dict[str, tuple[_Probe, float]] = {}
        self.reconfigure(settings)

    def reconfigure(self, settings: Settings) -> None:
        """Follow a new configuration."""
        self._metrics.set("voice_slo_objective_ratio", settings.slo.objective)
        for alert, threshold in settings.alerts.by_alert.items():
            self._metrics.set("voice_alert_threshold", threshold, alert)

    def add(self, work_id: str, probe: str, agent_name: str, interval_s: float) -> None:
        """Note how often something is run; what is known by that id is replaced.

        Args:
            work_id: Its id in the schedule.
            probe: The label.
            agent_name: The label, "" for probes of the server.
            interval_s: The time between two runs.
        """
        self._intervals[work_id] = (probe, agent_name), interval_s
        self._show((probe, agent_name))

    def remove(self, work_id: str) -> None:
        """Note that it is run no more."""
        if (known := self._intervals.pop(work_id, None)) is not None:
            self._show(known[0])

    def _show(self, of: _Probe) -> None:
        probe, agent_name = of
        intervals_s = [each_s for known, each_s in self._intervals.values() if known == of]
        name = "voice_probe_interval_seconds"
        if intervals_s:
            self._metrics.set(name, min(intervals_s), probe, agent_name)
        else:
            self._metrics.remove(name, probe=probe, agent_name=agent_name)
