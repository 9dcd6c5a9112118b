"""How a call ends: the reason, and whether the agent ended it in order."""

import time

from livekit import rtc

from exporter.errors import ProbeError
from exporter.limits import Limit, away
from exporter.outcome import Reason

CLOSED = {
    rtc.DisconnectReason.ROOM_DELETED: "the room was deleted, by the agent or an administrator",
    rtc.DisconnectReason.ROOM_CLOSED: "the server closed the room",
    rtc.DisconnectReason.PARTICIPANT_REMOVED: (
        "the caller was removed, by the agent or an administrator"
    ),
}
HANGS_UP = (rtc.DisconnectReason.ROOM_DELETED, rtc.DisconnectReason.PARTICIPANT_REMOVED)
"""How an agent ends a call, if it does not just leave."""


class Ending:
    """Why a call has ended, if it has; the first reason stays."""

    def __init__(self) -> None:
        self._error: ProbeError | None = None
        self._ended = 0.0
        self.hung_up = False
        """The agent ended the call in order: it did not die, and reported no error."""

    def check(self) -> None:
        """Raise the ProbeError with which the call has ended, if it has.

        It is void where the caller had given no sign of life for so long that the server, or the
        agent, had to take it for gone.
        """
        if self._error is not None:
            raise away(Limit.END, self._error, self._ended)

    def agent_left(
        self, why: rtc.DisconnectReason.ValueType | None, reported: str, *, others: bool
    ) -> None:
        """Note that the agent is gone.

        Args:
            why: What the server says of it.
            reported: The error that the agent reported, or "".
            others: Another agent is in the room.
        """
        if reported:
            self._end(Reason.AGENT_ERROR, f"the agent reported an error and left: {reported}")
            return
        self.hung_up = self.hung_up or why == rtc.DisconnectReason.CLIENT_INITIATED
        detail = "the agent left the room during the call"
        if others:
            detail += ", and another agent is there"
        self._end(Reason.AGENT_LEFT, detail)

    def closed(self, reason: rtc.DisconnectReason.ValueType, reported: str) -> None:
        """Note that the caller is out of the room, other than by its own will.

        Args:
            reason: What the server says of it.
            reported: The error that the agent reported, or "".
        """
        name = rtc.DisconnectReason.Name(reason).lower()
        if reason in CLOSED:
            self.hung_up = self.hung_up or (reason in HANGS_UP and not reported)
            self._end(Reason.ROOM_CLOSED, f"{CLOSED[reason]} ({name})")
        else:
            self._end(Reason.CONNECT_FAILED, f"the connection was lost ({name})")

    def _end(self, reason: Reason, detail: str) -> None:
        if self._error is None:
            self._error, self._ended = ProbeError(reason, detail), time.monotonic()
