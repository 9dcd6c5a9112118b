"""The flags of `voice-exporter demo`: text from the command line to checked options."""

from collections.abc import Mapping
from importlib.util import find_spec

from pydantic import Field

from exporter.config.values import Duration, Section
from exporter.demo.options import DemoOptions
from exporter.errors import ConfigError
from exporter.settings.load import override
from exporter.web.settings import ListenAddress

_DEFAULTS = DemoOptions()
_EXTRA = ("livekit.agents", "livekit.plugins.openai", "pocketsphinx", "espeakng_loader")
"""What the extra `demo` of this distribution installs."""


class DemoFlags(Section):
    """What each flag may be; None takes the demo's default."""

    duration: Duration | None = Field(None, gt=0)
    stt_delay: Duration | None = Field(None, ge=0, le=60)
    llm_delay: Duration | None = Field(None, ge=0, le=60)
    tts_delay: Duration | None = Field(None, ge=0, le=60)
    stt_failure_rate: float | None = Field(None, ge=0, le=1)
    llm_failure_rate: float | None = Field(None, ge=0, le=1)
    tts_failure_rate: float | None = Field(None, ge=0, le=1)
    greeting: str = ""
    trials: int = Field(_DEFAULTS.trials, ge=1, le=100)
    interval: Duration = Field(_DEFAULTS.interval_s, ge=10)
    listen_address: ListenAddress | None = None


def demo_options(flags: Mapping[str, object]) -> DemoOptions:
    """Return the options that the flags ask for; None means not given.

    Raises:
        ConfigError: A flag's value is impossible, one line for each; or a package is missing.
    """
    checked = override(DemoFlags(), flags, "demo")
    _require_packages()
    return DemoOptions(
        duration_s=checked.duration,
        stt_delay_s=checked.stt_delay,
        llm_delay_s=checked.llm_delay,
        tts_delay_s=checked.tts_delay,
        stt_failure_rate=checked.stt_failure_rate,
        llm_failure_rate=checked.llm_failure_rate,
        tts_failure_rate=checked.tts_failure_rate,
        greeting=checked.greeting,
        listen_address=checked.listen_address,
        interval_s=checked.interval,
        trials=checked.trials,
    )


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
