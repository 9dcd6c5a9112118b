"""What a person can choose about the demo: text from the command line to checked options."""

from collections.abc import Mapping
from importlib.util import find_spec

from pydantic import Field

from exporter.config.values import Duration, Section
from exporter.demo.settings import DemoSettings
from exporter.errors import ConfigError
from exporter.settings.load import override
from exporter.web.settings import ListenAddress

_EXTRA = ("livekit.agents", "livekit.plugins.openai", "pocketsphinx", "espeakng_loader")
"""What the extra `demo` of this distribution installs."""


class DemoOptions(Section):
    """The options of `voice-exporter demo`; None takes the default of what it is about."""

    duration: Duration | None = Field(None, gt=0)
    """Stop so long after everything runs; None: run until Ctrl-C."""
    stt_delay: Duration | None = Field(None, ge=0, le=60)
    llm_delay: Duration | None = Field(None, ge=0, le=60)
    tts_delay: Duration | None = Field(None, ge=0, le=60)
    stt_failure_rate: float | None = Field(None, ge=0, le=1)
    llm_failure_rate: float | None = Field(None, ge=0, le=1)
    tts_failure_rate: float | None = Field(None, ge=0, le=1)
    greeting: str = ""
    """What the agent says first on every call; "" lets the caller speak first."""
    trials: int = Field(2, ge=1, le=100)
    """Measured turns in each call."""
    interval: Duration = Field(20.0, ge=10)
    """Time between two calls."""
    listen_address: ListenAddress | None = None
    """HOST:PORT of /metrics; None: 127.0.0.1:9465, or a free port when that is taken."""

    def settings(self) -> DemoSettings:
        """Return what the providers start with."""
        return DemoSettings().changed({part: self._of(part) for part in ("stt", "llm", "tts")})

    def _of(self, part: str) -> dict[str, float]:
        keys = {"delay_s": f"{part}_delay", "failure_rate": f"{part}_failure_rate"}
        given = {key: getattr(self, option) for key, option in keys.items()}
        return {key: float(value) for key, value in given.items() if value is not None}


def demo_options(flags: Mapping[str, object]) -> DemoOptions:
    """Return the options that the flags ask for; None means not given.

    Raises:
        ConfigError: A flag's value is impossible, one line for each; or a package is missing.
    """
    options = override(DemoOptions(), flags, "demo")
    _require_packages()
    return options


def _require_packages() -> None:
    """Refuse to start where the child processes could not."""
    missing = [name for name in _EXTRA if not _is_installed(name)]
    if missing:
        wanted = "expected pip install 'livekit-voice-exporter[demo]'"
        raise ConfigError(f"demo: not installed: {', '.join(missing)}; {wanted}")


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False
