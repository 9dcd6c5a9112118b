"""A livekit-server that goes away and comes back under a running exporter."""

from pathlib import Path

import pytest
import yaml

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.livekit_server import LiveKitServer
from tests.integration.exporters import Exporter, Start, value
from tests.patience import until

pytestmark = pytest.mark.integration

INTERVAL_S = 1
LISTED = 'voice_probe_success{{agent_name="",probe="agents",server="{}"}}'
VERDICT = (
    'voice_verdict{{agent_name="",call_type="",check="agents",scenario="",server="{}",'
    'vantage="default",verdict="{}"}}'
)
FAILED = (
    'voice_probe_failures_total{{agent_name="",call_type="",probe="agents",reason="{}",'
    'scenario="",server="{}"'
)


def test_outage_is_one_state_and_over_by_itself(
    livekit_program: ServerProgram, start: Start, tmp_path: Path
) -> None:
    """1. The server goes. 2. Many listings fail. 3. It is back.

    Result: one verdict says so, one line for each probe, and the next listing is good.
    """
    folder = tmp_path / "livekit"
    folder.mkdir()
    with LiveKitServer(livekit_program, folder) as livekit:
        exporter, name = _watch(livekit, start, tmp_path)
        until(lambda: value(_page(exporter), LISTED.format(name)) == 1)

        livekit.stop()
        until(lambda: value(_page(exporter), VERDICT.format(name, "FAIL")) == 1)
        failures = FAILED.format("connect_failed", name)
        until(lambda: value(_page(exporter), failures) >= 3)
        told = [line for line in exporter.text().splitlines() if "run failed" in line]
        assert sum("probe=agents" in line for line in told) == 1, told
        assert exporter.get("/-/healthy").status_code == 200  # it is not the exporter's fault

        livekit.start()
        until(lambda: value(_page(exporter), VERDICT.format(name, "PASS")) == 1)
        assert "failed_before=" in exporter.text()


def _watch(livekit: LiveKitServer, start: Start, folder: Path) -> tuple[Exporter, str]:
    server = livekit.server
    config = {
        "livekit": {
            "url": server.url,
            "api_key": server.api_key,
            "api_secret": server.api_secret,
        },
        "web": {"listen_address": "127.0.0.1:0"},
        "agents": {"interval": INTERVAL_S},
        "sfu": {"enabled": False},
        "store": {"folder": str(folder / "state")},
    }
    file = folder / "exporter.yaml"
    file.write_text(yaml.safe_dump(config))
    return start("exporter", "serve", "--config", str(file)), server.url.removeprefix("ws://")


def _page(exporter: Exporter) -> str:
    return exporter.get("/metrics").text
