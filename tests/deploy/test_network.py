"""The livekit-server of the compose file, in a network of its own as a container has it.

Nobody tells it an address: it has to find the right one, and may ask nobody outside.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.processes import Child
from exporter.server_api import Server
from tests.deploy.compose import ROOT
from tests.netlab.conftest import lab, laboratory_possible
from tests.netlab.lab import NetLab
from tests.netlab.livekit import credentials
from tests.patience import START_S, until

pytestmark = pytest.mark.integration
__all__ = ["lab", "laboratory_possible"]

DEPLOY = ROOT / "deploy"
NAME = "livekit"
"""Of the service; the laboratory has no names, so its address takes the place."""


@pytest.fixture(name="server")
def _server(lab: NetLab, livekit_program: ServerProgram, tmp_path: Path) -> Iterator[Server]:
    """A server with deploy/livekit.yaml and keys by deploy/make-keys.sh, at the far end."""
    assert livekit_program.path is not None
    lab.server.run(["sh", DEPLOY / "make-keys.sh", tmp_path])
    text = (DEPLOY / "livekit.yaml").read_text("utf-8")
    text = text.replace(f'"{NAME}:', f'"{lab.server.address}:').replace(
        "/run/livekit-keys", str(tmp_path)
    )
    (tmp_path / "livekit.yaml").write_text(text)
    port = yaml.safe_load(text)["port"]
    command = [str(livekit_program.path), "--config", str(tmp_path / "livekit.yaml")]
    child = Child(NAME, [*lab.server.entrance, *command], log=tmp_path / "livekit.log")

    def answers() -> bool:
        assert child.exit_code is None, child.obituary()
        try:
            lab.client.connect((lab.server.address, port), 1.0).close()
        except OSError:
            return False
        return True

    try:
        until(answers, START_S, "a livekit-server that can be reached")
        yield Server(
            url=f"ws://{lab.server.address}:{port}",
            api_key=(tmp_path / "api_key").read_text(),
            api_secret=(tmp_path / "api_secret").read_text(),
        )
    finally:
        child.stop(2.0)


def test_media_go_by_both_ways(lab: NetLab, server: Server) -> None:
    """From another address, audio gets through by UDP and by TCP, and nobody else is needed."""
    command = [sys.executable, "-m", "exporter", "sfu", "--preflight", "--json"]
    done = lab.client.run(command, environ=os.environ | credentials(server), limit_s=120)
    told = json.loads(done.stdout)
    found = {each["check"]: each["verdict"] for each in told["preflight"]}
    assert (found["udp"], found["tcp"]) == ("PASS", "PASS"), done.stdout
