"""A run as its parent sees it: turns and rooms so far, and its end if it cannot report it."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from exporter.evidence.keeper import Keeper
from exporter.outcome import EvidenceLost, Outcome, RampProgress, Reason, Turn
from exporter.run import process
from exporter.run.pool import Slot
from exporter.run.process import Order


class Ended(Exception):  # noqa: N818 - not an error of the program
    """A run was killed, or its process died; the message says which."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Called during a run, with each turn and with the progress of a ramp."""

    on_turn: Callable[[Turn], None] | None
    on_progress: Callable[[RampProgress], None] | None
    keeper: Keeper | None


@dataclass(slots=True)
class Watch:
    """A run as seen by the parent: its turns and rooms, and its end if it cannot report it."""

    order: Order
    slot: Slot
    callbacks: Callbacks
    turns: list[Turn] = field(default_factory=list)
    rooms: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    is_given_up: bool = False
    """Nobody waits for its Outcome any more."""

    def __post_init__(self) -> None:
        self.slot.pipe.listen(self._take)

    def stop(self) -> None:
        """Take what is still in the pipe, then no more."""
        self.slot.pipe.listen(None)

    def failed(self, detail: str) -> Outcome:
        """Build the Outcome of a run that could not report its own."""
        self.slot.pipe.drain()
        config = self.order.config
        return Outcome(
            probe=self.order.probe,
            agent_name=getattr(config, "agent_name", ""),
            started_at=self.started_at,
            duration_s=time.monotonic() - self.started,
            reason=Reason.PROBE_CRASHED,
            detail=detail,
            result=process.partial_result(config, self.turns),
            run_id=self.order.run_id,
        )

    def _take(self, line: bytes) -> None:
        message = process.read_message(line, self.order.run_id)
        if isinstance(message, str):
            self.rooms.append(message)
        elif isinstance(message, RampProgress):
            if self.callbacks.on_progress is not None:
                self.callbacks.on_progress(message)
        elif isinstance(message, EvidenceLost):
            if self.callbacks.keeper is not None:
                self.callbacks.keeper.lost(self.order.run_id, message)
        elif message is not None:
            self.turns.append(message)
            if self.callbacks.on_turn is not None:
                self.callbacks.on_turn(message)


def death(exitcode: int) -> str:
    """Name what ended a process."""
    if exitcode < 0:
        try:
            return f"the probe process was ended by {signal.Signals(-exitcode).name}"
        except ValueError:
            return f"the probe process was ended by signal {-exitcode}"
    return f"the probe process exited with status {exitcode}"
