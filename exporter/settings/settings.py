"""Every setting and its default; those of a probe and of a target are in the probe's folder."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    WithJsonSchema,
    create_model,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from exporter.calls.config import CallsConfig, WebhooksConfig
from exporter.config.rules import Faults, is_known, is_partial, rule
from exporter.config.values import (
    Duration,
    Name,
    ProbeSection,
    Section,
    invalid,
)
from exporter.distributed.config import DistributedConfig
from exporter.errors import ConfigError
from exporter.evidence.config import EvidenceConfig
from exporter.probes import PROBES
from exporter.probes.agent_load.spec import AgentLoadConfig
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.calibrate.spec import CalibrateConfig
from exporter.probes.latency.key import TargetKey
from exporter.probes.latency.scenarios.variants import FaultyScenarioError, variants_of
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.ramp.spec import RampConfig
from exporter.probes.reach.spec import ReachConfig
from exporter.probes.reconnect.spec import ReconnectConfig
from exporter.probes.sfu.spec import SfuConfig
from exporter.probes.workers.spec import WorkersConfig
from exporter.roster.collector import CollectorConfig
from exporter.server_api import Server
from exporter.settings.alerts import AlertsConfig
from exporter.settings.discover import DiscoverConfig
from exporter.settings.livekit import LiveKitSettings
from exporter.settings.redis import StoreSettings
from exporter.web.settings import WebSettings


class SloConfig(Section):
    """Service level objectives."""

    objective: float = Field(
        0.99,
        gt=0,
        lt=1,
        description="Objective: share of turns to be answered within their `target_ms`, 0 to 1.",
    )
    thresholds: tuple[Annotated[Duration, Field(gt=0)], ...] = Field(
        (),
        description=(
            "Latencies with a histogram bucket of their own, in addition to every `target_ms`."
        ),
    )


def _auto(value: object) -> object:
    return None if value == "auto" else value


_Processes = Annotated[
    Annotated[int, Field(ge=1, le=64)] | None,
    BeforeValidator(_auto),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": 1, "maximum": 64}, {"const": "auto"}],
            "x-words": ["auto"],
        }
    ),
]
"""None where it follows the configuration."""


class PoolConfig(Section):
    """The processes that run probes."""

    processes: _Processes = Field(
        None,
        description=(
            "Maximum number of concurrent calls; each runs in its own process. auto: twice the sum "
            "of length / interval of all targets and probes, at least 2, at most two for each core."
        ),
        json_schema_extra={"default": "auto"},
    )
    recycle_after: int = Field(
        20, ge=1, description="Number of probes after which a process is replaced."
    )


class LogConfig(Section):
    """The exporter's own log, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Log level.")
    format: Literal["logfmt", "json"] = Field("logfmt", description="Log format.")


def _scenarios_of(
    index: int, target: LatencyConfig, known: set[TargetKey]
) -> Iterator[LatencyConfig]:
    """Yield a target in each of its scenarios, with keys that are not known yet; note them."""
    try:
        variants = variants_of(target)
    except FaultyScenarioError as error:
        raise invalid(str(error), index, "scenarios", error.place, *error.key) from None
    for place, each in enumerate(variants):
        if each.key in known:
            raise invalid(
                f"{each.scenario!r} is another scenario of the same agent_name and call_type; "
                "expected a different name",
                *(index, "scenarios", place, "name"),
            )
        known.add(each.key)
        yield each


