"""The last ramp of each vantage: of a schedule here, or sent by `sfu --load` and a coordinator."""

import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from pydantic import ValidationError

from exporter.outcome import Outcome
from exporter.probes.ramp.figures import RampFigures
from exporter.probes.ramp.spec import RampConfig, figures_of
from exporter.series import Reading

log = logging.getLogger(__name__)


class Kept(Protocol):
    """Where the last ramp of each vantage is kept: the ledger."""

    def save_ramp(self, vantage: str, document: str) -> None:
        """Keep one, in place of the one before."""

    async def ramps(self) -> Iterable[str]:
        """Return all of them."""


MOST_VANTAGES = 50
"""From which ramps are kept: each has series of its own."""

Show = Callable[[str, str, Iterable[Reading]], None]
"""Shows readings of a probe from a vantage: `Recorder.show`."""


class Ramps:
    """Keeps and shows ramps, so that a knee survives a restart."""

    def __init__(self, kept: Kept, show: Show, config: Callable[[], RampConfig]) -> None:
        """Set up.

        Args:
            kept: The ledger.
            show: Writes the series.
            config: Returns how ramps of a schedule are made, with their vantage.
        """
        self._kept = kept
        self._show = show
        self._config = config
        self._vantages: set[str] = set()

    async def restore(self) -> None:
        """Show what an exporter before this one knew; not what it alone could read."""
        for document in await self._kept.ramps():
            try:
                figures = RampFigures.model_validate_json(document)
            except ValidationError:
                log.warning("ramp in the ledger cannot be read")
                continue
            self._vantages.add(figures.vantage)
            self._show("ramp", figures.vantage, figures.readings())

    def take(self, figures: RampFigures) -> str:
        """Show and keep a ramp that was made elsewhere.

        Returns:
            Why it was refused, one line; "" when it was taken.
        """
        if figures.vantage not in self._vantages and len(self._vantages) >= MOST_VANTAGES:
            return f"the last ramps of {MOST_VANTAGES} vantages are kept, which is the most"
        self._show("ramp", figures.vantage, figures.readings())
        self._keep(figures)
        return ""

    def record(self, outcome: Outcome) -> None:
        """Keep a ramp of the schedule: a listener."""
        if outcome.probe == "ramp":
            figures = figures_of(self._config(), outcome)
            if figures is not None:
                self._keep(figures)

    def _keep(self, figures: RampFigures) -> None:
        self._vantages.add(figures.vantage)
        self._kept.save_ramp(figures.vantage, figures.model_dump_json())
