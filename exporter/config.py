"""Every setting, its default, and how flags, environment and YAML file become one frozen object.

Precedence: flags, then the environment, then the YAML file, then the defaults that stand here.
The keys of a target are in `exporter.probes.latency`, those of a probe beside the probe.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)

from exporter.config_keys import KeyPath, keys_of
from exporter.config_sources import (
    CREDENTIALS,
    add_environment,
    add_file,
    add_flags,
    read_credential_files,
)
from exporter.config_tree import Tree
from exporter.config_wording import refuse_odd_numbers, report_errors
from exporter.duration import Duration
from exporter.errors import ConfigError
from exporter.probes.agents import AgentsConfig
from exporter.probes.calibrate import CalibrateConfig
from exporter.probes.latency import LatencyConfig, Utterance
from exporter.server_api import Server

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_SCHEMES = ("ws", "wss", "http", "https")
_MAX_PORT = 65535
_Model = TypeVar("_Model", bound=BaseModel)


class LiveKitSettings(BaseModel):
    """The LiveKit server and the credentials for it."""

    model_config = _STRICT

    url: str | None = Field(None, description="Address: ws://, wss://, http:// or https://.")
    url_file: Path | None = Field(None, description="File that holds the address.")
    api_key: SecretStr | None = Field(None, description="API key.")
    api_key_file: Path | None = Field(None, description="File that holds the API key.")
    api_secret: SecretStr | None = Field(None, description="API secret.")
    api_secret_file: Path | None = Field(None, description="File that holds the API secret.")

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        if url is not None and (fault := _url_fault(url)):
            raise ValueError(fault)
        return url


def _url_fault(url: str) -> str:
    """Say what is wrong with a server's address, without repeating what may be a secret."""
    expected = "expected ws://, wss://, http:// or https:// and a host"
    scheme, mark, _ = url.partition("://")
    if not mark:
        return f"is no URL; {expected}"
    if scheme.lower() not in _SCHEMES:
        return f"scheme {scheme[:20]!r} is not one of LiveKit's; {expected}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"has no valid host and port; {expected}"
    if not host:
        return f"has no host; {expected}"
    if parts.username or parts.password:
        return "holds a user name or password; expected them in api_key and api_secret"
    return ""


def _check_address(address: str) -> str:
    _, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > _MAX_PORT:
        raise ValueError(f"{address!r} is no address; expected HOST:PORT")
    return address


ListenAddress = Annotated[str, AfterValidator(_check_address)]
"""HOST:PORT; no host means every address, port 0 lets the system choose."""


class WebSettings(BaseModel):
    """The exporter's own web server."""

    model_config = _STRICT

    listen_address: ListenAddress = Field(
        "127.0.0.1:9465",
        description="HOST:PORT for /metrics and the pages; `:9465` listens on every address.",
    )

    @property
    def host(self) -> str:
        """The host to listen on; every address when none is written."""
        host = self.listen_address.rpartition(":")[0].strip("[]")
        return host or "0.0.0.0"  # noqa: S104 - only where a person wrote `:PORT`

    @property
    def port(self) -> int:
        """The port to listen on; 0 lets the system choose."""
        return int(self.listen_address.rpartition(":")[2])


class DiscoverConfig(BaseModel):
    """Calls to agents that are found in rooms and are no target. Every turn costs money."""

    model_config = _STRICT

    enabled: bool = Field(False, description="Call every agent that is found in a room.")
    exclude: tuple[str, ...] = Field((), description="Names of agents that are never called.")
    call_type: str = Field("default", min_length=1, description="Label of these calls.")
    interval: Duration = Field(300.0, ge=10, description="Time between two calls to one agent.")
    trials: int = Field(3, ge=1, le=100, description="Measured turns in each call.")
    warmup: bool = Field(
        True, description="Take one more turn first, which is listed but not measured."
    )
    target_ms: float = Field(1500, gt=0, description="Above this an agent is SLOW.")
    metadata: str = Field("", description="Metadata of the dispatch.")
    utterance: Utterance = Field(default=Utterance(), description="What the caller says.")

    def target(self, agent_name: str) -> LatencyConfig:
        """Return how to call an agent that was found; one without a name joins every room."""
        shared = ("call_type", "interval", "trials", "warmup", "target_ms", "metadata", "utterance")
        return LatencyConfig(
            agent_name=agent_name,
            dispatch="explicit" if agent_name else "automatic",
            **{name: getattr(self, name) for name in shared},
        )


class SloConfig(BaseModel):
    """Service level objectives."""

    model_config = _STRICT

    thresholds: tuple[Annotated[Duration, Field(gt=0)], ...] = Field(
        (),
        description=(
            "Latencies that get a histogram bucket of their own; every `target_ms` has one anyway."
        ),
    )


class PoolConfig(BaseModel):
    """The processes that run probes."""

    model_config = _STRICT

    processes: int = Field(2, ge=1, le=64, description="Calls at one time, each in a process.")
    recycle_after: int = Field(
        20, ge=1, description="Probes after which a process is replaced by a fresh one."
    )


