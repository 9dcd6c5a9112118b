"""That the Alertmanager under test does what the example says, but for times and addresses."""

from typing import Any

import yaml

from tests.monitoring import rules
from tests.paging.scene import alertmanager_configuration

_TIMES = ("group_wait", "group_interval", "repeat_interval")


def without_times(route: dict[str, Any]) -> dict[str, Any]:
    """Return whom a route sends what."""
    kept = {key: value for key, value in route.items() if key not in _TIMES}
    return kept | {"routes": [without_times(each) for each in route.get("routes", ())]}


def test_only_receivers_and_waits_differ() -> None:
    """The same goes to the same receivers and is held back by the same; all are our webhook."""
    example = yaml.safe_load((rules.ALERTS / "alertmanager.yaml").read_text("utf-8"))
    under_test = alertmanager_configuration("http://127.0.0.1:1")
    assert under_test["inhibit_rules"] == example["inhibit_rules"]
    assert without_times(under_test["route"]) == without_times(example["route"])
    assert {each["name"] for each in under_test["receivers"]} == {
        each["name"] for each in example["receivers"]
    }
    urls = [hook["url"] for each in under_test["receivers"] for hook in each["webhook_configs"]]
    assert set(urls) == {"http://127.0.0.1:1"}
