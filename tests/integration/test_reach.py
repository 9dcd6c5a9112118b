"""Which ways are open, on real servers that offer or refuse them."""

import asyncio
import json
from pathlib import Path

import pytest
import yaml

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.livekit_server import LiveKitServer, Ports, free_ports
from exporter.outcome import Reason, SfuReach
from exporter.probes.reach.spec import ReachConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests.command import run_here

pytestmark = pytest.mark.integration


class Relaying(LiveKitServer):
    """A server whose TURN is on, and may relay to itself."""

    def _configuration(self, ports: Ports) -> str:
        config = yaml.safe_load(super()._configuration(ports))
        config["turn"] = {
            "enabled": True,
            "domain": "localhost",
            "udp_port": free_ports().rtc_udp,
            "bind_addresses": ["127.0.0.1"],
            "allow_restricted_peer_cidrs": ["0.0.0.0/0"],
        }
        return str(yaml.safe_dump(config))


class WithoutUdp(LiveKitServer):
    """A server that offers UDP and answers to no client there, as behind a firewall.

    It ignores media from whoever has asked that very port as a STUN server.
    """

    def _configuration(self, ports: Ports) -> str:
        config = yaml.safe_load(super()._configuration(ports))
        config["rtc"]["stun_servers"] = [f"127.0.0.1:{ports.rtc_udp}"]
        return str(yaml.safe_dump(config))


def ways(server: Server) -> dict[str, bool]:
    """Return which ways work, tried as the daemon does."""

    async def attempt() -> dict[str, bool]:
        runner = Runner(server, processes=1)
        try:
            outcome = await runner.run("reach", ReachConfig())
        finally:
            await runner.aclose()
        assert isinstance(outcome.result, SfuReach), outcome.detail
        return {each.name: each.works for each in outcome.result.transports}

    return asyncio.run(attempt())


def test_turn_is_tried_where_it_is_offered(livekit_program: ServerProgram, tmp_path: Path) -> None:
    """All three ways work through a server that offers them."""
    with Relaying(livekit_program, tmp_path) as running:
        assert ways(running.server) == {"udp": True, "tcp": True, "turn": True}


# A way has eight seconds, of which this one takes most to give up UDP; beside others it took more.
@pytest.mark.whole_machine
def test_blocked_udp_is_named(livekit_program: ServerProgram, tmp_path: Path) -> None:
    """Media go by TCP then: the checklist is SLOW and names the port to open.

    That a baseline says so, too, is held in tests/netlab, where a link blocks UDP.
    """
    with WithoutUdp(livekit_program, tmp_path) as running:
        status, out, err = run_here(running.server, "sfu", "--preflight", "--json")
        config = yaml.safe_load((tmp_path / "livekit.yaml").read_text())
    document = json.loads(out)
    items = {item["check"]: item for item in document["preflight"]}
    port = f"127.0.0.1:{config['rtc']['udp_port']}"
    assert (status, document["verdict"], err) == (1, "SLOW", [])
    assert items["udp"]["verdict"] == "SLOW"
    assert f"open UDP to {port}" in items["udp"]["detail"]
    assert items["tcp"]["verdict"] == "PASS"


def test_unreachable_server() -> None:
    """Without an answer there is one item, and it is FAIL."""
    nowhere = Server("ws://127.0.0.1:1", "k", "s" * 32, "nowhere")
    status, out, _ = run_here(nowhere, "sfu", "--preflight", "--json")
    [item] = json.loads(out)["preflight"]
    assert (status, item["check"], item["verdict"]) == (1, "signal", "FAIL")
    assert item["detail"].startswith(f"{Reason.CONNECT_FAILED}: ")
