"""The skeleton of what records a probe of the network: series of one vantage that come and go."""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, Protocol, TypeVar

from exporter.metrics.probes import ServerCheck
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome


class ProbeConfig(Protocol):
    """What every probe of the network can be told."""

    @property
    def enabled(self) -> bool:
        """Whether it runs on a schedule."""


Config = TypeVar("Config", bound=ProbeConfig)


class VantageRecorder(ABC, Generic[Config]):
    """Records the runs of one probe. All methods belong to one thread."""

    probe: ClassVar[str]
    """The row in the table of probes, whose runs are recorded."""
    series: ClassVar[tuple[str, ...]] = ()
    """Every metric with the label `vantage` that this recorder alone writes."""

    def __init__(self, metrics: Metrics, config: Config, vantage: str) -> None:
        """Create the series of the probe.

        Args:
            metrics: What is written to.
            config: What is good enough.
            vantage: The label: from where it is measured.
        """
        self._metrics = metrics
        self._config = config
        self._vantage = vantage
        self._check = ServerCheck(metrics, self.probe)
        self._begin()

    def reconfigure(self, config: Config, vantage: str) -> None:
        """Follow a new configuration; the series of another vantage go."""
        if vantage != self._vantage or not config.enabled:
            self._remove()
        self._config, self._vantage = config, vantage
        if not config.enabled:
            self._check.end()
        self._begin()

    def record(self, outcome: Outcome) -> None:
        """Record a finished run: the listener. Runs of other probes are none of its business."""
        if outcome.probe == self.probe and self._config.enabled:
            self._show(outcome)
            self._check.judge(outcome.verdict)

    def _begin(self) -> None:
        if self._config.enabled:
            self._check.begin()
            self._create()

    def _forget(self, names: tuple[str, ...]) -> None:
        """Remove series of this vantage: what is not known is absent."""
        for name in names:
            self._metrics.remove(name, vantage=self._vantage)

    def _remove(self) -> None:
        """Remove every series of this vantage that is this recorder's."""
        self._forget(self.series)

    def _create(self) -> None:
        """Let the series that exist before the first run exist."""

    @abstractmethod
    def _show(self, outcome: Outcome) -> None:
        """Write what a run found."""
