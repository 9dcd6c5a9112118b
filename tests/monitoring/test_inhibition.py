"""Which alerts hold others back, asked of a real Alertmanager with the example of alerts/."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import yaml

from tests.monitoring.rules import ALERTS
from tests.monitoring.services import Alertmanager, run_alertmanager
from tests.offenders import every
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


A_TARGET = {"agent_name": "a", "call_type": "c", "scenario": "default"}


def failing(severity: str) -> dict[str, str]:
    """Return the alert about a target that fails."""
    return of("AgentFailing", **A_TARGET, severity=severity)


PAIRS = [
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
    (failing("page"), of("AgentSlow", **A_TARGET), True),
    (failing("page"), of("AgentSlow", **A_TARGET | {"call_type": "d"}), False),
    (failing("page"), of("AgentSlow", **A_TARGET | {"scenario": "noise"}), False),
    (failing("page"), of("SloBurnSlow", agent_name="a", call_type="c"), True),
    (failing("page"), of("SloBurnSlow", agent_name="a", call_type="d"), False),
    (failing("warning"), of("SloBurnFast", agent_name="a", call_type="c"), False),
    (failing("page"), of("AgentSlow", **A_TARGET | {"agent_name": "b"}), False),
    (of("AgentFailing", agent_name="a"), of("AgentNoWorker", agent_name="a"), False),
    (of("AgentNoWorker", agent_name="a"), of("AgentFailing", agent_name="a"), False),
    (of("AgentNoWorker", agent_name="a"), of("DispatchPending", agent_name="a"), True),
    (of("AgentSlow", agent_name="a"), of("AgentFailing", agent_name="a"), False),
    (of("SloBurnFast", call_type="c"), of("SloBurnSlow", call_type="c"), True),
    (of("SloBurnFast", call_type="c"), of("SloBurnSlow", call_type="d"), False),
]
"""An alert that fires, another one of the same server, and whether that one is held back."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two alerts of a server of their own: the pairs share an Alertmanager."""

    source: Labels
    target: Labels
    is_held_back: bool

    def __str__(self) -> str:
        return f"{dict(self.source)} and {dict(self.target)}"


def _pairs() -> Iterator[Pair]:
    for number, (source, target, is_held_back) in enumerate(PAIRS):
        server = f"server {number}"
        of_target = f"{server} other" if "server" in target else server
        yield Pair({**source, "server": server}, {**target, "server": of_target}, is_held_back)


def test_what_is_held_back(alertmanager: Alertmanager) -> None:
    """Only what repeats the other alert, of the same server; never the other way round."""
    pairs = tuple(_pairs())
    begun = datetime.now(UTC).isoformat()
    ours = [labels for pair in pairs for labels in (pair.source, pair.target)]
    alertmanager.take([{"labels": labels, "startsAt": begun} for labels in ours])

    def states() -> dict[frozenset[tuple[str, str]], str]:
        """Return active or suppressed, and unprocessed until it has been looked at."""
        return {
            frozenset(each["labels"].items()): str(each["status"]["state"])
            for each in alertmanager.alerts()
        }

    def is_settled() -> bool:
        """All are looked at, and as many held back as should be: the first look may be early."""
        found = list(states().values())
        held_back = sum(pair.is_held_back for pair in pairs)
        return (
            len(found) == len(ours)
            and "unprocessed" not in found
            and found.count("suppressed") >= held_back
        )

    with suppress(AssertionError):  # what is not as it should be is listed below
        until(is_settled)
    settled = states()

    @every(pairs)
    def rule(pair: Pair) -> None:
        state = settled[frozenset(pair.target.items())]
        assert state == ("suppressed" if pair.is_held_back else "active")

    rule()
