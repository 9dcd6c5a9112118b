"""Every setting and its default; those of a probe and of a target stand beside the probe."""

import ssl
from pathlib import Path
from typing import Annotated, Literal, cast
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from exporter.config.alerts import AlertsConfig
from exporter.config.schedule import BudgetConfig, WindowConfig
from exporter.config.values import (
    FILE,
    Duration,
    Name,
    ProbeSection,
    Secret,
    SecretFromFile,
    Section,
    Stripped,
    fault,
    read_value,
)
from exporter.distributed.config import DistributedConfig
from exporter.errors import ConfigError
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.calibrate.spec import CalibrateConfig
from exporter.probes.latency.spec import LatencyConfig, Utterance
from exporter.probes.ramp.spec import RampConfig
from exporter.probes.reach.spec import ReachConfig
from exporter.probes.reconnect.spec import ReconnectConfig
from exporter.probes.sfu.spec import SfuConfig
from exporter.probes.workers.spec import WorkersConfig
from exporter.roster.collector import CollectorConfig
from exporter.server_api import Server
from exporter.server_api.server import trusting
from exporter.store.config import StoreConfig
from exporter.web.settings import WebSettings

CREDENTIALS = ("url", "api_key", "api_secret")
"""Keys of the section `livekit`, each of which may instead be read from a file."""

LAYERS = "layers"
"""What `Settings(...)` is given beside settings: further sources, the strongest first."""

_SCHEMES = ("ws", "wss", "http", "https")


