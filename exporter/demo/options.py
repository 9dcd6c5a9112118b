"""What a person can choose about the demo."""

from dataclasses import dataclass

from exporter.demo.settings import DemoSettings


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
            pydantic.ValidationError: A delay or a rate is out of bounds; the command line checks
                its flags before.
        """
        change: dict[str, dict[str, float]] = {"stt": {}, "llm": {}, "tts": {}}
        for part, values in change.items():
            for key in ("delay_s", "failure_rate"):
                value = getattr(self, f"{part}_{key}")
                if value is not None:
                    values[key] = float(value)
        return DemoSettings().changed(change)
