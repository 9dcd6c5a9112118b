"""The production checklist on real servers, whole and with faults."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.livekit_server import LiveKitServer, Ports, free_ports
from exporter.outcome import Verdict
from exporter.probe import ROOM_PREFIX
from exporter.probes.preflight.spec import CHECKS, Checked
from exporter.probes.preflight.verdicts import judge_way
from exporter.probes.preflight.ways import TimedWays
from exporter.probes.preflight.webhook import WITHIN_S, OfExporter
from exporter.probes.reach.measure import read_certificate
from exporter.roster.collector import CollectorConfig
from exporter.rtc.signalling import join_and_leave
from exporter.server_api import Server, ServerApi, make_token
from tests import patience
from tests.certificates import Certificates
from tests.command import run_here
from tests.integration.exporters import Start
from tests.integration.test_reach import Relaying
from tests.turn_server import TurnServer, require_turn, turn_server

pytestmark = pytest.mark.integration
_ALLOWED_S = 20.0
"""For a way of media; where there is none, all of it passes."""


class WithoutTcp(LiveKitServer):
    """A server of development mode that takes no media by TCP: keys that everybody knows."""

    def _configuration(self, ports: Ports) -> str:
        config = yaml.safe_load(super()._configuration(ports))
        config["rtc"]["tcp_port"] = 0
        config["keys"] = {"devkey": "secret"}
        return str(yaml.safe_dump(config))


class WithTurn(LiveKitServer):
    """A server that offers a TURN server of its own host."""

    turn: TurnServer

    def _configuration(self, ports: Ports) -> str:
        config = yaml.safe_load(super()._configuration(ports))
        config["rtc"]["turn_servers"] = self.turn.offered
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


async def relayed(server: Server) -> dict[str, Checked]:
    """Return the lines of both ways through TURN servers, tried as the checklist does."""
    async with ServerApi(server, timeout_s=patience.WAIT_S) as api:
        await api.create_room("relayed")
        token = make_token(server, identity="first", room="relayed")
        joined = await join_and_leave(server, token, patience.WAIT_S)
        ways = TimedWays(server, "relayed", _ALLOWED_S, joined)
        tried = {"turn_udp": await ways.relay(tls=False), "turn_tls": await ways.relay(tls=True)}
        await api.delete_room("relayed")
    return {check: judge_way(check, way, any_way=True) for check, way in tried.items()}


def test_turn_by_udp_and_tls(livekit_program: ServerProgram, tmp_path: Path) -> None:
    """Media flow by UDP; SDKs trust no private authority for TLS, and the line says so.

    That the port for TLS is open, and its certificate good, is asked apart.
    """
    require_turn()
    certificates = Certificates(tmp_path)
    running = WithTurn(livekit_program, tmp_path)
    with turn_server(tmp_path, certificates) as running.turn, running:
        found = asyncio.run(relayed(running.server))
        port = running.turn.tls_port
        certificate = asyncio.run(
            read_certificate("127.0.0.1", port, patience.WAIT_S, ca_file=str(certificates.ca))
        )
        log = running.turn.log.read_text()
    assert found["turn_udp"].verdict is Verdict.PASS, found
    assert "ALLOCATE processed, success" in log
    assert found["turn_tls"].verdict is Verdict.SLOW, found
    assert "a public authority" in found["turn_tls"].todo
    assert certificate.expires_at, certificate


async def asked(server: Server, url: str, clock: Callable[[], float] = time.monotonic) -> Checked:
    """Make a room, as the checklist does, and return what an exporter says of its webhook."""
    room = f"{ROOM_PREFIX}webhook"
    async with (
        ServerApi(server, timeout_s=patience.WAIT_S) as api,
        aclosing(OfExporter(CollectorConfig(url=url), clock)) as exporter,
    ):
        while not await exporter.begin():  # noqa: ASYNC110 - a busy machine answers late
            await asyncio.sleep(0)
        await api.create_room(room)
        try:
            return await exporter.seen(room, clock())
        finally:
            await api.delete_room(room)


def slowly() -> float:
    """Return a time that goes so slowly that a busy machine is in time."""
    return time.monotonic() * WITHIN_S / patience.WAIT_S


def test_webhook_is_seen_by_a_running_exporter(
    livekit: Server, livekit_program: ServerProgram, tmp_path: Path, start: Start
) -> None:
    """Of a server that sends them to it; of another server it has none, and is asked in vain."""
    address = f"127.0.0.1:{free_ports().signal}"
    hook = f"http://{address}/webhook/livekit"
    with LiveKitServer(livekit_program, tmp_path, webhooks=hook) as running:
        server = running.server
        keys = {"url": server.url, "api_key": server.api_key, "api_secret": server.api_secret}
        rests = {name: {"enabled": False} for name in ("sfu", "reach", "reconnect")}
        config = tmp_path / "exporter.yaml"
        config.write_text(
            yaml.safe_dump({"livekit": keys, "web": {"listen_address": address}, **rests})
        )
        exporter = start("exporter", "serve", "--config", str(config))
        patience.until(lambda: exporter.get("/-/ready").is_success, patience.START_S)
        came = asyncio.run(asked(server, exporter.url, slowly))
        foreign = asyncio.run(asked(livekit, exporter.url))
    assert came.verdict is Verdict.PASS, came
    assert came.measured.startswith("room_started at the exporter, after ")
    assert foreign.verdict is Verdict.FAIL, foreign
    assert "set webhook.urls and webhook.api_key" in foreign.todo


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
