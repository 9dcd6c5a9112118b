"""The daemon's part that shows the network: baselines, reachability, reconnects and ramps."""

from exporter.config.settings import Settings
from exporter.metrics.ramp import RampRecorder
from exporter.metrics.reach import ReachRecorder
from exporter.metrics.reconnect import ReconnectRecorder
from exporter.metrics.registry import Metrics
from exporter.metrics.sfu import SfuRecorder
from exporter.outcome import Outcome


class NetworkSeries:
    """Puts the listeners of the network's probes together. All methods belong to one thread."""

    def __init__(self, metrics: Metrics, settings: Settings) -> None:
        """Create the series of the probes that are switched on.

        Args:
            metrics: What is written to.
            settings: The configuration.
        """
        vantage, ramp = settings.sfu.vantage, settings.ramp_here()
        self._sfu = SfuRecorder(metrics, settings.sfu, vantage)
        self._reach = ReachRecorder(metrics, settings.reach, vantage)
        self._reconnect = ReconnectRecorder(metrics, settings.reconnect, vantage)
        self._ramp = RampRecorder(metrics, ramp, ramp.vantage)

    def record(self, outcome: Outcome) -> None:
        """Record a finished run of one of these probes: the listener."""
        for part in (self._sfu, self._reach, self._reconnect, self._ramp):
            part.record(outcome)

    def reconfigure(self, settings: Settings) -> None:
        """Follow a new configuration; what is switched off goes."""
        vantage, ramp = settings.sfu.vantage, settings.ramp_here()
        self._sfu.reconfigure(settings.sfu, vantage)
        self._reach.reconfigure(settings.reach, vantage)
        self._reconnect.reconfigure(settings.reconnect, vantage)
        self._ramp.reconfigure(ramp, ramp.vantage)
