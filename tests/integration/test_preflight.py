"""The production checklist on real servers, whole and with faults."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.livekit_server import LiveKitServer, Ports, free_ports
from exporter.probes.preflight.spec import CHECKS
from exporter.server_api import Server
from tests.command import run_here
from tests.integration.test_reach import Relaying

pytestmark = pytest.mark.integration


class WithoutTcp(LiveKitServer):
    """A server of development mode that takes no media by TCP: keys that everybody knows."""

    def _configuration(self, ports: Ports) -> str:
        config = yaml.safe_load(super()._configuration(ports))
        config["rtc"]["tcp_port"] = 0
        config["keys"] = {"devkey": "secret"}
        return str(yaml.safe_dump(config))


def checked(server: Server, *flags: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Return the exit status and every line of the checklist by its check."""
    status, out, _ = run_here(server, "preflight", "--json", *flags)
    return status, {each["check"]: each for each in json.loads(out)["preflight"]}


def verdicts(items: dict[str, dict[str, str]], verdict: str) -> set[str]:
    """Return the checks with that verdict."""
    return {check for check, item in items.items() if item["verdict"] == verdict}


def test_a_server_that_is_well(livekit_program: ServerProgram, tmp_path: Path) -> None:
    """Every check is done and passes, with its own webhook; TLS is left out, as it has none."""
    port = free_ports().signal
    hook = f"http://127.0.0.1:{port}/hook"
    with Relaying(livekit_program, tmp_path, webhooks=hook) as running:
        flags = "--skip", "certificate,turn_tls", "--webhook-listen", f"127.0.0.1:{port}"
        status, items = checked(running.server, *flags)
    left_out = {"certificate", "turn_tls", "token_endpoint"}
    assert [*items] == [each for each in CHECKS if each not in left_out]
    assert all(item["n"] for item in items.values())
    # Round trips and loss are the busy machine's own here; every other check has one answer.
    timed = {"round_trip_udp", "round_trip_tcp", "round_trip_turn", "bandwidth"}
    assert set(items) - verdicts(items, "PASS") <= timed, items
    assert not verdicts(items, "UNKNOWN"), items
    assert status == (0 if len(verdicts(items, "PASS")) == len(items) else 1)


@pytest.mark.long
def test_faults_are_found(livekit_program: ServerProgram, tmp_path: Path) -> None:
    """A closed TCP port, the secret of development mode, and a webhook that nobody sees."""
    with WithoutTcp(livekit_program, tmp_path) as running:
        server = replace(running.server, api_key="devkey", api_secret="secret")  # noqa: S106 - known
        status, items = checked(server)
    assert status == 1
    assert verdicts(items, "FAIL") == {"secret"}
    assert {"tcp", "turn_udp", "turn_tls", "certificate"} <= verdicts(items, "SLOW")
    assert {"webhook", "round_trip_tcp", "round_trip_turn"} <= verdicts(items, "UNKNOWN")
    assert {"signal", "udp_ports", "rights", "expired", "other_room"} <= verdicts(items, "PASS")


def test_a_wrong_secret(livekit: Server) -> None:
    """The server answers and refuses: that is known, and nothing else passes."""
    wrong = replace(livekit, api_secret="not-the-secret-of-this-server-at-all")  # noqa: S106 - wrong
    status, items = checked(wrong)
    assert status == 1
    assert verdicts(items, "FAIL") == {"rights"}
    assert verdicts(items, "PASS") == {"signal", "clock", "secret"}
    assert "refused" in items["udp_ports"]["measured"]
