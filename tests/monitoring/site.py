"""A Prometheus that has scraped the exporter for a day, and does so now."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.monitoring import rules
from tests.monitoring.busy_day import BusyDay
from tests.monitoring.history import backfill
from tests.monitoring.services import Prometheus, run_prometheus
from tests.patience import until

JOB = "voice-exporter"
"""By this name the rules, the dashboards and the compose file know the exporter."""
ROUNDS = 103
"""So many that the next few, which are scraped, have failures among them (see `busy_day`)."""
_FEW = 5
"""Scrapes and evaluations after which ranges of a few seconds have data."""


@contextmanager
def observed_day(folder: Path) -> Iterator[Prometheus]:
    """Run it with the rules, at an interval of one second, until the block ends."""
    day = BusyDay()
    for _ in range(ROUNDS):
        day.pass_on()
    data = folder / "prometheus"
    data.mkdir()
    with _served(day) as address:
        target = {"job": JOB, "instance": address}
        backfill(day.page().decode(), target, time.time(), data)
        scrape = {"job_name": JOB, "static_configs": [{"targets": [address]}]}
        configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [scrape],
            # Waits of a few milliseconds: what shows firing alerts is to have some.
            "rule_files": rules.write_shortened(folder, factor=100_000),
        }
        with run_prometheus(folder, configuration) as prometheus:
            until(lambda: _scrapes(prometheus) >= _FEW, what="several scrapes")
            prometheus.let_rules_be_evaluated(_FEW)
            until(lambda: _last_scrape(prometheus), what="a scrape that was in time")
            prometheus.moment = _last_scrape(prometheus)
            yield prometheus


def _scrapes(prometheus: Prometheus) -> float:
    """Return how many scrapes there were, those of the history left out."""
    answer = prometheus.ask(f'count_over_time(scrape_samples_scraped{{job="{JOB}"}}[1h])')
    return sum(each.value for each in answer.series)


def _last_scrape(prometheus: Prometheus) -> float | None:
    """Return when the last scrape was made, in Unix time; None if it failed."""
    answer = prometheus.ask(f'timestamp(up{{job="{JOB}"}} == 1)')
    return answer.series[0].value if answer.series else None


@contextmanager
def _served(day: BusyDay) -> Iterator[str]:
    """Answer scrapes, with one more round after each; yields HOST:PORT.

    Not before the answer: what has run would then have run after the time of its own sample.
    """
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with one_at_a_time:
                page = day.page()
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(page)
                day.pass_on()

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), name="exporter")
    serving.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
