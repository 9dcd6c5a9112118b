"""The LiveKit server API: rooms, participants, dispatches, tokens.

The only place that knows how this project talks to that API, and the border at which its errors
become `ProbeError`.
"""

from exporter.server_api.client import (
    ParticipantKind,
    ServerApi,
    delete_rooms,
    make_token,
)
from exporter.server_api.server import Server

__all__ = ["ParticipantKind", "Server", "ServerApi", "delete_rooms", "make_token"]
