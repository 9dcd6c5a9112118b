"""Which ways to the SFU work, which one media took, and how long connecting took."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds

from dashboards.colors import GOOD, WARN
from dashboards.panels import Card, graph, timeline
from dashboards.queries import column, mean, seen, series
from dashboards.sfu.series import BASELINE_STEP, WAY
from dashboards.tables import Field, table
from dashboards.values import QUALITIES, WORKS, words


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _transports(), _used(), _quality(), _phases(), _nodes()


def _transports() -> Panel:
    card = Card(
        131,
        "Transports that work",
        "Each transport to the SFU, tested one by one: UDP, TCP and TURN. From "
        "voice_sfu_transport_up. Bad: no UDP (a firewall: media uses TCP, which stalls with every "
        "lost packet); no TURN, which excludes callers behind strict firewalls.",
        empty="Not tried yet",
        width=12,
    )
    up = f"min by (vantage, transport) (voice_sfu_transport_up{{{WAY}}})"
    return timeline(card, series(up, "{{transport}} ({{vantage}})"), words=WORKS)


def _used() -> Panel:
    card = Card(
        132,
        "Transport of media",
        "Transport used by media in the last baseline. From voice_sfu_transport_used. Bad: any "
        "but UDP; the verdict is SLOW then.",
        empty="No baseline ran",
        width=12,
    )
    used = " or ".join(
        f'{number} * (voice_sfu_transport_used{{{WAY}, transport="{name}"}} == 1)'
        for number, name in enumerate(("udp", "tcp", "turn"))
    )
    names = words((0, "UDP", GOOD), (1, "TCP", WARN), (2, "TURN", WARN))
    return timeline(card, series(f"max by (vantage) ({used})", "{{vantage}}"), words=names)


def _quality() -> Panel:
    card = Card(
        133,
        "Connection quality",
        "Connection quality that LiveKit reports for each test client. From "
        "voice_sfu_connection_quality. Bad: poor or lost. It is coarse: the graphs above show the "
        "cause.",
        empty="No baseline ran",
        width=12,
    )
    quality = " or ".join(
        f'{number} * voice_sfu_connection_quality{{{WAY}, quality="{name}"}}'
        for number, name in enumerate(("excellent", "good", "poor", "lost"))
    )
    worst = f"max by (vantage, client) ({quality})"
    return timeline(card, series(worst, "{{client}} ({{vantage}})"), words=QUALITIES)


def _phases() -> Panel:
    card = Card(
        134,
        "Connecting, mean by phase",
        "signal: from a join by WebSocket to the server's answer; ice: until media can flow; "
        "media: from publishing a track to the first sound at another participant. From "
        "voice_sfu_connect_seconds. Bad: ice in seconds: candidates fail before one works, mostly "
        "blocked UDP.",
        empty="No baseline ran",
        width=12,
    )
    phases = mean("voice_sfu_connect_seconds", "vantage, phase", WAY)
    return graph(card, series(phases, "{{phase}} ({{vantage}})", BASELINE_STEP), unit=Seconds)


def _nodes() -> Panel:
    card = Card(
        135,
        "Nodes that took the test",
        "Version, region and id of the node that took the join of the last test of each vantage. "
        "From voice_sfu_server_info. Bad: a region far away, or nodes of different versions for "
        "long.",
        empty="Not tried yet",
        width=24,
        height=5,
    )
    by = "server, vantage, region, node, version"
    fields = [
        Field("Server", "server", width=150),
        Field("Vantage", "vantage", width=150),
        Field("Region", "region", width=150),
        Field("Node", "node", width=200, grows=True),
        Field("Version", "version", width=120),
        Field("", "there", is_hidden=True, width=0),
    ]
    return table(card, [column("there", seen(by, f"voice_sfu_server_info{{{WAY}}}"))], fields)
