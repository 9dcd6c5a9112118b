"""A receiver of Alertmanager's webhooks that remembers what came, and when."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert in one notification."""

    at: float
    """When it arrived, by the monotonic clock."""
    receiver: str
    """Whom Alertmanager sent it to: the name of the receiver in its configuration."""
    status: str
    """firing or resolved."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: float
    """When the rule was first true, by the clock of Prometheus: Unix time of that evaluation."""

    @property
    def name(self) -> str:
        """The alert's name."""
        return self.labels["alertname"]


class Webhook:
    """What arrived at one receiver's address, in its order."""

    def __init__(self, url: str) -> None:
        """Begin with nothing.

        Args:
            url: Where it listens.
        """
        self.url = url
        self._notices: list[Notice] = []
        self._news = threading.Condition()

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Everything that arrived until now."""
        with self._news:
            return tuple(self._notices)

    def take(self, body: Mapping[str, object]) -> None:
        """Remember the alerts of one notification."""
        now = time.monotonic()
        receiver, alerts = str(body["receiver"]), body["alerts"]
        assert isinstance(alerts, list)
        with self._news:
            self._notices += [_notice(now, receiver, each) for each in alerts]
            self._news.notify_all()

    def wait(
        self, wanted: Callable[[Notice], bool], what: str, *, since: float, within_s: float
    ) -> Notice:
        """Return the first notice that is wanted and arrived after a moment; wait for it.

        Args:
            wanted: Tells it from others.
            what: For people.
            since: Earlier ones do not count, by the monotonic clock.
            within_s: How long to wait from now on.

        Raises:
            TimeoutError: None came; the message lists what came instead.
        """

        def found() -> Notice | None:
            late = (each for each in self._notices if each.at >= since and wanted(each))
            return next(late, None)

        with self._news:
            self._news.wait_for(found, within_s)
            if notice := found():
                return notice
            others = [f"{each.status} {dict(each.labels)}" for each in self._notices]
        raise TimeoutError(f"not within {within_s:g} s: {what}; came: {others}")


def _notice(at: float, receiver: str, alert: Mapping[str, Any]) -> Notice:
    starts_at = datetime.fromisoformat(alert["startsAt"]).timestamp()
    return Notice(at, receiver, alert["status"], alert["labels"], alert["annotations"], starts_at)


@contextmanager
def run_webhook() -> Iterator[Webhook]:
    """Listen on a free port of 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            webhook.take(json.loads(self.rfile.read(length)))
            self.send_response(HTTPStatus.NO_CONTENT)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing: what came is asked for."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    webhook = Webhook(f"http://127.0.0.1:{server.server_port}")
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), name="webhook")
    serving.start()
    try:
        yield webhook
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
