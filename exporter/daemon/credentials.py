"""Credentials that stand in files: another key or token is used without a reload."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from exporter.errors import ConfigError
from exporter.outcome import Outcome, Reason
from exporter.settings.settings import Settings

log = logging.getLogger(__name__)

LOOKED_AT_EVERY_S = 10.0


class CredentialFiles:
    """Reads the files again and again, and at once when the server has refused what they held."""

    def __init__(self, settings: Callable[[], Settings], use: Callable[[Settings], None]) -> None:
        """Set up.

        Args:
            settings: Returns those that are in use.
            use: Puts others with new credentials to use.
        """
        self._settings = settings
        self._use = use
        self._refused = asyncio.Event()
        self.problem = ""
        """Why what a file holds now is not used, "" when it is."""

    def record(self, outcome: Outcome) -> None:
        """Take note of a run that was refused: a listener."""
        if outcome.reason is Reason.AUTH_FAILED:
            self._refused.set()

    async def watch(self) -> None:
        """Read them for ever; what cannot be read changes nothing."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOKED_AT_EVERY_S):
                    await self._refused.wait()
            self._refused.clear()
            await self.refresh()

    async def refresh(self) -> None:
        """Read them once."""
        before = self._settings()
        problem = ""
        try:
            new = await asyncio.to_thread(_read_again, before)
        except ConfigError as error:
            problem = str(error)
            if problem != self.problem:
                log.error("credentials are as before", extra={"why": problem})  # noqa: TRY400
        else:
            # A reload meanwhile has read the files itself.
            if new != before and self._settings() is before:
                self._use(new)
                log.info("credentials read again")
        self.problem = problem


def _read_again(settings: Settings) -> Settings:
    sections = {"livekit": settings.livekit, "web": settings.web}
    again = {key: section.read_again(key) for key, section in sections.items()}
    return settings.model_copy(update=again)
