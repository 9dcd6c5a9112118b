"""Every HTTP endpoint against requests that nobody would think of, made from its own document."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import positive_data_acceptance

from exporter.web.app import OPENAPI, make_pages
from tests import plain_http
from tests.integration.from_elsewhere import TOKEN
from tests.integration.serving import Serving
from tests.unit.web.asking import sources

# schemathesis gives all of these tests one id under pytest 9.2, and pytest-xdist runs an id once.
pytestmark = pytest.mark.whole_machine

EXAMPLES = 40
"""Requests for each endpoint; always the same ones."""


@pytest.fixture(name="serving", scope="module")
def _serving() -> Iterator[Serving]:
    with Serving(token=TOKEN) as serving:
        yield serving
        assert plain_http.get(serving.url("/-/healthy")).status_code == 200


schema = schemathesis.openapi.from_dict(make_pages(sources()).openapi())


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_it(case: schemathesis.Case[Any], serving: Serving) -> None:
    """Every answer is one that the document has; what makes no sense is refused; nothing fails."""
    case.call_and_validate(
        base_url=serving.url(),
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=10,
        # No schema says all that a model refuses: that a text is printable, or an IP address.
        excluded_checks=[positive_data_acceptance],
    )


def test_every_endpoint_is_in_the_document(serving: Serving) -> None:
    """So nothing that is served goes without the test above."""
    document = plain_http.get(serving.url(OPENAPI)).json()
    assert {path: sorted(operations) for path, operations in document["paths"].items()} == {
        "/": ["get"],
        "/metrics": ["get"],
        "/-/healthy": ["get"],
        "/-/ready": ["get"],
        "/-/reload": ["post"],
        "/probe": ["get"],
        "/api/v1/workers": ["get"],
        "/api/v1/workers/{worker_id}/heartbeat": ["post"],
        "/api/v1/targets": ["get"],
        "/api/v1/runs": ["get"],
        "/api/v1/runs/{run_id}": ["get"],
    }
