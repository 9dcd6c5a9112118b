"""Every HTTP endpoint against requests that nobody would think of, made from its own document."""

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from exporter.calls.families import figures
from exporter.web.app import OPENAPI, make_pages
from tests import plain_http
from tests.integration.from_elsewhere import TOKEN
from tests.integration.serving import Serving
from tests.patience import WAIT_S
from tests.unit.web.asking import sources
from tests.unit.web.test_webhook import Receiver, signed

LONG = settings.get_current_profile_name() == "long"
EXAMPLES = settings().max_examples if LONG else 20
"""Of each endpoint. Each is a request with all that schemathesis checks of its answer."""
pytestmark = [pytest.mark.long] if LONG else []


OPERATIONS = {
    "/": ["get"],
    "/call": ["post"],
    "/webhook/livekit": ["post"],
    "/metrics": ["get"],
    "/-/healthy": ["get"],
    "/-/ready": ["get"],
    "/-/reload": ["post"],
    "/probe": ["get"],
    "/runs/last": ["get"],
    "/runs/{run_id}": ["get"],
    "/api/v1/workers": ["get"],
    "/api/v1/workers/{worker_id}/heartbeat": ["post"],
    "/api/v1/targets": ["get"],
    "/api/v1/runs": ["get"],
    "/api/v1/runs/{run_id}": ["get"],
    "/api/v1/runs/{run_id}/sound": ["get"],
    "/api/v1/ramps": ["post"],
    "/api/v1/turns": ["post"],
}
"""Every endpoint: its path, and its methods."""
ENDPOINTS = [f"{method} {path}" for path, methods in OPERATIONS.items() for method in methods]


@pytest.fixture(name="made", scope="module")
def _made() -> dict[str, Any]:
    """What schemathesis makes requests of, by the names of the endpoints.

    It is imported here alone: that takes a second of each process that collects the tests.
    """
    from schemathesis import openapi  # noqa: PLC0415 - see above
    from schemathesis.core.result import Ok  # noqa: PLC0415

    schema = openapi.from_dict(make_pages(sources()).openapi())
    # Its modules are compiled here: within hypothesis, which moves the limit of recursion, CPython
    # 3.11 may refuse to ("AST constructor recursion depth mismatch").
    assert schema.transport is not None
    found = (each.ok() for each in schema.get_all_operations() if isinstance(each, Ok))
    return {f"{each.method} {each.path}": each for each in found}


@pytest.fixture(name="serving", scope="module")
def _serving() -> Iterator[Serving]:
    import_module("livekit.api")  # which the first webhook would load: see `made`
    with Serving(token=TOKEN) as serving:
        assert plain_http.get(serving.url("/-/healthy")).status_code == 200  # it is put together
        yield serving
        assert plain_http.get(serving.url("/-/healthy")).status_code == 200


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_request_breaks(endpoint: str, made: dict[str, Any], serving: Serving) -> None:
    """Every answer is one that the document has; nonsense is refused; nothing fails."""
    from schemathesis.checks import positive_data_acceptance  # noqa: PLC0415 - see `made`

    # By hypothesis itself: the plugin of schemathesis would be imported by every run of pytest.
    @given(case=made[endpoint].as_strategy())
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    def send(case: Any) -> None:
        case.call_and_validate(
            base_url=serving.url(),
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=WAIT_S,
            # No schema says all that a model refuses: that a text is printable, or an IP address.
            excluded_checks=[positive_data_acceptance],
        )

    send()


def test_no_signed_event_breaks(
    made: dict[str, Any], serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the server signs is taken, or is no event; each call has figures at its end."""
    receiver = Receiver()
    monkeypatch.setattr(serving.behind, "take", receiver.calls.take)
    taken = 0

    @given(case=made["post /webhook/livekit"].as_strategy())
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    def send(case: Any) -> None:
        nonlocal taken
        body = json.dumps(case.body, default=repr).encode()
        headers = {"Content-Type": "application/webhook+json", "Authorization": signed(body)}
        url = serving.url("/webhook/livekit")
        answer = plain_http.post(url, content=body, headers=headers)
        assert answer.status_code in {204, 400}, (body, answer.text)
        taken += answer.status_code == 204

    send()
    receiver.calls._calls._clock = lambda: 1e12
    ended, lost = receiver.calls._calls.close_due()
    shown = [each for call in (*ended, *lost) for each in figures(call, 10)]
    assert taken
    assert all(each.value >= 0 for each in shown)


def test_every_endpoint_is_in_the_document(serving: Serving) -> None:
    """So nothing that is served goes without a test above."""
    document = plain_http.get(serving.url(OPENAPI)).json()
    served = {path: sorted(operations) for path, operations in document["paths"].items()}
    assert served == OPERATIONS
