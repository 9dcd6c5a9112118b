"""The /metrics page, rendered anew only where something changed.

The client library renders a series in some ten microseconds, at every scrape, although most are
the same as at the last one. Here the text of a metric is kept until the metric changes. Metrics
with a series for every worker of a fleet change all the time, a few series at once: they keep
the text of each series, and are only put together.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder as choose_library_encoder
from prometheus_client.registry import Collector

_END = b"# EOF\n"
"""The last line of OpenMetrics."""
_OPENMETRICS = "application/openmetrics-text"
_OPENMETRICS_VERSIONS = ("", "1.0.0")
"""Those that a client may ask for by that type; none means the same."""

Encoder = Callable[[CollectorRegistry], bytes]


class ReadyText(Protocol):
    """Metrics that keep their text ready. They are gauges, which both formats write the same."""

    def text(self) -> str:
        """Return whole families: HELP, TYPE and samples. Called in another thread."""


class PageRegistry(CollectorRegistry):
    """A registry that keeps the text of its metrics. Rendered by one thread at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.ready: list[ReadyText] = []
        self._versions: dict[Collector, Callable[[], int] | None] = {}
        self._texts: dict[tuple[Collector, str], tuple[int, bytes]] = {}

    def register(self, collector: Collector) -> None:
        """Add a collector, which is rendered at every scrape."""
        super().register(collector)
        self._versions[collector] = None

    def keep_text(self, collector: Collector, version: Callable[[], int]) -> None:
        """Render a collector that is registered only when its version has changed.

        Args:
            collector: Is registered.
            version: Changes after every change of the collector.
        """
        self._versions[collector] = version

    def render(self, encode: Encoder, content_type: str) -> bytes:
        """Return the page, in the order of registration, without an end."""
        parts = [self._text(collector, encode, content_type) for collector in list(self._versions)]
        parts += [each.text().encode() for each in self.ready]
        return b"".join(parts)

    def _text(self, collector: Collector, encode: Encoder, content_type: str) -> bytes:
        version_of = self._versions[collector]
        if version_of is None:
            return encode(_Only(collector)).removesuffix(_END)
        # Read first: what changes while it is rendered is rendered again.
        version = version_of()
        kept = self._texts.get((collector, content_type))
        if kept is None or kept[0] != version:
            kept = version, encode(_Only(collector)).removesuffix(_END)
            self._texts[collector, content_type] = kept
        return kept[1]


class _Only(CollectorRegistry):
    """A registry of one collector, which is registered elsewhere."""

    def __init__(self, collector: Collector) -> None:
        super().__init__()
        self._only = collector

    def collect(self) -> Iterator[Metric]:
        yield from self._only.collect()


def choose_encoder(accept: str) -> tuple[Encoder, str]:
    """Return how to render a registry for a header `Accept`, and the content type of that.

    There are two: the text format, and OpenMetrics 1.0.0 where it is asked for.
    """
    # Never the client's own words: the library takes any version into the content type, by which
    # pages are kept, and fails where it is no number.
    is_openmetrics = any(map(_asks_for_openmetrics, accept.split(",")))
    asked = f"{_OPENMETRICS};version=1.0.0" if is_openmetrics else ""
    encode_library, content_type = choose_library_encoder(asked)

    def encode(registry: CollectorRegistry) -> bytes:
        if not isinstance(registry, PageRegistry):
            return bytes(encode_library(registry))
        end = _END if is_openmetrics else b""
        return registry.render(encode_library, content_type) + end

    return encode, content_type


def _asks_for_openmetrics(part: str) -> bool:
    """Return whether one part of a header `Accept` asks for it, in a version that we have."""
    kind, *parameters = (text.strip() for text in part.split(";"))
    pairs = (text.partition("=")[::2] for text in parameters)
    version = next((value for name, value in pairs if name == "version"), "")
    return kind == _OPENMETRICS and version.strip('"') in _OPENMETRICS_VERSIONS
