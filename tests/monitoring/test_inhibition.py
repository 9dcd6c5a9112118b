"""Which alerts hold others back, asked of a real Alertmanager with the example of alerts/."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest
import yaml

from tests.monitoring.rules import ALERTS
from tests.monitoring.services import Alertmanager, run_alertmanager
from tests.patience import until

Labels = Mapping[str, str]


@pytest.fixture(scope="module", name="alertmanager")
def _alertmanager(
    prometheus_programs: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Alertmanager]:
    """One that holds back as the example says, and tells nobody."""
    content = yaml.safe_load((ALERTS / "alertmanager.yaml").read_text("utf-8"))
    content["receivers"] = [{"name": each["name"]} for each in content["receivers"]]
    with run_alertmanager(tmp_path_factory.mktemp("inhibition"), content) as running:
        yield running


def down(scope: str) -> dict[str, str]:
    """Return the alert about an exporter that is down."""
    return {"alertname": "VoiceExporterDown", "instance": "a:9465", "scope": scope}


def of(name: str, **labels: str) -> dict[str, str]:
    """Return an alert."""
    return {"alertname": f"Voice{name}", **labels}


@pytest.mark.parametrize(
    ("source", "target", "is_held_back"),
    [
        (down("server"), of("AgentFailing", agent_name="a"), True),
        (down("server"), of("SloBurnFast", agent_name="a", call_type="c"), True),
        (down("server"), of("RoomNeverCloses"), True),
        (down("server"), of("Watchdog"), False),
        (down("server"), of("AgentFailing", agent_name="a", server="other"), False),
        (down("instance"), of("AgentFailing", agent_name="a"), False),
        (down("instance"), of("StoreDown", instance="a:9465"), True),
        (down("instance"), of("StoreDown", instance="b:9465"), False),
        (of("ExporterWedged", instance="a:9465"), of("ProbeStale", instance="a:9465"), True),
        (of("ExporterWedged", instance="a:9465"), of("ProbeStale", instance="b:9465"), False),
        (of("SfuDown", vantage="v"), of("AgentFailing", agent_name="a"), True),
        (of("SfuDown"), of("ExporterDown", instance="a:9465", scope="server"), False),
        (of("AgentFailing", agent_name="a"), of("AgentSlow", agent_name="a"), True),
        (of("AgentFailing", agent_name="a"), of("SloBurnSlow", agent_name="a"), True),
        (of("AgentFailing", agent_name="a"), of("AgentSlow", agent_name="b"), False),
        (of("AgentFailing", agent_name="a"), of("AgentNoWorker", agent_name="a"), False),
        (of("AgentNoWorker", agent_name="a"), of("AgentFailing", agent_name="a"), False),
        (of("AgentNoWorker", agent_name="a"), of("DispatchPending", agent_name="a"), True),
        (of("AgentSlow", agent_name="a"), of("AgentFailing", agent_name="a"), False),
        (of("SloBurnFast", call_type="c"), of("SloBurnSlow", call_type="c"), True),
        (of("SloBurnFast", call_type="c"), of("SloBurnSlow", call_type="d"), False),
    ],
)
def test_what_is_held_back(
    request: pytest.FixtureRequest,
    alertmanager: Alertmanager,
    source: Labels,
    target: Labels,
    is_held_back: bool,
) -> None:
    """Only what repeats the other alert, of the same server; never the other way round."""
    server = request.node.name  # of its own: the tests share an Alertmanager
    ours = [{"server": server, **source}, {"server": server, **target}]
    if "server" in target:
        ours[1]["server"] = f"{server} other"
    begun = datetime.now(UTC).isoformat()
    alertmanager.take([{"labels": labels, "startsAt": begun} for labels in ours])

    def state(labels: Labels) -> str:
        """Return active or suppressed, and unprocessed until it has been looked at."""
        found = [each for each in alertmanager.alerts() if each["labels"] == labels]
        return str(found[0]["status"]["state"]) if found else "unprocessed"

    def is_settled() -> bool:
        return all(state(labels) != "unprocessed" for labels in ours)

    until(is_settled, what="both alerts looked at")
    if is_held_back:
        until(lambda: state(ours[1]) == "suppressed", what="the alert held back")
    assert state(ours[1]) == ("suppressed" if is_held_back else "active")
