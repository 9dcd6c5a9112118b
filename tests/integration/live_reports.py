"""A collector of what agents report: it keeps the turns, and answers all else as taken."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from exporter.calls.turns import LiveTurn, TurnBatch


@dataclass(slots=True)
class LiveReports:
    """All turns that were reported so far."""

    url: str = ""
    turns: list[LiveTurn] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def of(self, e2e_s: float) -> LiveTurn | None:
        """Return the turn of that latency, which no two share to the microsecond."""
        found = [each for each in self.turns if each.e2e_s and abs(each.e2e_s - e2e_s) < 1e-5]
        return found[0] if len(found) == 1 else None


@contextmanager
def collecting_turns() -> Iterator[LiveReports]:
    """Run a collector until the block ends."""
    reports = LiveReports()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/api/v1/turns":
                reports.bodies.append(body)
                reports.turns += TurnBatch.model_validate_json(body).turns
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        reports.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, name="live turns")
        thread.start()
        try:
            yield reports
        finally:
            server.shutdown()
            thread.join()
