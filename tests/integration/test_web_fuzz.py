"""Every HTTP endpoint against requests that nobody would think of, made from its own document."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import positive_data_acceptance
from schemathesis.core.result import Ok

from exporter.web.app import OPENAPI, make_pages
from tests import plain_http
from tests.integration.from_elsewhere import TOKEN
from tests.integration.serving import Serving
from tests.patience import WAIT_S
from tests.unit.web.asking import sources


@pytest.fixture(name="serving", scope="module")
def _serving() -> Iterator[Serving]:
    with Serving(token=TOKEN) as serving:
        yield serving
        assert plain_http.get(serving.url("/-/healthy")).status_code == 200


schema = schemathesis.openapi.from_dict(make_pages(sources()).openapi())


def no_request_breaks(method: str, path: str) -> Callable[..., None]:
    """Return the test of one endpoint, by as many requests as the profile says."""

    @schema.include(method=method, path=path).parametrize()
    @settings(suppress_health_check=list(HealthCheck))
    def test(case: schemathesis.Case[Any], serving: Serving) -> None:
        """Every answer is one that the document has; nonsense is refused; nothing fails."""
        case.call_and_validate(
            base_url=serving.url(),
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=WAIT_S,
            # No schema says all that a model refuses: that a text is printable, or an IP address.
            excluded_checks=[positive_data_acceptance],
        )

    by_examples: Callable[..., None] = test
    return by_examples


# A name for each: under pytest 9.2, schemathesis gives all tests of one function the same id, and
# of those pytest-xdist runs the first only.
for found in schema.get_all_operations():
    assert isinstance(found, Ok), found
    endpoint = found.ok()
    name = re.sub(r"\W+", "_", f"test_no_request_breaks_{endpoint.method}_{endpoint.path}")
    assert name not in globals(), name
    globals()[name] = no_request_breaks(endpoint.method, endpoint.path)


def test_every_endpoint_is_in_the_document(serving: Serving) -> None:
    """So nothing that is served goes without a test above."""
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
