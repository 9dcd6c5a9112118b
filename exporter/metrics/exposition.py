"""The /metrics page, for a registry of which some metrics keep their text ready.

The client library renders a series in some microseconds, each time. Where there is a series for
every worker of a fleet, that is too long for a scrape, and almost all of them are the same as at
the last one: such metrics render themselves when they change, and here they are put together.
"""

from collections.abc import Callable
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder as choose_library_encoder

_END = b"# EOF\n"
"""The last line of OpenMetrics."""


class ReadyText(Protocol):
    """Metrics that keep their text ready. They are gauges, which both formats write the same."""

    def text(self) -> str:
        """Return whole families: HELP, TYPE and samples. Called in another thread."""


class PageRegistry(CollectorRegistry):
    """A registry that also knows metrics which keep their text ready."""

    def __init__(self) -> None:
        super().__init__()
        self.ready: list[ReadyText] = []


Encoder = Callable[[CollectorRegistry], bytes]


def choose_encoder(accept: str) -> tuple[Encoder, str]:
    """Return how to render a registry for a header `Accept`, and the content type of that."""
    encode_library, content_type = choose_library_encoder(accept)

    def encode(registry: CollectorRegistry) -> bytes:
        body: bytes = encode_library(registry)
        ready = registry.ready if isinstance(registry, PageRegistry) else []
        more = b"".join(each.text().encode() for each in ready)
        return body.removesuffix(_END) + more + _END if body.endswith(_END) else body + more

    return encode, content_type
