"""The thread that sends the heartbeats."""

import logging
import os
import random
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from urllib.parse import quote

import httpx

from exporter.instrument.report import Facts, Source
from exporter.instrument.usage import Usage, addresses

log = logging.getLogger("voice_exporter.instrument")

CLOSE_LIMIT_S = 2.0
_TIMEOUT_S = 5.0
_JITTER = 0.1
_START_S = 1.0
"""Between two looks whether the worker is there yet."""
_QUIET_LOOKS = 30
"""Looks in vain after which the log says that there is no worker to report."""
_LONGEST_BACKOFF = 2
"""Intervals between two attempts at most."""
_random = random.Random()
"""Our own: the worker may have seeded the common one, and count on what comes next."""


@dataclass(frozen=True, slots=True)
class Collector:
    """Where the heartbeats go."""

    url: str
    token: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


class Beater:
    """Sends what a source tells at every interval, and a goodbye at the end.

    An attempt that fails is repeated with growing pauses, at most two intervals: a collector
    that comes back is not overrun, as the pauses differ from worker to worker.
    """

    def __init__(self, collector: Collector, source: Source, interval_s: float) -> None:
        """Set up; nothing is sent before `start`.

        Args:
            collector: Where to.
            source: What is told.
            interval_s: Between two heartbeats.
        """
        self._collector = collector
        self._source = source
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="voice-exporter", daemon=True)
        self._usage = Usage()
        self._last: Facts | None = None
        self._failures = 0
        self._looks = 0
        self._client: httpx.Client | None = None
        self._pid = os.getpid()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and say goodbye; takes `CLOSE_LIMIT_S` at most. Never raises."""
        if os.getpid() != self._pid:
            return  # a fork of the worker ends: it has no thread, and perhaps a lock held for ever
        until = time.monotonic() + CLOSE_LIMIT_S
        self._stop.set()
        # The goodbye is the thread's: it may be in the middle of a request. As a daemon it does
        # not keep the process when it takes too long.
        if self._thread.is_alive():
            self._thread.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        # Made here: to read the certificates takes 20 ms, which the worker need not wait for.
        try:
            with self._connect() as client:
                self._client = client
                while not self._stop.wait(self._beat()):
                    pass
                self._say_goodbye()
        except Exception as error:  # noqa: BLE001 - the worker must not fail for its observer
            log.error(  # noqa: TRY400 - one line is enough
                "reports to the exporter have ended: %s", type(error).__name__
            )

    def _connect(self) -> httpx.Client:
        # A connection that is kept between heartbeats would take one of the exporter's places,
        # of which there are fewer than workers in a large fleet.
        limits = httpx.Limits(max_keepalive_connections=0)
        return httpx.Client(timeout=_TIMEOUT_S, headers=self._collector.headers, limits=limits)

    def _beat(self) -> float:
        """Send one heartbeat; return the seconds until the next."""
        try:
            facts = self._source.facts()
            if facts is None:
                return self._look_again()
            self._send(facts, _TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - as above; it is tried again
            self._failures += 1
            if self._failures == 1:
                log.warning("heartbeat not sent, trying again: %s", _why(error))
            intervals = min(2.0 ** (self._failures - 1), _LONGEST_BACKOFF)
            return self._interval_s * intervals * _random.uniform(0.5, 1)
        if self._failures:
            log.info("heartbeats are sent again after %d attempts", self._failures)
        self._failures = 0
        return self._interval_s * _random.uniform(1 - _JITTER, 1 + _JITTER)

    def _look_again(self) -> float:
        """Return when to look again for a worker that is not registered yet, or no more."""
        if self._last is not None:
            return self._interval_s
        self._looks += 1
        if self._looks == _QUIET_LOOKS:
            log.warning("no worker to report to the exporter yet; was it started, by that name?")
        return min(_START_S, self._interval_s) if self._looks < _QUIET_LOOKS else self._interval_s

    def _send(self, facts: Facts, timeout_s: float) -> None:
        """Send the facts.

        Raises:
            httpx.HTTPError: It did not arrive, or was refused.
        """
        assert self._client is not None  # noqa: S101 - for the type checker
        body = {key: value for key, value in asdict(facts).items() if key != "worker_id"}
        if facts.status != "offline":
            body["memory_bytes"], body["cpu_ratio"] = self._usage.measure()
        if self._last is not None and self._last.worker_id != facts.worker_id:
            body["replaces"] = self._last.worker_id
        url = f"{self._collector.url}/api/v1/workers/{quote(facts.worker_id)}/heartbeat"
        answer = self._client.post(
            url, json=body | {"addresses": addresses()}, timeout=timeout_s, follow_redirects=False
        )
        answer.raise_for_status()
        self._last = facts

    def _say_goodbye(self) -> None:
        if self._last is None:
            return
        left = replace(self._last, status="offline", active_jobs=None, load=None)
        try:
            self._send(left, CLOSE_LIMIT_S * 0.75)
        except Exception as error:  # noqa: BLE001 - as above
            log.warning("goodbye not sent: %s", _why(error))


def _why(error: Exception) -> str:
    """Say why on one line: never the address, which could hold a secret, nor the token."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"the exporter answered {error.response.status_code}"
    return type(error).__name__
