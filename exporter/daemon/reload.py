"""Follow a changed configuration while running; a bad one changes nothing."""

import asyncio
import logging
from collections.abc import Callable

from exporter.errors import ConfigError
from exporter.settings.settings import Settings

log = logging.getLogger(__name__)


class Reloader:
    """Reads the configuration anew when asked to, one time after the other."""

    def __init__(
        self,
        load: Callable[[], Settings],
        apply: Callable[[Settings], None],
        note: Callable[[bool], None],
    ) -> None:
        """Set up.

        Args:
            load: Reads the configuration; called in a thread. Raises ConfigError.
            apply: Puts it to use, all of it or nothing. Raises ConfigError.
            note: Told of every try whether it succeeded.
        """
        self._load = load
        self._apply = apply
        self._note = note
        self._one_at_a_time = asyncio.Lock()
        self._problem = ""
        self.tasks: set[asyncio.Task[str]] = set()
        """The tries that a signal has begun, until they end."""

    @property
    def problem(self) -> str:
        """Why the last try failed, one line for each mistake; "" when it did not."""
        return self._problem

    def reload_soon(self) -> None:
        """Begin to read it; returns at once."""
        task = asyncio.create_task(self.reload())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def reload(self) -> str:
        """Read the configuration and follow it; the one before stays when it is bad.

        Returns:
            Why it was refused, one line for each mistake; "" when it is in use.
        """
        async with self._one_at_a_time:
            self._problem = await self._try()
            self._note(not self._problem)
            for line in self._problem.splitlines():
                log.error(
                    "reload failed, the previous configuration stays in use", extra={"error": line}
                )
            if not self._problem:
                log.info("configuration reloaded")
            return self._problem

    async def _try(self) -> str:
        try:
            self._apply(await asyncio.to_thread(self._load))
        except ConfigError as error:
            return str(error)
        except Exception as error:
            log.exception("reload failed")
            return f"unexpected {type(error).__name__}; see the log"
        return ""
