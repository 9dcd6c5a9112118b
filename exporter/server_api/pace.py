"""How fast requests go: as fast as they like, until the server or a proxy says that it is too fast.

A proxy that allows five requests a second refuses most of a listing of fifty rooms. What it refused
is sent again, and from then on requests go one after the other with a gap between them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from aiohttp import ClientResponse

PATIENCE_S = 5.0
"""For which one request is sent again and again."""
_FIRST_GAP_S = 0.1
_LONGEST_GAP_S = 2.0
_LONGER = 1.5

_Answer = TypeVar("_Answer")


class Busy(Exception):  # noqa: N818 - says what is, not what failed
    """The server, or a proxy before it, accepts no more requests for now."""

    def __init__(self, status: int, retry_after_s: float = 0.0) -> None:
        super().__init__(f"it accepts no more requests for now (HTTP {status})")
        self.status = status
        self.retry_after_s = retry_after_s
        """What it asked for; 0 if it did not say."""

    @classmethod
    def check(cls, answer: "ClientResponse") -> None:
        """Raise it for an answer that says so: 429, or 503 with a time to come back."""
        after = answer.headers.get("Retry-After", "").strip()
        told = answer.status == HTTPStatus.SERVICE_UNAVAILABLE and bool(after)
        if told or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            answer.close()
            # The other form is a date, of a clock that is not ours: our own gap does instead.
            raise cls(answer.status, float(after) if after.isdecimal() else 0.0)


class Pace:
    """The common pace of the requests of one client."""

    def __init__(self) -> None:
        self._gap_s = 0.0
        self._next = self._slowed_at = time.monotonic()
        self.not_before = 0.0
        """Until then, on the monotonic clock, the server asked for no more requests."""
        self._one_at_a_time = asyncio.Lock()

    @property
    def slowed(self) -> bool:
        """Whether requests were refused because they came too fast."""
        return self._gap_s > 0

    async def send(self, request: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Send a request when its turn comes, and again when it was refused.

        Args:
            request: Sends it once; raises Busy.

        Raises:
            Busy: It was refused for all of the patience, or the server asked to come back later
                than that: then it is not sent at all.
        """
        waited_s = 0.0
        while True:
            await self._turn()
            sent_at = time.monotonic()
            if (pause_s := self.not_before - sent_at) > PATIENCE_S:
                raise Busy(HTTPStatus.TOO_MANY_REQUESTS, pause_s)  # others have been told so
            try:
                return await request()
            except Busy as busy:
                pause_s = max(busy.retry_after_s, self._slow_down(sent_at))
                self.not_before = max(self.not_before, time.monotonic() + pause_s)
                waited_s += pause_s
                if waited_s > PATIENCE_S:
                    raise
            self._next = max(self._next, time.monotonic() + pause_s)

    async def _turn(self) -> None:
        if not self.slowed:
            return
        async with self._one_at_a_time:
            await asyncio.sleep(max(0.0, self._next - time.monotonic()))
            self._next = time.monotonic() + self._gap_s

    def _slow_down(self, sent_at: float) -> float:
        """Lengthen the gap, once for all requests that were sent at the same pace; return it."""
        if sent_at >= self._slowed_at:
            self._gap_s = min(max(_LONGER * self._gap_s, _FIRST_GAP_S), _LONGEST_GAP_S)
            self._slowed_at = time.monotonic()
        return self._gap_s
