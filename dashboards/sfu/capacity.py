"""How much the SFU carries: the knee beside the load, and the ramps that found it."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import DateTimeFromNow, Milliseconds, PercentUnit, Short

from dashboards.overrides import dashed
from dashboards.panels import Card, Field, curve, graph, table
from dashboards.queries import column, series
from dashboards.sfu.series import PEAK, THE_SERVER, WAY, largest
from dashboards.values import GOOD, WARN, words


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _capacity(), _tiers()


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
        width=12,
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
        Field("Vantage", "vantage"),
        Field("Knee", "knee"),
        Field("Largest tier that held", "held"),
        Field("Prober was the limit", "limited", words=limited),
        Field("Began", "began", DateTimeFromNow),
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
