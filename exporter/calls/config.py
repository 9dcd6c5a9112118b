"""Settings of real calls."""

from pydantic import Field

from exporter.config.values import Duration, Section


class CallsConfig(Section):
    """Real calls, as the server's webhooks report them."""

    short_below: Duration = Field(
        10.0,
        ge=0,
        description="A call with an agent that lasts shorter counts as short.",
    )


class WebhooksConfig(Section):
    """Webhooks of the server, sent to /webhook/livekit."""

    expected: bool = Field(
        False,
        description="The server is configured to send webhooks here: VoiceWebhooksSilent also "
        "fires if none has ever come.",
    )
