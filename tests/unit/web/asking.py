"""Asking the application without a network."""

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry
from pydantic._internal import _fields

from exporter.metrics.registry import Metrics
from exporter.metrics.table import ROWS
from exporter.web.app import make_app
from exporter.web.refusals import Refusals
from exporter.web.settings import WebSettings
from exporter.web.sources import Sources
from exporter.web.web_config import WebConfigWatch

# Each test has an application of its own, and each reads the source of its types for the document:
# half the time of these tests. In a run it cannot change.
_fields.extract_docstrings_from_cls = functools.cache(  # type: ignore[attr-defined,assignment] # pydantic's own
    _fields.extract_docstrings_from_cls  # type: ignore[attr-defined] # as above
)

HERE = ("127.0.0.1", 50000)
ELSEWHERE = ("192.0.2.7", 50000)
"""An address of the documentation's own network."""
_REFUSED = "voice_exporter_http_requests_refused_total"


def sources(**parts: Any) -> Sources:
    """Return what the pages show, all well unless told otherwise."""
    whole: dict[str, Any] = {
        "metrics": Metrics(CollectorRegistry(), "sfu", families=()),
        "process": CollectorRegistry(),
        "server_name": "sfu",
        "thresholds": (),
        "not_healthy": lambda: "",
        "not_ready": lambda: "",
        "status_page": lambda _viewer: lambda: "<p>status</p>",
    }
    return Sources(**(whole | parts))


class Site:
    """The application behind its gate, and what it refused."""

    def __init__(
        self, source: Sources | None = None, file: Path | None = None, **settings: Any
    ) -> None:
        self._settings = WebSettings(**settings)
        self.registry = CollectorRegistry()
        families = (ROWS[_REFUSED],)
        self.web_config = WebConfigWatch(file)
        self.refusals = Refusals(Metrics(self.registry, "sfu", families=families))
        self.app = make_app(
            source or sources(), lambda: self._settings, self.web_config, self.refusals
        )

    def use(self, **settings: Any) -> None:
        """Reload other settings."""
        self._settings = WebSettings(**settings)

    def refused(self, reason: str) -> float:
        """Return how many requests were refused for a reason."""
        value = self.registry.get_sample_value(_REFUSED, {"server": "sfu", "reason": reason})
        assert value is not None
        return value

    async def request(
        self,
        method: str,
        path: str,
        *,
        client: tuple[str, int] = HERE,
        host: str = "127.0.0.1:9465",
        **options: Any,
    ) -> httpx.Response:
        """Ask within a running loop."""
        transport = httpx.ASGITransport(self.app, client=client, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
            headers = {"Host": host, **options.pop("headers", {})}
            return await asking.request(method, path, headers=headers, **options)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask once."""
        return asyncio.run(self.request(method, path, **options))


def told(answer: str) -> Callable[[], str]:
    """Return a function that tells this."""
    return lambda: answer
