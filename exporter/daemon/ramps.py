"""The last ramp of each vantage: of a schedule here, or sent by `sfu --load` and a coordinator."""

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from pydantic import ValidationError

from exporter.outcome import Outcome
from exporter.probes.ramp.figures import RampFigures
from exporter.probes.ramp.spec import RampConfig, figures_of
from exporter.series import Reading
from exporter.store.records import Retention

log = logging.getLogger(__name__)


class Kept(Protocol):
    """Where the last ramp of each vantage is kept: the ledger."""

    @property
    def retention(self) -> Retention:
        """How long it is kept."""

    def save_ramp(self, vantage: str, document: str) -> None:
        """Keep one, in place of the one before."""

    def forget_ramp(self, vantage: str) -> None:
        """Keep none of a vantage any longer."""

    async def ramps(self) -> Iterable[str]:
        """Return all of them."""


MOST_VANTAGES = 50
"""From which ramps are kept: each has series of its own."""
_AHEAD = timedelta(minutes=1)
"""By which the clock of another host may be ahead of the own one."""

_KIND = '"kind":"'
"""In a document of another kind; a ramp has no such key."""

Show = Callable[[str, str, Iterable[Reading]], None]
"""Shows readings of a probe from a vantage: `Recorder.show`."""


class Ramps:
    """Keeps and shows ramps, so that a knee survives a restart."""

    def __init__(
        self,
        kept: Kept,
        show: Show,
        config: Callable[[], RampConfig],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Set up.

        Args:
            kept: The ledger.
            show: Writes the series.
            config: Returns how ramps of a schedule are made, with their vantage.
            clock: The wall clock.
        """
        self._kept = kept
        self._show = show
        self._config = config
        self._clock = clock
        self._began: dict[str, datetime] = {}
        """When the last ramp of each vantage began."""

    async def restore(self) -> None:
        """Show what an exporter before this one knew; not what is too old, or cannot be read."""
        for document in await self._kept.ramps():
            if _KIND in document:
                continue  # such as a load on an agent
            try:
                figures = RampFigures.model_validate_json(document)
            except ValidationError:
                log.warning("ramp in the ledger cannot be read")
                continue
            if figures.started_at < self._oldest():
                self._kept.forget_ramp(figures.vantage)
                continue
            self._began[figures.vantage] = figures.started_at
            self._show("ramp", figures.vantage, figures.readings())

    def take(self, figures: RampFigures) -> str:
        """Show and keep a ramp that was made elsewhere.

        Returns:
            Why it was refused, one line; "" when it was taken.
        """
        if refusal := self._refusal(figures):
            return refusal
        self._show("ramp", figures.vantage, figures.readings())
        self._keep(figures)
        return ""

    def record(self, outcome: Outcome) -> None:
        """Keep a ramp of the schedule: a listener."""
        if outcome.probe == "ramp":
            figures = figures_of(self._config(), outcome)
            if figures is not None:
                self._keep(figures)

    def _refusal(self, figures: RampFigures) -> str:
        """Return why a ramp that was made elsewhere may not be shown, "" when it may."""
        began, latest = figures.started_at, self._clock() + _AHEAD
        if figures.vantage == self._scheduled():
            return "vantage: this exporter ramps from it on a schedule; expected another"
        if began > latest:
            return "started_at: is in the future by the clock of this exporter"
        if began < self._oldest():
            return "started_at: is longer ago than ramps are kept"
        # One that is kept from the future, by a clock that was wrong, hinders nobody.
        if began < self._began.get(figures.vantage, began) <= latest:
            return "started_at: a later ramp of this vantage is known"
        return ""

    def _scheduled(self) -> str | None:
        """Return the vantage of the schedule here; None: there is none."""
        config = self._config()
        return config.vantage if config.scheduled else None

    def _oldest(self) -> datetime:
        """Return since when ramps are kept."""
        return self._clock() - timedelta(seconds=self._kept.retention.longest_s)

    def _keep(self, figures: RampFigures) -> None:
        self._began[figures.vantage] = figures.started_at
        self._kept.save_ramp(figures.vantage, figures.model_dump_json())
        if len(self._began) > MOST_VANTAGES:
            stay = (figures.vantage, self._scheduled())
            oldest = min(
                (each for each in self._began if each not in stay), key=self._began.__getitem__
            )
            del self._began[oldest]
            self._kept.forget_ramp(oldest)
            self._show("ramp", oldest, ())