class LogConfig(BaseModel):
    """The exporter's own log, on stderr."""

    model_config = _STRICT

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important lines to write."
    )
    format: Literal["logfmt", "json"] = Field("logfmt", description="How a line is written.")


class Settings(BaseModel):
    """Every setting of voice-exporter."""

    model_config = _STRICT

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
    calibrate: CalibrateConfig = Field(
        default=CalibrateConfig(), description="How the floor of the method is measured."
    )
    slo: SloConfig = Field(default=SloConfig(), description="Service level objectives.")
    pool: PoolConfig = Field(default=PoolConfig(), description="The processes that run probes.")
    log: LogConfig = Field(default=LogConfig(), description="The exporter's own log, on stderr.")

    def server(self) -> Server:
        """Return the server to talk to.

        Raises:
            ConfigError: A credential is in none of the three places; one line for each.
        """
        livekit = self.livekit
        if not (livekit.url and livekit.api_key and livekit.api_secret):
            raise ConfigError("\n".join(_missing_credentials(livekit)))
        return Server(
            url=livekit.url,
            api_key=livekit.api_key.get_secret_value(),
            api_secret=livekit.api_secret.get_secret_value(),
            name=self.server_name or host_of(livekit.url),
        )


def _missing_credentials(livekit: LiveKitSettings) -> list[str]:
    return [
        f"livekit.{name}: is missing; expected --{name.replace('_', '-')}, "
        f"LIVEKIT_{name.upper()}, LIVEKIT_{name.upper()}_FILE, "
        f"or livekit.{name} in the configuration file"
        for name in CREDENTIALS
        if not getattr(livekit, name)
    ]


def host_of(url: str) -> str:
    """Return `host` or `host:port` of a server's address."""
    return urlsplit(url).netloc.rpartition("@")[2]


def load_settings(
    path: Path | None,
    flags: Mapping[str, object],
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Merge the file, the environment and the flags into one checked object.

    Args:
        path: The YAML file, or None for none.
        flags: Values by dotted key path (`web.listen_address`); None means not given.
        environ: The environment.

    Raises:
        ConfigError: Something is wrong; its message has one line for each problem.
    """
    tree = Tree(keys_of(Settings))
    if path is not None:
        add_file(tree, path, environ)
    add_environment(tree, environ)
    add_flags(tree, flags)
    read_credential_files(tree)
    settings = _validate(tree, Settings)
    _refuse_twins(tree)
    _refuse_bad_clips(tree)
    return _checked(tree, settings)


def override(base: _Model, flags: Mapping[str, object], named: str) -> _Model:
    """Return a part of the configuration with some keys replaced by flags.

    Args:
        base: What is configured: a target, for instance.
        flags: Values by dotted key path within it; None means not given.
        named: What an error line calls the base.

    Raises:
        ConfigError: A flag's value is impossible; one line for each.
    """
    tree = Tree(keys_of(type(base)))
    tree.assign_root(base.model_dump(exclude_unset=True), named)
    add_flags(tree, flags)
    config = _validate(tree, type(base))
    _refuse_bad_clips(tree)
    return _checked(tree, config)


def _validate(tree: Tree, model: type[_Model]) -> _Model | None:
    """Build the model, or report why that is impossible."""
    refuse_odd_numbers(tree)
    try:
        return model.model_validate(tree.values)
    except ValidationError as error:
        report_errors(tree, error)
        return None


def _checked(tree: Tree, model: _Model | None) -> _Model:
    if tree.problems or model is None:
        raise ConfigError("\n".join(str(problem) for problem in tree.problems))
    return model


def _refuse_twins(tree: Tree) -> None:
    """Report targets that would write the same series."""
    targets = tree.get(("targets",))
    seen: dict[tuple[Any, ...], int] = {}
    for index, target in enumerate(targets if isinstance(targets, list) else ()):
        if not isinstance(target, dict) or not isinstance(target.get("agent_name"), str):
            continue
        names = [str(target.get(name, "default")) for name in ("call_type", "scenario")]
        first = seen.setdefault((target["agent_name"], *names), index)
        if first != index:
            what = "the same agent_name, call_type and scenario as"
            text = f"has {what} targets[{first}]; expected a call_type or scenario of its own"
            tree.report(("targets", index), text)


def _refuse_bad_clips(tree: Tree) -> None:
    """Report WAV files that the caller could not say."""
    for path, value in tree.leaves():
        if path[-1] == "wav" and value is not None and path not in tree.faulty:
            _check_clip(tree, path, Path(str(value)))


def _check_clip(tree: Tree, path: KeyPath, file: Path) -> None:
    from exporter.call.clip import load_clip  # noqa: PLC0415 - only who has a WAV pays for numpy

    try:
        load_clip(file)
    except ConfigError as error:
        tree.report(path, f"{tree.shown(path)}: {str(error).removeprefix(f'{file}: ')}")
