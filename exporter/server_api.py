"""The LiveKit server API: rooms, participants, dispatches, tokens.

The only place that knows how this project talks to that API, and the border at which its errors
become `ProbeError`. The SDK is imported inside the functions: starting the command line must not
pay for it.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Server:
    """A LiveKit server and the credentials for it."""

    url: str
    """ws://, wss://, http:// or https://."""
    api_key: str
    api_secret: str = field(repr=False)
    name: str = ""
    """The label `server`; never holds credentials."""