class Settings(Section, BaseSettings):
    """Every setting of voice-exporter. If created directly, it reads no other sources."""

    model_config = SettingsConfigDict(env_prefix="VOICE_EXPORTER_", env_nested_delimiter="__")

    server_name: str | None = Field(
        None,
        min_length=1,
        description="Value of the label `server`; host and port of the URL if not set.",
    )
    max_agent_names: int = Field(
        500,
        ge=0,
        description=(
            "Maximum number of agent names with series of their own that are found in rooms or "
            "reported by workers, and not called; the rest is shown as `other`."
        ),
    )
    livekit: LiveKitSettings = Field(
        default=LiveKitSettings(), description="The LiveKit server and its credentials."
    )
    web: WebSettings = Field(default=WebSettings(), description="The exporter's own web server.")
    targets: tuple[LatencyConfig, ...] = Field((), description="Agents to call.")
    discover: DiscoverConfig = Field(
        default=DiscoverConfig(),
        description="Calls to agents that are found in rooms and are not targets.",
    )
    agents: AgentsConfig = Field(default=AgentsConfig(), description="Listing of rooms and agents.")
    calls: CallsConfig = Field(
        default=CallsConfig(), description="Real calls, as the server's webhooks report them."
    )
    webhooks: WebhooksConfig = Field(
        default=WebhooksConfig(), description="Webhooks of the server."
    )
    workers: WorkersConfig = Field(
        default=WorkersConfig(), description="Worker pages, and when a worker counts as offline."
    )
    collector: CollectorConfig = Field(
        default=CollectorConfig(),
        description="A running exporter: `agents` shows its roster, `sfu --collector` sends to it.",
    )
    calibrate: CalibrateConfig = Field(
        default=CalibrateConfig(), description="Calibration: measurement of the floor."
    )
    sfu: SfuConfig = Field(
        default=SfuConfig(),
        description="Baselines of the network path between this host and the SFU.",
    )
    reach: ReachConfig = Field(
        default=ReachConfig(), description="Tests of the transports to the SFU from this host."
    )
    reconnect: ReconnectConfig = Field(
        default=ReconnectConfig(), description="Tests of reconnecting to the SFU."
    )
    ramp: RampConfig = Field(default=RampConfig(), description="Ramps: load tests of the SFU.")
    agent_load: AgentLoadConfig = Field(
        default=AgentLoadConfig(),
        description="Loads: the capacity of an agent in calls. "
        "They are charged to the `budget` of the target with that name.",
    )
    distributed: DistributedConfig = Field(
        default=DistributedConfig(), description="Ramps from several hosts."
    )
    slo: SloConfig = Field(default=SloConfig(), description="Service level objectives.")
    alerts: AlertsConfig = Field(
        default=AlertsConfig(),
        description="Thresholds of alert rules, exported as voice_alert_threshold.",
    )
    group: Name | None = Field(
        None,
        min_length=1,
        description=(
            "Name of the exporters that share the targets: each target is called by one of them. "
            "They have the same targets, and the same `store.redis`. Not set: this exporter calls "
            "all of its targets."
        ),
    )
    store: StoreSettings = Field(
        default=StoreSettings(),
        description="The ledger, on disk or in Redis: history of runs, budget spent, runs in "
        "progress.",
    )
    evidence: EvidenceConfig = Field(
        default=EvidenceConfig(),
        description="Calls that are kept to be seen and heard: sound, timeline, log.",
    )
    pool: PoolConfig = Field(default=PoolConfig(), description="The processes that run probes.")
    log: LogConfig = Field(default=LogConfig(), description="The exporter's own log, on stderr.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read no place: `load_settings` gives the values."""
        return (init_settings,)

    @rule
    def _refuse_twins(self) -> Faults:
        """Refuse targets that would write the same series."""
        first: dict[TargetKey, int] = {}
        plain = (each for each in self.targets if not is_known(each) or each.does is None)
        for index, target in enumerate(plain):
            if not is_known(target) or not is_known(*target.key):
                continue
            if first.setdefault(target.key, index) != index:
                yield invalid(
                    "has the same agent_name, call_type and scenario as "
                    f"targets[{first[target.key]}]; expected a different call_type or scenario",
                    "targets",
                    index,
                )

    @rule
    def _group_needs_redis(self) -> Faults:
        if self.group is not None and self.store.redis.url_file is None:
            yield invalid("needs store.redis.url_file, which is not set; expected both", "group")

    @field_validator("targets")
    @classmethod
    def _add_scenarios(cls, targets: tuple[LatencyConfig, ...]) -> tuple[LatencyConfig, ...]:
        """Let each scenario be a target of its own, after that under which it stands."""
        if is_partial():  # a scenario's own faults are told where it stands
            return targets
        known = {each.key for each in targets}
        found: list[LatencyConfig] = []
        for index, target in enumerate(targets):
            found.append(target)
            found += _scenarios_of(index, target, known)
        return tuple(found)

    def section(self, probe: str) -> ProbeSection:
        """Return the section of a probe of the server, as it is run here.

        Args:
            probe: A name in the table of probes, which is also the key of its section.
        """
        if probe == "ramp":
            return self.ramp_here()
        if probe == "agent_load":
            return self.load_here()
        found: ProbeSection = getattr(self, probe)
        return found

    def load_here(self, load: AgentLoadConfig | None = None) -> AgentLoadConfig:
        """Return a load, or the configured one, with its vantage and how its agent is called."""
        load = load or self.agent_load
        targets = (
            each
            for each in self.targets
            if (each.agent_name, each.call_type) == (load.agent_name, load.call_type)
            and each.does is None
        )
        found = next(targets, None)
        if found is None and load.agent_name:
            found = self.discover.target(load.agent_name)
        return load.at(self.sfu.vantage, found, self.collector)

    def ramp_here(self) -> RampConfig:
        """Return the ramp with its vantage: its own, or that of the baselines."""
        return self.ramp.at(self.sfu.vantage)

    def server(self) -> Server:
        """Return the server to talk to.

        Raises:
            ConfigError: A credential is in none of the three places; one line for each.
        """
        livekit = self.livekit
        url = livekit.url or livekit.url_file
        key = livekit.api_key or livekit.api_key_file
        secret = livekit.api_secret or livekit.api_secret_file
        if not (url and key and secret):
            raise ConfigError("\n".join(livekit.missing()))
        return Server(
            url=url,
            api_key=key.get_secret_value(),
            api_secret=secret.get_secret_value(),
            name=self.server_name or urlsplit(url).netloc,
            ca_file=str(livekit.ca_file or ""),
            e2ee_key=livekit.e2ee_key_file.get_secret_value() if livekit.e2ee_key_file else "",
        )


if not TYPE_CHECKING:
    # A probe needs no line above: its row is enough. Those above are typed, since code reads them.
    _MORE = {
        row.name: (row.config, Field(default=row.config(), description=row.config.__doc__))
        for row in PROBES.values()
        if row.config is not LatencyConfig and row.name not in Settings.model_fields
    }
    Settings = create_model("Settings", __base__=Settings, **_MORE) if _MORE else Settings
