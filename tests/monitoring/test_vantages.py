"""Exporters at different vantages that watch one server, in one Prometheus; all of it is real."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from exporter.server_api import Server
from tests.integration.exporters import Exporter, exporters
from tests.monitoring.services import Prometheus, run_prometheus
from tests.monitoring.site import JOB
from tests.patience import AT_EASE, until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("prometheus_programs")]

TARGETS_MS = {"iad": 10_000.0, "fra": 0.001}
"""The round trip that each vantage is content with: one always is, one never."""
TOO_SLOW = """
max by (server, vantage) (
  voice_sfu_rtt_ms > on (job, instance, server, vantage) voice_sfu_target_rtt_ms
)
"""
"""As the alert VoiceSfuSlow asks it."""
COMES_WITHIN_S = 120.0


@pytest.fixture(name="prometheus")
def _prometheus(livekit: Server, tmp_path: Path) -> Iterator[Prometheus]:
    """Yield a Prometheus with our rules that scrapes an exporter at each vantage."""
    with ExitStack() as running:
        addresses = []
        for vantage, target_ms in TARGETS_MS.items():
            folder = tmp_path / vantage
            folder.mkdir()
            start = running.enter_context(exporters(folder))
            exporter: Exporter = start(
                "exporter", "serve", "--config", _configuration(livekit, folder, vantage, target_ms)
            )
            addresses.append(exporter.url.removeprefix("http://"))
        scrape = {"job_name": JOB, "static_configs": [{"targets": addresses}]}
        configuration = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [scrape],
        }
        yield running.enter_context(run_prometheus(tmp_path, configuration))


def _configuration(server: Server, folder: Path, vantage: str, target_ms: float) -> str:
    file = folder / "exporter.yaml"
    off = {"enabled": False}
    content = {
        "livekit": {"url": server.url, "api_key": server.api_key, "api_secret": server.api_secret},
        "web": {"listen_address": "127.0.0.1:0"},
        "sfu": {
            "vantage": vantage,
            "interval": "10s",
            "packets": 50,
            **AT_EASE,
            "target_rtt_ms": target_ms,
        },
        "reach": off,
        "reconnect": off,
        "calibrate": {"interval": "1d", "calls": 1, "trials": 1},
        "store": off,
    }
    file.write_text(yaml.safe_dump(content))
    return str(file)


@pytest.mark.long
def test_each_vantage_has_series_of_its_own(prometheus: Prometheus) -> None:
    """Result: one server, two vantages, each on its own exporter, and one of them too slow."""
    until(
        lambda: len(prometheus.ask("voice_sfu_rtt_ms").series) == len(TARGETS_MS),
        COMES_WITHIN_S,
        "the round trip from each vantage",
    )
    found = [each.labels for each in prometheus.ask("voice_sfu_rtt_ms").series]
    assert {labels["vantage"] for labels in found} == set(TARGETS_MS)
    assert len({labels["instance"] for labels in found}) == len(TARGETS_MS)
    assert len({labels["server"] for labels in found}) == 1
    assert set(prometheus.label_values("vantage", "voice_sfu_rtt_ms")) == set(TARGETS_MS)

    slow = prometheus.ask(TOO_SLOW).series
    assert [each.labels["vantage"] for each in slow] == ["fra"]
    verdicts = prometheus.ask('voice_verdict{check="sfu"} == 1').series
    of_instance = {each.labels["instance"]: each.labels["verdict"] for each in verdicts}
    (instance,) = (labels["instance"] for labels in found if labels["vantage"] == "fra")
    assert of_instance.pop(instance) == "SLOW"
    assert list(of_instance.values()) == ["PASS"]
