"""A real livekit-server at the far end of the link."""

from pathlib import Path

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.livekit_server import LiveKitServer, Place
from exporter.server_api import Server
from tests.netlab.lab import NetLab


def livekit_behind(lab: NetLab, program: ServerProgram, folder: Path) -> LiveKitServer:
    """Return a livekit-server that can be reached only over the laboratory's link, not started.

    Args:
        lab: An open laboratory.
        program: What to run; docker has namespaces of its own and will not do.
        folder: Takes its configuration and its log.

    Raises:
        RuntimeError: The program is docker.
    """
    if program.path is None:
        raise RuntimeError("the network laboratory needs a livekit-server that is not in docker")
    place = Place(lab.server.address, lab.server.entrance, lab.server.connect)
    return LiveKitServer(program, folder, name="behind-the-link", place=place)


def credentials(server: Server) -> dict[str, str]:
    """Return the variables by which a command finds the server."""
    return {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
