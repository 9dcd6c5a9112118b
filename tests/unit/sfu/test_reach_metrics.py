"""What becomes of a round over the ways on the /metrics page."""

from datetime import UTC, datetime

from exporter.outcome import Certificate, Outcome, Reason, SfuReach, Transport
from exporter.probes.reach.spec import ReachConfig
from tests.unit.calls import WHEN, judged
from tests.unit.recording import VANTAGE, Page

ENDS = datetime(2027, 1, 1, tzinfo=UTC)


def test_ways_that_work_and_ways_that_do_not() -> None:
    """1 and 0 by transport; all of it is gone once a round fails, for nothing is known then."""
    page = Page(reach=ReachConfig())

    def value(name: str, **labels: str) -> float | None:
        return page.value(name, vantage=VANTAGE, **labels)

    transports = (
        Transport("udp", works=False, offered=()),
        Transport("tcp", works=True, offered=()),
    )
    later = Certificate("h:5349", ENDS.replace(year=2028))
    certificates = later, Certificate("h:443", ENDS)
    result = SfuReach(0.1, "1.13.5", transports, certificates, -3.0, "ams", "ND_1")
    page.recorder.record(judged(Outcome("reach", "", WHEN, 3.0, result=result)))
    assert value("voice_sfu_transport_up", transport="udp") == 0
    assert value("voice_sfu_transport_up", transport="tcp") == 1
    assert value("voice_sfu_certificate_expiry_timestamp_seconds") == ENDS.timestamp()
    assert value("voice_sfu_clock_skew_seconds") == -3
    node = {"version": "1.13.5", "region": "ams", "node": "ND_1"}
    assert value("voice_sfu_server_info", **node) == 1
    page.recorder.record(judged(Outcome("reach", "", WHEN, 3.0, Reason.CONNECT_FAILED, "no route")))
    assert value("voice_sfu_transport_up", transport="tcp") is None
    assert value("voice_sfu_server_info", **node) is None
    assert page.verdict("reach") == ["FAIL"]
