"""The last load on an agent, kept in the ledger, so that its knee survives a restart."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from exporter.daemon.ramps import Kept, Show
from exporter.outcome import Outcome
from exporter.probes.agent_load.families import FAMILIES
from exporter.probes.agent_load.spec import AgentLoadConfig, readings
from exporter.series import Reading

log = logging.getLogger(__name__)

_BY_NAME = {family.name: family for family in FAMILIES}


class KeptReading(BaseModel):
    """One value on /metrics."""

    model_config = ConfigDict(frozen=True)
    name: str
    value: float
    labels: dict[str, str]


class KeptLoad(BaseModel):
    """What a load has shown: a document in the ledger, beside those of ramps."""

    model_config = ConfigDict(frozen=True)
    kind: Literal["agent_load"] = "agent_load"
    vantage: str
    started_at: AwareDatetime
    of: dict[str, str]
    """The labels of the agent and the kind of call."""
    readings: tuple[KeptReading, ...]

    @classmethod
    def read(cls, document: str) -> Self | None:
        """Return a document of the ledger as a load; None: it is something else."""
        try:
            return cls.model_validate_json(document)
        except ValidationError:
            return None

    @property
    def place(self) -> str:
        """Where the ledger keeps it: among ramps, under this in place of a vantage."""
        return f"agent_load/{self.vantage}"

    def shown(self) -> tuple[Reading, ...]:
        """Return what it shows, as far as this version knows it."""
        return tuple(
            _BY_NAME[each.name].read(each.value, **each.labels)
            for each in self.readings
            if each.name in _BY_NAME
            and {*each.labels, "vantage"}.issuperset(_BY_NAME[each.name].labels)
        )


class AgentLoads:
    """Keeps and shows the last load of the schedule."""

    def __init__(
        self,
        kept: Kept,
        show: Show,
        config: Callable[[], AgentLoadConfig],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Set up.

        Args:
            kept: The ledger.
            show: Writes the series.
            config: Returns how the agent is loaded, with its vantage.
            clock: The wall clock.
        """
        self._kept = kept
        self._show = show
        self._config = config
        self._clock = clock

    async def restore(self) -> None:
        """Show the last load, where it is of what is configured now and not too old."""
        config = self._config()
        oldest = self._clock() - timedelta(seconds=self._kept.retention.longest_s)
        for document in await self._kept.ramps():
            load = KeptLoad.read(document)
            if load is None or not config.scheduled:
                continue
            is_same = (load.of, load.vantage) == (config.labels(), config.vantage)
            if is_same and load.started_at >= oldest:
                self._show("agent_load", load.vantage, load.shown())

    def record(self, outcome: Outcome) -> None:
        """Keep a load that measured something: a listener."""
        if outcome.probe != "agent_load":
            return
        config = self._config()
        found = tuple(readings(config, outcome))
        if not found:
            return
        load = KeptLoad(
            vantage=config.vantage,
            started_at=outcome.started_at,
            of=config.labels(),
            readings=tuple(
                KeptReading(name=each.family.name, value=each.value, labels=dict(each.labels))
                for each in found
            ),
        )
        self._kept.save_ramp(load.place, load.model_dump_json())
