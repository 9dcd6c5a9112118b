"""What the exporter shows of itself: its version, its configuration, and how late it is."""

import asyncio
import platform
from collections import deque
from collections.abc import Callable, Mapping
from time import time

from exporter import __version__
from exporter.metrics.registry import Metrics

STEP_S = 0.5
WINDOW_S = 15.0


class OwnSeries:
    """Shows what holds for the whole exporter."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time) -> None:
        """Show the versions.

        Args:
            metrics: What is written to.
            clock: Unix time.
        """
        self._metrics = metrics
        self._clock = clock
        metrics.set("voice_exporter_build_info", 1, __version__, platform.python_version())

    def reached_at(self, url: str) -> None:
        """Show where a browser finds the exporter's pages: alerts and dashboards link there."""
        self._metrics.set("voice_exporter_web_info", 1, url)

    def configure(self, objective: float, thresholds: Mapping[str, float]) -> None:
        """Show what is configured and never measured: alert rules and panels compare with it.

        Args:
            objective: Share of turns that are to be within their target.
            thresholds: What each alert compares with.
        """
        self._metrics.set("voice_slo_objective_ratio", objective)
        for alert, threshold in thresholds.items():
            self._metrics.set("voice_alert_threshold", threshold, alert)

    def configuration_read(self, successful: bool) -> None:
        """Note that the configuration was read; if it was bad, the one before is still used."""
        self._metrics.set("voice_exporter_config_last_reload_successful", successful)
        if successful:
            name = "voice_exporter_config_last_reload_success_timestamp_seconds"
            self._metrics.set(name, self._clock())

    def loop_lag(self, seconds: float) -> None:
        """Note how late the exporter's own event loop was at most, lately."""
        self._metrics.set("voice_exporter_loop_lag_seconds", seconds)


async def watch_loop_lag(report: Callable[[float], None]) -> None:
    """Report the largest lateness of the last `WINDOW_S` seconds, every `STEP_S`, for ever."""
    loop = asyncio.get_running_loop()
    lately: deque[float] = deque(maxlen=round(WINDOW_S / STEP_S))
    while True:
        due = loop.time() + STEP_S
        await asyncio.sleep(STEP_S)
        lately.append(max(0.0, loop.time() - due))
        report(max(lately))
