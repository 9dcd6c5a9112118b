"""Certificates that end, clocks that differ, and the time that is the exporter's own."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds

from dashboards.colors import BAD, GOOD, WARN
from dashboards.panels import Card, stat
from dashboards.queries import value
from dashboards.sfu.series import WAY, largest, least
from dashboards.values import steps

_DAY_S = 86_400


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _certificates(), _skew(), _floor()


def _certificates() -> Panel:
    card = Card(
        171,
        "Days until a certificate ends",
        "Days until the first TLS certificate of the server or its TURN servers expires. From "
        "voice_sfu_certificate_expiry_timestamp_seconds. Bad: below 14 days: it was not renewed.",
        empty="No TLS",
        height=5,
    )
    expiry = least("voice_sfu_certificate_expiry_timestamp_seconds")
    return stat(
        card,
        value(f"({expiry} - time()) / {_DAY_S}", "{{vantage}}"),
        colors=steps(BAD, (7, WARN), (14, GOOD)),
        decimals=0,
    )


def _skew() -> Panel:
    card = Card(
        172,
        "Clock skew",
        "Server clock minus the clock of the exporter's host; 0 within a second. From "
        "voice_sfu_clock_skew_seconds. Bad: minutes: tokens are not valid yet, or no longer "
        "valid. Latencies do not depend on it.",
        empty="Not measured yet",
        height=5,
    )
    skew = f"max by (vantage) (voice_sfu_clock_skew_seconds{{{WAY}}})"
    colors = steps(BAD, (-60, WARN), (-5, GOOD), (5, WARN), (60, BAD))
    return stat(card, value(skew, "{{vantage}}"), unit=Seconds, colors=colors, decimals=1)


def _floor() -> Panel:
    card = Card(
        173,
        "Floor of the round trip",
        "Part of a data round trip spent in the exporter's event loop and SDK. It is subtracted "
        "from the round trips. From voice_sfu_floor_seconds. Bad: milliseconds: the exporter's "
        "host is busy.",
        empty="No baseline ran",
        height=5,
    )
    floor = largest("voice_sfu_floor_seconds")
    return stat(card, value(floor, "{{vantage}}"), unit=Seconds, decimals=1)
