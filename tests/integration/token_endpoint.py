"""An application's endpoint that gives callers their tokens."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from livekit.api import AccessToken, RoomAgentDispatch, RoomConfiguration, VideoGrants

from exporter.server_api import Server
from tests.integration.scripts import Script


@contextmanager
def endpoint(server: Server, agent_name: str) -> Iterator[tuple[str, list[str]]]:
    """Run LiveKit's standard endpoint; yield its URL, and the rooms that it was asked for.

    Its tokens call that agent, may administer their room, and are valid for two days.
    """
    rooms: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            rooms.append(asked["room_name"])
            if self.headers["Authorization"] != "Bearer ours":
                self.send_error(401)
                return
            agents = [RoomAgentDispatch(agent_name=agent_name, metadata=Script().metadata())]
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
