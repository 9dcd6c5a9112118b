"""The thread that sends the heartbeats."""

import logging
import os
import random
import threading
from dataclasses import asdict, replace
from urllib.parse import quote

import httpx

from voice_exporter_agent.collector import Collector, why
from voice_exporter_agent.worker import Cohort, Source, Usage, WorkerState, addresses

log = logging.getLogger(__name__)

CLOSE_LIMIT_S = 2.0
_TIMEOUT_S = 5.0
_JITTER = 0.1
_START_S = 1.0
"""Between two looks for a worker that is not there yet."""
_QUIET_LOOKS = 30
"""Looks in vain after which the log says that there is no worker to report."""
_LONGEST_BACKOFF = 2
"""Intervals between two attempts at most."""
_random = random.Random()
"""Our own: the worker may have seeded the common one, and count on its next numbers."""


class Heartbeats:
    """Sends the state of a worker at every interval, and a goodbye at the end.

    An attempt that fails is repeated after growing pauses of at most two intervals. They differ
    from worker to worker, so a collector that comes back is not overrun.
    """

    def __init__(
        self,
        collector: Collector,
        source: Source,
        interval_s: float,
        close_limit_s: float = CLOSE_LIMIT_S,
        cohort: Cohort | None = None,
    ) -> None:
        """Set up; nothing is sent before `start`.

        Args:
            collector: Where they go.
            source: Where the state is read.
            interval_s: Seconds between two heartbeats.
            close_limit_s: Seconds that `close` may take.
            cohort: Version and region, sent with each heartbeat where they are known.
        """
        self._collector = collector
        self._source = source
        self._interval_s = interval_s
        self._close_limit_s = close_limit_s
        self._cohort = {key: text for key, text in asdict(cohort or Cohort()).items() if text}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="voice-exporter", daemon=True)
        self._usage = Usage()
        self._last: WorkerState | None = None
        self._failures = 0
        self._looks = 0
        self._pid = os.getpid()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop and say goodbye, within the limit. Never raises."""
        if os.getpid() != self._pid:
            return  # a fork of the worker ends: it has no thread, and perhaps a lock held for ever
        self._stop.set()
        # The goodbye is the thread's: it may be in the middle of a request. As a daemon it does
        # not keep the process when it takes too long.
        if self._thread.is_alive():
            self._thread.join(self._close_limit_s)

    def _run(self) -> None:
        # The client is made here: to read the certificates takes 20 ms, which the worker need not
        # wait for. A connection that is kept between heartbeats would take one of the exporter's
        # places, of which there are fewer than workers in a large fleet.
        limits = httpx.Limits(max_keepalive_connections=0)
        try:
            with httpx.Client(
                timeout=_TIMEOUT_S, headers=self._collector.headers, limits=limits
            ) as client:
                while not self._stop.wait(self._beat(client)):
                    pass
                self._say_goodbye(client)
        except Exception as error:  # noqa: BLE001 - the worker must not fail for its observer
            log.error(  # noqa: TRY400 - one line is enough
                "reporting to the exporter has stopped: %s", type(error).__name__
            )

    def _beat(self, client: httpx.Client) -> float:
        """Send one heartbeat; return the seconds until the next."""
        try:
            state = self._source.state()
            if state is None:
                return self._look_again()
            self._send(client, state, _TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - as above; it is tried again
            self._failures += 1
            if self._failures == 1:
                log.warning("heartbeat not sent, retrying: %s", why(error))
            intervals = min(2.0 ** (self._failures - 1), _LONGEST_BACKOFF)
            return self._interval_s * intervals * _random.uniform(0.5, 1)
        if self._failures:
            log.info("heartbeats sent again after %d attempts", self._failures)
        self._failures = 0
        return self._interval_s * _random.uniform(1 - _JITTER, 1 + _JITTER)

    def _look_again(self) -> float:
        """Return when to look again for a worker that is not registered yet, or no more."""
        if self._last is not None:
            return self._interval_s
        self._looks += 1
        if self._looks == _QUIET_LOOKS:
            log.warning(
                "no worker to report to the exporter yet; was a worker with that name started?"
            )
        return min(_START_S, self._interval_s) if self._looks < _QUIET_LOOKS else self._interval_s

    def _send(self, client: httpx.Client, state: WorkerState, timeout_s: float) -> None:
        """Send a state.

        Raises:
            httpx.HTTPError: It did not arrive, or was refused.
        """
        url = f"{self._collector.url}/api/v1/workers/{quote(state.worker_id)}/heartbeat"
        body = asdict(state) | {"addresses": addresses()} | self._cohort
        del body["worker_id"]
        if state.status != "offline":
            body["memory_bytes"], body["cpu_ratio"] = self._usage.measure()
        if self._last is not None and self._last.worker_id != state.worker_id:
            body["replaces"] = self._last.worker_id
        answer = client.post(url, json=body, timeout=timeout_s, follow_redirects=False)
        answer.raise_for_status()
        self._last = state

    def _say_goodbye(self, client: httpx.Client) -> None:
        if self._last is None:
            return
        goodbye = replace(self._last, status="offline", active_jobs=None, load=None)
        try:
            self._send(client, goodbye, self._close_limit_s * 0.75)
        except Exception as error:  # noqa: BLE001 - as above
            log.warning("shutdown not reported: %s", why(error))
