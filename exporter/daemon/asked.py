"""Calls that someone asks for on the status page, which does not wait for their end."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from exporter.daemon.plan import call_id
from exporter.probes.latency.spec import LatencyConfig
from exporter.web.sources import CallNow, NotNowError
from exporter.web.watched import Asked, Watched, WatchList

log = logging.getLogger(__name__)


class AskedCalls:
    """Makes them, one at a time for each target, and notes on its row what comes of them."""

    def __init__(
        self,
        watched: WatchList,
        call: CallNow,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Set up.

        Args:
            watched: Whose rows they are noted on.
            call: Makes a call, and gives its Outcome to the watch list.
            clock: The wall clock.
        """
        self._watched = watched
        self._call = call
        self._clock = clock
        self.tasks: set[asyncio.Task[None]] = set()
        """The calls under way."""

    def begin(self, target: LatencyConfig) -> None:
        """Begin a call to a target, unless one that was asked for is under way."""
        line = self._watched.lines.get(call_id(target.key))
        if line is None or (line.asked is not None and line.asked.is_under_way):
            return
        line.asked = Asked(self._clock())
        task = asyncio.create_task(self._make(line, target))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _make(self, line: Watched, target: LatencyConfig) -> None:
        refusal = "it did not come to its end"
        try:
            await self._call(target, lambda _turn: None)
        except NotNowError as error:
            refusal = str(error)
        except Exception:  # nobody awaits this task: what it raised would be seen by no one
            log.exception(
                "call that was asked for failed", extra={"agent_name": line.work.agent_name}
            )
        finally:
            if line.asked is not None and line.asked.is_under_way:
                line.asked = replace(line.asked, refusal=refusal)
