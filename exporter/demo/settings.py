"""Settings of the demo's providers: their delays and failure rates."""

from pydantic import BaseModel, ConfigDict, Field


class ProviderSettings(BaseModel):
    """One provider."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    delay_s: float = Field(ge=0, le=60)
    """Seconds from the request's arrival to the first byte of the answer's content."""
    failure_rate: float = Field(0.0, ge=0, le=1)
    """Part of the requests, 0 to 1, that get an error instead, after the same delay."""


class DemoSettings(BaseModel):
    """All three providers. The defaults are those of a quick, healthy agent."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    stt: ProviderSettings = ProviderSettings(delay_s=0.2)
    """Speech to text: the whole answer, which has one part."""
    llm: ProviderSettings = ProviderSettings(delay_s=0.35)
    """Language model: the first token."""
    tts: ProviderSettings = ProviderSettings(delay_s=0.15)
    """Text to speech: the first sound."""

    def changed(self, change: object) -> "DemoSettings":
        """Return these settings with a change laid over them.

        Args:
            change: Decoded JSON such as `{"llm": {"delay_s": 2.0}}`; what it leaves out stays.

        Raises:
            pydantic.ValidationError: The change names something unknown or has a wrong value.
        """
        merged: object = change
        if isinstance(change, dict):
            now = self.model_dump()
            merged = now | {
                part: now.get(part, {}) | value if isinstance(value, dict) else value
                for part, value in change.items()
            }
        return DemoSettings.model_validate(merged)
