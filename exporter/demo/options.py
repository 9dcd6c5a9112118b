"""What a person can choose about the demo."""

from dataclasses import dataclass

from pydantic import ValidationError

from exporter.demo.settings import DemoSettings
from exporter.errors import ConfigError

_LEAST_INTERVAL_S = 10.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The options of `voice-exporter demo`; None takes the default. Times are seconds."""

    duration_s: float | None = None
    """Stop so long after everything runs; None: run until Ctrl-C."""
    stt_delay_s: float | None = None
    llm_delay_s: float | None = None
    tts_delay_s: float | None = None
    stt_failure_rate: float | None = None
    llm_failure_rate: float | None = None
    tts_failure_rate: float | None = None
    greeting: str = ""
    """What the agent says first on every call; "" lets the caller speak first."""
    listen_address: str | None = None
    """HOST:PORT of /metrics; None: 127.0.0.1:9465, or a free port when that is taken."""
    interval_s: float = 20.0
    """Time between two calls."""
    trials: int = 2
    """Measured turns in each call."""

    def settings(self) -> DemoSettings:
        """Return what the providers start with.

        Raises:
            ConfigError: A delay or a rate is out of bounds.
        """
        change: dict[str, dict[str, float]] = {"stt": {}, "llm": {}, "tts": {}}
        for part, values in change.items():
            for key in ("delay_s", "failure_rate"):
                value = getattr(self, f"{part}_{key}")
                if value is not None:
                    values[key] = float(value)
        try:
            return DemoSettings().changed(change)
        except ValidationError as error:
            raise ConfigError(_worded(error)) from error

    def check(self) -> None:
        """Refuse values that cannot work.

        Raises:
            ConfigError: One line for each wrong value.
        """
        self.settings()
        if self.duration_s is not None and self.duration_s <= 0:
            raise ConfigError(f"--duration: expected more than 0 s, got {self.duration_s:g}")
        if self.interval_s < _LEAST_INTERVAL_S:
            raise ConfigError(
                f"--interval: expected at least {_LEAST_INTERVAL_S:g} s, got {self.interval_s:g}"
            )
        if self.trials < 1:
            raise ConfigError(f"--trials: expected at least 1, got {self.trials}")


def _worded(error: ValidationError) -> str:
    """Name the flag, the rule and the value."""
    lines = []
    for each in error.errors():
        part, key = (str(step) for step in each["loc"][:2])
        flag = f"--{part}-{key.removesuffix('_s').replace('_', '-')}"
        rule = each["msg"].replace("Input should be ", "expected a number ")
        lines.append(f"{flag}: {rule}, got {each['input']:g}")
    return "\n".join(lines)