def _check_url(url: str) -> str:
    """Refuse a server's address that is none, without repeating what may be a secret."""
    expected = "expected ws://, wss://, http:// or https:// and a host"
    scheme, mark, _ = url.partition("://")
    if not mark:
        raise fault(f"is no URL; {expected}")
    if scheme.lower() not in _SCHEMES:
        raise fault(f"scheme {scheme[:20]!r} is not one of LiveKit's; {expected}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise fault(f"has no valid host and port; {expected}") from None
    if not host:
        raise fault(f"has no host; {expected}")
    if parts.username or parts.password:
        raise fault("holds a user name or password; expected them in api_key and api_secret")
    return url


_Url = Annotated[str, Stripped, AfterValidator(_check_url)]
_UrlFromFile = Annotated[_Url, BeforeValidator(read_value), FILE]


def _check_authorities(path: Path) -> Path:
    try:
        trusting(str(path))
    except OSError as error:
        why = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise fault(f"{{value}} cannot be used: {why}; expected certificates in PEM") from None
    return path


_Authorities = Annotated[Path, FILE, AfterValidator(_check_authorities)]


class LiveKitSettings(Section):
    """The LiveKit server and the credentials for it; a key `..._file` has what the file holds."""

    url: _Url | None = Field(None, description="Address: ws://, wss://, http:// or https://.")
    url_file: _UrlFromFile | None = Field(None, description="File that holds the address.")
    api_key: Secret | None = Field(None, description="API key.")
    api_key_file: SecretFromFile | None = Field(None, description="File that holds the API key.")
    api_secret: Secret | None = Field(None, description="API secret.")
    api_secret_file: SecretFromFile | None = Field(
        None, description="File that holds the API secret."
    )
    ca_file: _Authorities | None = Field(
        None,
        description=(
            "Authorities that sign the server's certificate, PEM, where this host does not trust "
            "them."
        ),
    )


_OF_DISCOVERY = {"enabled", "exclude", "max_agents"}
"""What discovery does not share with a target."""


class DiscoverConfig(Section):
    """Calls to agents that are found in rooms and are no target. Every turn costs money."""

    enabled: bool = Field(False, description="Call every agent that is found in a room.")
    exclude: tuple[str, ...] = Field((), description="Names of agents that are never called.")
    max_agents: int = Field(
        20,
        ge=1,
        description="Agents called at most; those beyond are logged instead.",
    )
    call_type: Name = Field("default", min_length=1, description="Label of these calls.")
    interval: Duration = Field(300.0, ge=10, description="Time between two calls to one agent.")
    trials: int = Field(3, ge=1, le=100, description="Measured turns in each call.")
    warmup: bool = Field(
        True, description="Take one more turn first, which is listed but not measured."
    )
    target_ms: float = Field(1500, gt=0, description="Above this an agent is SLOW.")
    metadata: str = Field("", description="Metadata of the dispatch.")
    utterance: Utterance = Field(default=Utterance(), description="What the caller says.")
    budget: BudgetConfig = Field(
        default=BudgetConfig(), description="What the calls to one agent may cost in a day."
    )
    windows: tuple[WindowConfig, ...] = Field(
        (), description="Calls start only inside any of these; none: at any time."
    )

    @model_validator(mode="after")
    def _check(self) -> "DiscoverConfig":
        turns, seconds = self._target("", ("trials", "warmup")).most
        self.budget.check_plan(turns, seconds)
        return self

    def target(self, agent_name: str) -> LatencyConfig:
        """Return how to call an agent that was found; one without a name joins every room."""
        return self._target(agent_name, tuple(DiscoverConfig.model_fields.keys() - _OF_DISCOVERY))

    def _target(self, agent_name: str, shared: tuple[str, ...]) -> LatencyConfig:
        return LatencyConfig(
            agent_name=agent_name,
            dispatch="explicit" if agent_name else "automatic",
            **{name: getattr(self, name) for name in shared},
        )


class SloConfig(Section):
    """Service level objectives."""

    objective: float = Field(
        0.99,
        gt=0,
        lt=1,
        description="Share of turns that are to be answered within their `target_ms`, 0 to 1.",
    )
    thresholds: tuple[Annotated[Duration, Field(gt=0)], ...] = Field(
        (),
        description=(
            "Latencies that get a histogram bucket of their own; every `target_ms` has one anyway."
        ),
    )


class PoolConfig(Section):
    """The processes that run probes."""

    processes: int = Field(2, ge=1, le=64, description="Calls at one time, each in a process.")
    recycle_after: int = Field(
        20, ge=1, description="Probes after which a process is replaced by a fresh one."
    )


class LogConfig(Section):
    """The exporter's own log, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important lines to write."
    )
    format: Literal["logfmt", "json"] = Field("logfmt", description="How a line is written.")


class Settings(Section, BaseSettings):
    """Every setting of voice-exporter. Made directly, it takes what it is given and no more."""

    model_config = SettingsConfigDict(env_prefix="VOICE_EXPORTER_", env_nested_delimiter="__")

    server_name: str | None = Field(
        None, min_length=1, description="Label `server`; the URL's host and port if not set."
    )
    livekit: LiveKitSettings = Field(
        default=LiveKitSettings(), description="The LiveKit server and the credentials for it."
    )
    web: WebSettings = Field(default=WebSettings(), description="The exporter's own web server.")
    targets: tuple[LatencyConfig, ...] = Field((), description="Agents to call, and how.")
    discover: DiscoverConfig = Field(
        default=DiscoverConfig(), description="Calls to agents found in rooms that are no target."
    )
    agents: AgentsConfig = Field(
        default=AgentsConfig(), description="How rooms and agents are listed."
    )
    workers: WorkersConfig = Field(
        default=WorkersConfig(), description="Workers: their pages, and when one is offline."
    )
    collector: CollectorConfig = Field(
        default=CollectorConfig(), description="A running exporter, whose roster `agents` shows."
    )
    calibrate: CalibrateConfig = Field(
        default=CalibrateConfig(), description="How the floor of the method is measured."
    )
    sfu: SfuConfig = Field(
        default=SfuConfig(), description="How the way between this host and the SFU is measured."
    )
    reach: ReachConfig = Field(
        default=ReachConfig(), description="Which ways to the SFU are open from this host."
    )
    reconnect: ReconnectConfig = Field(
        default=ReconnectConfig(), description="How lost connections to the SFU come back."
    )
    ramp: RampConfig = Field(
        default=RampConfig(), description="How many clients the SFU carries: load, on purpose."
    )
    distributed: DistributedConfig = Field(
        default=DistributedConfig(), description="A ramp from several hosts at once."
    )
    slo: SloConfig = Field(default=SloConfig(), description="Service level objectives.")
    alerts: AlertsConfig = Field(
        default=AlertsConfig(), description="What alert rules compare with: voice_alert_threshold."
    )
    store: StoreConfig = Field(
        default=StoreConfig(),
        description="The ledger on disk: history of runs, budget spent, runs under way.",
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
        """Read no place but those that `load_settings` names."""
        layers = cast("InitSettingsSource", init_settings).init_kwargs.pop(LAYERS, ())
        return (init_settings, *layers)

    @field_validator("targets")
    @classmethod
    def _refuse_twins(cls, targets: tuple[LatencyConfig, ...]) -> tuple[LatencyConfig, ...]:
        """Refuse targets that would write the same series."""
        names = [(each.agent_name, each.call_type, each.scenario) for each in targets]
        for index, name in enumerate(names):
            if (first := names.index(name)) != index:
                raise fault(
                    f"has the same agent_name, call_type and scenario as targets[{first}]; "
                    "expected a call_type or scenario of its own",
                    index,
                )
        return targets

    def section(self, probe: str) -> ProbeSection:
        """Return the section of a probe of the server, as it is run here.

        Args:
            probe: A name in the table of probes, which is also the key of its section.
        """
        found: ProbeSection = self.ramp_here() if probe == "ramp" else getattr(self, probe)
        return found

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
            given = zip(CREDENTIALS, (url, key, secret), strict=True)
            raise ConfigError("\n".join(_is_missing(name) for name, value in given if not value))
        return Server(
            url=url,
            api_key=key.get_secret_value(),
            api_secret=secret.get_secret_value(),
            name=self.server_name or urlsplit(url).netloc,
            ca_file=str(livekit.ca_file or ""),
        )


def _is_missing(name: str) -> str:
    return (
        f"livekit.{name}: is missing; expected --{name.replace('_', '-')}, "
        f"LIVEKIT_{name.upper()}, LIVEKIT_{name.upper()}_FILE, "
        f"or livekit.{name} in the configuration file"
    )
