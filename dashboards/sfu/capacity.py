"""How much the SFU carries: the knee beside the load, and the ramps that found it."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import DateTimeFromNow, Milliseconds, PercentUnit, Short

from dashboards.colors import BAD, GOOD, WARN
from dashboards.overrides import dashed
from dashboards.panels import Card, graph, stat
from dashboards.queries import column, series, value
from dashboards.sfu.series import PEAK, THE_SERVER, WAY, largest
from dashboards.tables import Field, curve, table
from dashboards.values import steps, words


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _knee(), _headroom(), _tiers(), _capacity()


def ramp_panels() -> tuple[Panel, ...]:
    """Return the panel of the row that is there once for each vantage."""
    return (_curve(),)


def _capacity() -> Panel:
    card = Card(
        151,
        "Knee and load",
        "The knee of the last ramp, the clients in calls (an agent and a caller each), and their "
        "peak of seven days. From voice_knee_clients and the recorded "
        "server:voice_call_clients:max and :max7d. Bad: the load comes near the knee.",
        empty="Not listed yet",
        width=24,
    )
    load = f"max(server:voice_call_clients:max{{{THE_SERVER}}})"
    return graph(
        card,
        series(load, "clients in calls"),
        series(f"max({PEAK})", "peak of 7 days"),
        series(largest("voice_knee_clients"), "knee ({{vantage}})"),
        unit=Short,
        overrides=[dashed("^knee")],
    )


def _knee() -> Panel:
    card = Card(
        153,
        "Knee",
        "Clients in the largest tier of the last ramp in which all targets held, if the next tier "
        "broke one. From voice_knee_clients. Bad: lower than before. Absent if a ramp found none: "
        "the table beside it shows why.",
        empty="No ramp found one",
        width=6,
    )
    return stat(card, value(largest("voice_knee_clients"), "{{vantage}}"), unit=Short, decimals=0)


def _headroom() -> Panel:
    card = Card(
        154,
        "Headroom",
        "The knee minus the peak of clients in calls in the last seven days, an agent and a "
        "caller each; clients of ramps do not count. From voice_knee_clients and the recorded "
        "server:voice_call_clients:max7d. Bad: near 0, or below it: at its peak the server is "
        "beyond its capacity (VoiceKneeBelowPeak).",
        empty="No knee is known",
        width=6,
    )
    left = f"{largest('voice_knee_clients')} - scalar(max({PEAK}))"
    colors = steps(BAD, (0, WARN), (10, GOOD))
    return stat(card, value(left, "{{vantage}}"), unit=Short, colors=colors, decimals=0)


def _tiers() -> Panel:
    card = Card(
        152,
        "Last ramp by vantage",
        "Result of the last ramp: the knee, or the largest tier that held if no tier broke, and "
        "whether the prober was the limit, so that the knee is unknown. From voice_knee_clients, "
        "voice_ramp_clients_max, voice_ramp_limited and voice_ramp_timestamp_seconds. Bad: 0: not "
        "even the first tier held; a ramp of long ago.",
        empty="No ramp has run: ramp.enabled, with windows and max_clients",
        width=12,
    )
    columns = [
        column("knee", largest("voice_knee_clients")),
        column("held", largest("voice_ramp_clients_max")),
        column("limited", largest("voice_ramp_limited")),
        column("began", f"{largest('voice_ramp_timestamp_seconds')} * 1000"),
    ]
    limited = words((0, "no", GOOD), (1, "yes", WARN))
    fields = [
        Field("Vantage", "vantage", width=120, grows=True),
        Field("Knee", "knee", width=60),
        Field("Largest that held", "held", width=130),
        Field("Prober limited", "limited", words=limited, width=110),
        Field("Began", "began", DateTimeFromNow, width=130),
    ]
    return table(card, columns, fields, worst="Knee")


def _curve() -> Panel:
    card = Card(
        161,
        "Round trip and loss over clients",
        "Each tier of the last ramp over its connected clients: 95th percentile of the round "
        "trips (the maximum, if there are fewer than 20; a lost message counts as 2000 ms), and "
        "the share of lost audio packets. From voice_ramp_rtt_ms and "
        "voice_ramp_packet_loss_ratio. Bad: a curve that bends upwards within your load: there is "
        "the knee.",
        empty="No ramp has run: ramp.enabled, with windows and max_clients",
        width=24,
        height=9,
    )
    columns = [
        column("rtt", f"max by (clients) (voice_ramp_rtt_ms{{{WAY}}})"),
        column("loss", f"max by (clients) (voice_ramp_packet_loss_ratio{{{WAY}}})"),
    ]
    fields = [
        Field("Clients", "clients"),
        Field("Round trip", "rtt", Milliseconds),
        Field("Loss", "loss", PercentUnit),
    ]
    return curve(card, columns, fields, along="Clients")
