"""The configuration that is in use, and the server with its credentials."""

from dataclasses import replace

from exporter import logs
from exporter.daemon.plan import needs_restart, thresholds
from exporter.server_api import Server
from exporter.settings.settings import Settings


class Current:
    """What a reload, or another key in a file, replaces while the daemon runs."""

    def __init__(self, settings: Settings, server: Server) -> None:
        """Begin with what the exporter is started with.

        Args:
            settings: The whole configuration.
            server: What is watched; only its credentials change.
        """
        self.settings = self._started_with = settings
        self.server = server
        self.buckets = thresholds(settings)
        """The latencies, in seconds, that histograms have a bucket for."""

    def use(self, settings: Settings) -> None:
        """Let another configuration be in use from now on.

        Raises:
            ConfigError: Credentials are missing; nothing was changed.
        """
        now = self.server
        self.server = replace(settings.server(), url=now.url, name=now.name, ca_file=now.ca_file)
        self.settings = settings

    def after_restart(self) -> tuple[str, ...]:
        """Name the keys of which the exporter still uses the values that it was started with."""
        return needs_restart(self._started_with, self.settings, self.buckets)

    @property
    def log_setup(self) -> logs.LogSetup:
        """How logs are written, and which secrets they may never have."""
        settings = self.settings
        secrets = (
            *self.server.secrets,
            settings.web.write_token,
            *settings.store.redis.secrets,
        )
        return logs.LogSetup(settings.log.level, settings.log.format, secrets)
