"""The form of the status page that calls an agent now."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.probes.latency.spec import LatencyConfig
from exporter.web.status import Viewer
from tests.unit.calls import DEMO
from tests.unit.web.asking import ELSEWHERE, Site, sources


async def _no_call(*_: object) -> None:
    """Make no call."""


def site(**settings: Any) -> tuple[Site, list[LatencyConfig], list[Viewer]]:
    """Return a site that calls the demo, who was called, and who was shown the page."""
    called: list[LatencyConfig] = []
    viewers: list[Viewer] = []

    def page(viewer: Viewer) -> Callable[[], str]:
        viewers.append(viewer)
        return lambda: "<p>status</p>"

    parts = {"call": _no_call, "call_soon": called.append, "status_page": page}
    return Site(sources(targets=lambda: (DEMO,), **parts), **settings), called, viewers


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({}, 303),
        ({"headers": {"Origin": "http://127.0.0.1:9465"}}, 303),
        ({"headers": {"Origin": "http://a.example"}}, 403),
        ({"headers": {"Origin": "null"}}, 403),
        ({"headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ({"client": ELSEWHERE}, 403),
    ],
)
def test_only_who_may_write_calls(options: dict[str, Any], status: int) -> None:
    """No page of another site makes a call; who may, is sent back to the status page."""
    asked, called, _ = site()
    answer = asked.ask("POST", "/call?target=demo", **options)
    assert (answer.status_code, len(called)) == (status, status == 303)
    if status == 303:
        assert answer.headers["location"] == "./"


def test_who_is_no_target_is_not_called() -> None:
    """404, and a GET calls nobody."""
    asked, called, _ = site()
    assert asked.ask("POST", "/call?target=other").status_code == 404
    assert asked.ask("GET", "/call?target=demo").status_code == 405
    assert called == []


def test_the_form_is_offered_to_whom_it_would_be_allowed() -> None:
    """Not from elsewhere, and not where a token is needed, which a form cannot send."""
    asked, _, viewers = site()
    asked.ask("GET", "/")
    asked.ask("GET", "/", client=ELSEWHERE)
    other, _, others = site(token="a-token-of-the-test")  # noqa: S106 - made up
    other.ask("GET", "/")
    assert [viewer.may_call for viewer in (*viewers, *others)] == [True, False, False]
