"""A token bucket."""

import time
from collections.abc import Callable


class RateLimiter:
    """Allows a burst of requests at once, then one in each interval."""

    def __init__(
        self, interval_s: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Fill the bucket.

        Args:
            interval_s: Seconds until one more request is allowed.
            burst: Requests that may come at once.
            clock: Seconds.
        """
        self._interval_s = interval_s
        self._burst = burst
        self._clock = clock
        self._allowed = float(burst)
        self._at = clock()

    def take(self) -> bool:
        """Return whether one more request is allowed now, and count it if so."""
        now = self._clock()
        refilled = self._allowed + (now - self._at) / self._interval_s
        self._allowed, self._at = min(float(self._burst), refilled), now
        if self._allowed < 1:
            return False
        self._allowed -= 1
        return True
