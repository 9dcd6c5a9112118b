"""The image as it is run: size, start, memory, end, and what it may do without.

Run by `make bench-image` after `make image`; needs podman, and prints a table. Exits 1 when a bound
does not hold. Everything runs on the loopback interface, and the root of the container is read-only
with nowhere to write but the ledger's volume.
"""

import argparse
import http.client
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from bench.containers import HARDENED, Container, compressed_bytes, layers, running
from bench.report import Figures, Report
from bench.stage import AGENT, truth_stage
from exporter.demo.livekit_server import free_ports
from exporter.server_api import Server
from tests.integration.exporters import value

STARTS = 5
READY_S = 15.0
STOP_S = 10.0
_GIVE_UP_S = 180.0
_CONFIG = "/etc/voice-exporter/voice-exporter.yaml"
NOWHERE_TO_WRITE = (*HARDENED, "--read-only-tmpfs=false")
ARBITRARY = ("--user", "12345:0")
STRANGER = ("--user", "12345:12345")
"""Without the group that may write the ledger."""


class Bench:
    """What every run of the image shares."""

    def __init__(self, image: str, server: Server, folder: Path) -> None:
        self.image = image
        self._server = server
        self._folder = folder

    @contextmanager
    def exporter(self, *options: str) -> Iterator["Running"]:
        """Run the image's own command, on a free port, until the block ends."""
        port = free_ports().signal
        config = self._folder / f"{port}.yaml"
        target = {"agent_name": AGENT, "interval": "10s", "trials": 1, "warmup": False}
        web = {"listen_address": f"127.0.0.1:{port}"}
        config.write_text(yaml.safe_dump({"web": web, "targets": [target]}), encoding="utf-8")
        mount = ("--volume", f"{config}:{_CONFIG}:ro")
        began = time.monotonic()
        with running(
            self.image,
            options=(*NOWHERE_TO_WRITE, *mount, *options),
            environ={
                "LIVEKIT_URL": self._server.url,
                "LIVEKIT_API_KEY": self._server.api_key,
                "LIVEKIT_API_SECRET": self._server.api_secret,
            },
        ) as container:
            yield Running(container, port, began)


class Running:
    """An exporter in its container."""

    def __init__(self, container: Container, port: int, began: float) -> None:
        self.container = container
        self._port = port
        self._began = began

    @property
    def url(self) -> str:
        """Where its health is told."""
        return f"http://127.0.0.1:{self._port}/-/healthy"

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text of a page; 0 while nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def until_ready(self) -> float:
        """Wait for /-/ready and return how many seconds the start took."""
        return self.until(lambda: self.get("/-/ready")[0] == http.HTTPStatus.OK)

    def until_called(self) -> float:
        """Wait for the first turn that was measured; seconds since the start."""
        return self.until(lambda: self._count("voice_e2e_latency_seconds_count") > 0)

    def until(self, condition: Callable[[], bool]) -> float:
        """Wait for a condition and return how many seconds it came after the start."""
        while not condition():
            if time.monotonic() > self._began + _GIVE_UP_S:
                raise TimeoutError(f"not within {_GIVE_UP_S:g} s:\n{self.container.logs()}")
            time.sleep(0.02)
        return time.monotonic() - self._began

    def _count(self, series: str) -> float:
        status, page = self.get("/metrics")
        return value(page, series) if status == http.HTTPStatus.OK else 0.0

    def store_up(self) -> float:
        """Return whether the ledger is on disk."""
        return value(self.get("/metrics")[1], "voice_store_up")


def main() -> int:
    """Run the bench and return the exit status."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--image", default="localhost/voice-exporter")
    options.add_argument("--starts", type=int, default=STARTS, metavar="N")
    given = options.parse_args()
    report = Report()
    with truth_stage(report.say) as stage:
        stage.folder.chmod(0o755)  # other users read the configuration
        figures = report.figures(given.image)
        bench = Bench(given.image, stage.server, stage.folder)
        _size(figures, given.image)
        _starts(figures, bench, given.starts)
        _work(figures, bench)
        _stranger(figures, bench)
        figures.show()
    return 0 if report.held else 1


def _size(figures: Figures, image: str) -> None:
    base, *own = layers(image)
    figures.add("base", 1, f"{base / 1e6:.0f} MB")
    figures.add("exporter and its dependencies", 1, f"{sum(own) / 1e6:.0f} MB")
    figures.add("all of it, by gzip", 1, f"{compressed_bytes(image) / 1e6:.0f} MB")


def _starts(figures: Figures, bench: Bench, number: int) -> None:
    """Start and stop it as a user id that the image does not know."""
    ready, stops, exits = [], [], set()
    for _ in range(number):
        with bench.exporter(*ARBITRARY) as exporter:
            ready.append(exporter.until_ready())
            stops.append(exporter.container.stop())
            exits.add(exporter.container.exit_code())
    figures.check(
        "podman run to /-/ready, median (max)",
        number,
        f"{statistics.median(ready):.1f} s ({max(ready):.1f} s)",
        bound=f"<= {READY_S:g} s",
        holds=max(ready) <= READY_S,
    )
    figures.check(
        "SIGTERM to the end, median (max)",
        number,
        f"{statistics.median(stops):.1f} s ({max(stops):.1f} s)",
        bound=f"<= {STOP_S:g} s",
        holds=max(stops) <= STOP_S,
    )
    told = ", ".join(map(str, sorted(map(str, exits))))
    figures.check("exit status", number, told, bound="0", holds=exits == {0})


def _work(figures: Figures, bench: Bench) -> None:
    """Let it call an agent, look at it, and stop it in the middle of a call."""
    with bench.exporter(*ARBITRARY) as exporter:
        called_s = exporter.until_called()
        figures.add("podman run to a measured turn", 1, f"{called_s:.1f} s")
        figures.check(
            "ledger on disk", 1, f"{exporter.store_up():g}", bound="1", holds=exporter.store_up()
        )
        healthy = exporter.container.execute("voice-exporter-healthcheck", exporter.url)
        figures.check("health check, exit status", 1, str(healthy), bound="0", holds=healthy == 0)
        wrong = exporter.container.execute("voice-exporter-healthcheck", "http://127.0.0.1:9/")
        figures.check("health check of nobody", 1, str(wrong), bound="1", holds=wrong == 1)
        memory = exporter.container.memory_bytes() / 1e6
        figures.add("memory after a call, all processes (PSS)", 1, f"{memory:.0f} MB")
        stopped_s = exporter.container.stop()
        figures.check(
            "SIGTERM to the end, after calls",
            1,
            f"{stopped_s:.1f} s",
            bound=f"<= {STOP_S:g} s",
            holds=stopped_s <= STOP_S and exporter.container.exit_code() == 0,
        )


def _stranger(figures: Figures, bench: Bench) -> None:
    """Without a place to write it goes on, and tells so."""
    with bench.exporter(*STRANGER) as exporter:
        exporter.until_called()
        store, healthy = exporter.store_up(), exporter.get("/-/healthy")[0]
        figures.check(
            "a user who may write nothing: ledger on disk, health",
            1,
            f"{store:g}, {healthy}",
            bound="0, 200",
            holds=store == 0 and healthy == http.HTTPStatus.OK,
        )


if __name__ == "__main__":
    sys.exit(main())
