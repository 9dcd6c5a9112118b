"""The thread that sends reports of turns, in batches."""

import logging
import os
import random
import secrets
import ssl
import threading
from collections import deque
from dataclasses import dataclass

import httpx

from voice_exporter_agent.collector import Collector, why

log = logging.getLogger(__name__)

WAITING = 1000
"""Reports that wait at most; those that come then are dropped, and counted."""
BATCH = 100
"""Reports of one request."""
_TIMEOUT_S = 5.0
_LONGEST_PAUSE_S = 30.0
_MOST_DOUBLINGS = 5
_NEVER_TAKEN = frozenset({400, 413, 422})
"""Answers after which the same batch would be refused again."""
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For plain HTTP: the system's certificates would cost 40 ms of CPU to read."""
_random = random.Random()
"""Our own: the agent may have seeded the common one."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Reports that are sent together, each time under the same id."""

    id: str
    dropped: int
    reports: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        """The JSON of it."""
        head = f'{{"id":"{self.id}","dropped":{self.dropped},"turns":['
        return head.encode() + b",".join(self.reports) + b"]}"


class Delivery:
    """Takes reports from any thread, at once, and sends them from one of its own.

    A collector that is away, slow or in trouble is asked again after growing pauses. Meanwhile
    `WAITING` reports wait, and more are dropped; the next batch says how many.
    """

    def __init__(self, collector: Collector, interval_s: float = 1.0) -> None:
        """Start the thread.

        Args:
            collector: Where the reports go.
            interval_s: Seconds for which a first report waits for others.
        """
        self._collector = collector
        self._interval_s = interval_s
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._dropped = 0
        self._sending = False
        self._failures = 0
        self._hurry = False
        self._closed = False
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="voice-exporter-turns", daemon=True)
        self._thread.start()

    @property
    def works(self) -> bool:
        """Whether its thread runs in this process: it is in no fork."""
        return self._pid == os.getpid() and not self._closed and self._thread.is_alive()

    def offer(self, report: bytes) -> None:
        """Take the JSON of a report, or drop it."""
        with self._changed:
            if len(self._waiting) >= WAITING or self._closed:
                self._dropped += 1
                return
            self._waiting.append(report)
            if len(self._waiting) in (1, BATCH):
                self._changed.notify_all()

    def flush(self, limit_s: float) -> None:
        """Send what waits now; returns when it is sent, at the limit, or if the collector fails."""
        if os.getpid() != self._pid:
            return
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_done or self._failures > 0, limit_s)
            self._hurry = False

    def close(self, limit_s: float = 1.0) -> None:
        """Send what waits, as `flush` does, and end."""
        self.flush(limit_s)
        if os.getpid() == self._pid:
            with self._changed:
                self._closed = True
                self._changed.notify_all()

    @property
    def _is_done(self) -> bool:
        return not self._waiting and not self._sending

    def _run(self) -> None:
        secure = self._collector.url.startswith("https:")
        limits = httpx.Limits(max_keepalive_connections=0)  # there are fewer places than agents
        try:
            with httpx.Client(
                timeout=_TIMEOUT_S,
                headers={**self._collector.headers, "Content-Type": "application/json"},
                limits=limits,
                verify=secure or _NO_TLS,
            ) as client:
                while (batch := self._next()) is not None:
                    self._deliver(client, batch)
        except Exception as error:  # noqa: BLE001 - the agent must not fail for its observer
            log.error("turns are reported no more: %s", type(error).__name__)  # noqa: TRY400 - one line
        finally:
            with self._changed:
                self._closed = True
                self._waiting.clear()
                self._changed.notify_all()

    def _next(self) -> _Batch | None:
        """Wait for reports; return those of the next request, None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._changed.wait_for(
                lambda: self._hurry or self._closed or len(self._waiting) >= BATCH, self._interval_s
            )
            if self._closed or not self._waiting:
                return None
            count = min(BATCH, len(self._waiting))
            reports = tuple(self._waiting.popleft() for _ in range(count))
            batch = _Batch(secrets.token_hex(8), self._dropped, reports)
            self._dropped, self._sending = 0, True
            return batch

    def _deliver(self, client: httpx.Client, batch: _Batch) -> None:
        """Send a batch until it is taken, refused for ever, or all ends."""
        url = f"{self._collector.url}/api/v1/turns"
        while not self._closed:
            try:
                answer = client.post(url, content=batch.body, follow_redirects=False)
                if answer.status_code in _NEVER_TAKEN:
                    log.error("%d turns not reported: %s", len(batch.reports), _refusal(answer))
                    self._sent(lost=len(batch.reports) + batch.dropped)
                    return
                answer.raise_for_status()
            except Exception as error:  # noqa: BLE001 - as above; it is tried again
                self._pause(error)
            else:
                if self._failures:
                    log.info("turns reported again after %d attempts", self._failures)
                self._sent()
                return

    def _sent(self, lost: int = 0) -> None:
        with self._changed:
            self._failures, self._sending = 0, False
            self._dropped += lost
            self._changed.notify_all()

    def _pause(self, error: Exception) -> None:
        """Wait before the next attempt, longer after each that failed."""
        with self._changed:
            self._failures += 1
            if self._failures == 1:
                log.warning("turns not reported, retrying: %s", why(error))
            self._changed.notify_all()
            doubled = 2.0 ** min(self._failures - 1, _MOST_DOUBLINGS)
            pause_s = min(self._interval_s * doubled, _LONGEST_PAUSE_S) * _random.uniform(0.5, 1)
            self._changed.wait_for(lambda: self._closed, pause_s)


def _refusal(answer: httpx.Response) -> str:
    """Say why a batch was refused; the exporter's own text, which repeats nothing of it."""
    try:
        text = str(answer.json()["error"])[:200]
    except (ValueError, KeyError, TypeError):
        text = "no reason given"
    return f"the exporter answered {answer.status_code}: {text}"
