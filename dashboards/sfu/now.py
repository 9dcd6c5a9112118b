"""What the way to the SFU is like now, and why."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Milliseconds, PercentUnit

from dashboards.colors import BAD, GOOD, WARN
from dashboards.fleet.network import checks
from dashboards.panels import Card, stat
from dashboards.queries import increase, total, value, verdict
from dashboards.sfu.series import THE_SERVER, WAY
from dashboards.values import VERDICTS, steps


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _verdicts(), _median(), _loss_now(), checks(106, THE_SERVER, "")


def _verdicts() -> Panel:
    card = Card(
        101,
        "Verdicts on the server",
        "The last baseline (sfu), transports (reach), reconnects and ramp, of the worst vantage. "
        "From voice_verdict. Bad: SLOW: a target is exceeded; FAIL: nothing could be measured, or "
        "a connection did not recover; UNKNOWN: not run yet.",
        empty="Not measured",
        width=12,
        height=4,
    )
    checks = verdict("check", f'{THE_SERVER}, check=~"sfu|reach|reconnect|ramp"')
    return stat(card, value(checks, "{{check}}"), words=VERDICTS)


def _median() -> Panel:
    card = Card(
        102,
        "Median round trip",
        "A data message from one test participant to another on the same host: once to the SFU "
        "and back. From voice_sfu_rtt_ms, the last baseline. Bad: above the target "
        "(sfu.target_rtt_ms).",
        empty="The last baseline failed, or none ran",
        width=6,
        height=4,
    )
    rtt = f"max by (vantage) (voice_sfu_rtt_ms{{{WAY}}})"
    return stat(card, value(rtt, "{{vantage}}"), unit=Milliseconds, decimals=1)


def _loss_now() -> Panel:
    card = Card(
        103,
        "Packets lost",
        "Share of RTP packets lost over the time range, the worse of both directions. From "
        "voice_sfu_packets_lost_total over voice_sfu_packets_total. Bad: above the target "
        "(sfu.max_loss); 1 % is audible without redundancy.",
        empty="No baseline ran",
        width=6,
        height=4,
    )
    by = "vantage, direction"
    lost = total(by, increase(f"voice_sfu_packets_lost_total{{{WAY}}}"))
    sent = total(by, increase(f"voice_sfu_packets_total{{{WAY}}}"))
    worse = f"max by (vantage) ({lost} / ({sent} > 0))"
    return stat(
        card,
        value(worse, "{{vantage}}"),
        unit=PercentUnit,
        colors=steps(GOOD, (0.005, WARN), (0.02, BAD)),
        decimals=2,
    )
