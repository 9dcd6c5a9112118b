"""Where the web server listens."""

import socket

from exporter.errors import ConfigError
from exporter.web.settings import WebSettings


def listen(web: WebSettings) -> socket.socket:
    """Return a bound socket.

    Raises:
        ConfigError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((web.host, web.port))
        # Listening from here on: on some systems two may bind, but not two may listen.
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"web.listen_address: cannot listen on {web.listen_address}: "
            f"{(error.strerror or str(error)).lower()}; expected a free address of this host"
        ) from None
    return listener
