"""The caller's token from a real endpoint: the agent is called by the token alone."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from livekit.api import (
    AccessToken,
    RoomAgentDispatch,
    RoomConfiguration,
    VideoGrants,
)

from exporter.outcome import TokenDanger
from exporter.server_api import Server
from tests.command import run_here
from tests.integration.scripts import Script
from tests.integration.workers import truth_worker

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def truth(livekit: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the worker `by-token`."""
    with truth_worker(livekit, tmp_path_factory.mktemp("truth"), "by-token", idle=1):
        yield livekit


@contextmanager
def endpoint(server: Server) -> Iterator[tuple[str, list[str]]]:
    """Run LiveKit's standard endpoint; yield its URL, and the rooms that it was asked for."""
    rooms: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            rooms.append(asked["room_name"])
            if self.headers["Authorization"] != "Bearer ours":
                self.send_error(401)
                return
            agents = [RoomAgentDispatch(agent_name="by-token", metadata=Script().metadata())]
            token = (
                AccessToken(server.api_key, server.api_secret)
                .with_identity(asked["participant_identity"])
                .with_attributes(asked["participant_attributes"])
                .with_grants(VideoGrants(room_join=True, room=rooms[-1], room_admin=True))
                .with_room_config(RoomConfiguration(agents=agents))
                .with_ttl(timedelta(hours=48))
            )
            answer = {"server_url": server.url, "participant_token": token.to_jwt()}
            self.send_response(201)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/token", rooms
        finally:
            http.shutdown()
            thread.join()


def test_a_call_by_the_token_of_an_endpoint(truth: Server, tmp_path: Path) -> None:
    """Its room configuration calls the agent; time and dangerous claims are in the document."""
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer ours")
    with endpoint(truth) as (url, rooms):
        flags = ["--token-url", url, "--dispatch", "token", "--trials", "1", "--no-warmup"]
        flags += ["--greeting", "none", "--token-headers-file", str(headers)]
        _, out, err = run_here(truth, "latency", "--agent", "by-token", *flags, "--json")
    [call] = json.loads(out)["latency"]
    assert call["time_to_agent_s"] > 0, (call, err)
    assert len(call["turns"]) == 1
    token = call["token"]
    assert 0 < token["fetch_s"] < 5
    assert token["dangers"] == [TokenDanger.ROOM_ADMIN, TokenDanger.LONG_LIVED]
    assert token["dispatches"] == ["by-token"]
    assert rooms[0] == f"voice-exporter-{call['run_id']}"
