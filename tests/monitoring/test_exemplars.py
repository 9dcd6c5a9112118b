"""From a bucket of a graph to the call: exemplars, in a Prometheus that stores them."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.metrics.exposition import Format
from exporter.metrics.registry import process_metrics
from tests.monitoring.services import run_prometheus
from tests.patience import until
from tests.unit.calls import call, replied
from tests.unit.recording import DEMO, Page

_BUCKETS = "voice_e2e_latency_seconds_bucket"
_OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def _recorded(*runs: tuple[str, float]) -> Page:
    page = Page(DEMO)
    for run_id, seconds in runs:
        page.recorder.record(replace(call(replied(seconds)), run_id=run_id))
    return page


def _text(page: Page, accept: str) -> str:
    return Format.accepted(accept).page(page.metrics.snapshot(), process_metrics())


def test_a_bucket_names_the_last_run_in_it() -> None:
    """By its run_id, in OpenMetrics alone: the text format has no exemplars."""
    parse: Callable[[str], Iterable[Metric]] = text_string_to_metric_families  # it has no types
    page = _recorded(("first", 1.32), ("second", 1.34), ("slow", 4.5))

    found = {
        sample.labels["le"]: (sample.exemplar.labels, sample.exemplar.value)
        for family in parse(_text(page, _OPENMETRICS))
        for sample in family.samples
        if sample.name == _BUCKETS and sample.exemplar
    }
    assert found == {"1.4": ({"run_id": "second"}, 1.34), "5.0": ({"run_id": "slow"}, 4.5)}
    assert "run_id" not in _text(page, "text/plain")


def test_prometheus_stores_them(prometheus_programs: None, tmp_path: Path) -> None:
    """A real one, asked as Grafana asks it for the dots of a graph."""
    with _served(_text(_recorded(("slow", 4.5)), _OPENMETRICS)) as address:
        scrape = {"job_name": "voice-exporter", "static_configs": [{"targets": [address]}]}
        configuration = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
        exemplars = ("--enable-feature=exemplar-storage",)
        with run_prometheus(tmp_path, configuration, flags=exemplars) as prometheus:
            until(lambda: prometheus.exemplars(_BUCKETS), what="an exemplar")
            found = prometheus.exemplars(_BUCKETS)
    assert [each["labels"] for each in found] == [{"run_id": "slow"}]


@contextmanager
def _served(page: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", f"{_OPENMETRICS}; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), name="page")
    serving.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
