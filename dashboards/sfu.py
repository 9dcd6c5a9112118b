"""The way to the SFU, and how much it carries."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import (
    Milliseconds,
    PercentUnit,
    Seconds,
    Short,
)

from dashboards.board import SFU, Board, Section
from dashboards.overrides import counted, dashed
from dashboards.panels import Card, Field, curve, graph, stat, table, timeline
from dashboards.queries import (
    RARE_STEP,
    column,
    increase,
    mean,
    quantile,
    rate,
    recent,
    series,
    total,
    value,
    verdict,
)
from dashboards.values import (
    BAD,
    GOOD,
    QUALITIES,
    VERDICTS,
    WARN,
    WORKS,
    steps,
    words,
)
from dashboards.variables import ONE_SERVER, VANTAGES

_SERVER = 'server="$server"'
_WAY = f'{_SERVER}, vantage=~"$vantage"'
_BASELINE_STEP = "1m"
"""Baselines are a minute apart by default, and last about 12 s."""
_RTT = "voice_sfu_rtt_seconds"
_DAY_S = 86_400
_PEAK = f"server:voice_call_clients:max7d{{{_SERVER}}}"


def board() -> Board:
    """Return the dashboard."""
    return Board(
        uid=SFU,
        title="Voice / SFU",
        text="The way to the SFU: round trip, jitter, loss, transports, reconnects, capacity",
        variables=(ONE_SERVER, VANTAGES),
        alerts='server=~"$server|", vantage=~"$vantage|", alertname=~"VoiceSfu.*|VoiceKnee.*"',
        sections=(
            Section(100, "Now", (_verdicts(), _median(), _loss_now(), _knee(), _headroom())),
            Section(110, "Round trip", (_round_trips(), _quantiles(), _pings())),
            Section(120, "Jitter and loss", (_jitter(), _loss(), _concealed())),
            Section(130, "Transports and connecting", _connections()),
            Section(140, "Reconnects", _reconnects()),
            Section(150, "Capacity", (_capacity(), _tiers())),
            Section(160, "Ramp curve from $vantage", (_curve(),), repeat="vantage"),
            Section(170, "Certificates and clocks", (_certificates(), _skew(), _floor())),
        ),
    )


def _verdicts() -> Panel:
    card = Card(
        101,
        "Verdicts on the server",
        "The last baseline (sfu), transports (reach), reconnects and ramp, of the worst vantage. "
        "From voice_verdict. Bad: SLOW: a target is passed; FAIL: nothing could be measured, or "
        "did not come back; UNKNOWN: not run yet.",
        empty="Not measured",
        width=8,
        height=4,
    )
    checks = verdict("check", f'{_SERVER}, check=~"sfu|reach|reconnect|ramp"')
    return stat(card, value(checks, "{{check}}"), words=VERDICTS)


def _median() -> Panel:
    card = Card(
        102,
        "Median round trip",
        "A data message from one participant of ours to another on the same host: once to the "
        "SFU and back. From voice_sfu_rtt_ms, the last baseline. Bad: above the target "
        "(sfu.target_rtt_ms).",
        empty="The last baseline failed, or none ran",
        width=4,
        height=4,
    )
    rtt = f"max by (vantage) (voice_sfu_rtt_ms{{{_WAY}}})"
    return stat(card, value(rtt, "{{vantage}}"), unit=Milliseconds, decimals=1)


def _loss_now() -> Panel:
    card = Card(
        103,
        "Packets lost",
        "Share of RTP packets lost over the time range, the worse of both directions. From "
        "voice_sfu_packets_lost_total over voice_sfu_packets_total. Bad: above the target "
        "(sfu.max_loss); 1 % can be heard without redundancy.",
        empty="No baseline ran",
        width=4,
        height=4,
    )
    by = "vantage, direction"
    lost = total(by, increase(f"voice_sfu_packets_lost_total{{{_WAY}}}"))
    sent = total(by, increase(f"voice_sfu_packets_total{{{_WAY}}}"))
    worse = f"max by (vantage) ({lost} / ({sent} > 0))"
    return stat(
        card,
        value(worse, "{{vantage}}"),
        unit=PercentUnit,
        colors=steps(GOOD, (0.005, WARN), (0.02, BAD)),
        decimals=2,
    )


def _knee() -> Panel:
    card = Card(
        104,
        "Knee",
        "Clients at which every target still held, while the next tier of the last ramp broke "
        "one. From voice_knee_clients. Bad: lower than before. Absent where a ramp found none: "
        "see the table under Capacity for why.",
        empty="No ramp found one",
        width=4,
        height=4,
    )
    return stat(card, value(_largest("voice_knee_clients"), "{{vantage}}"), unit=Short)


def _headroom() -> Panel:
    card = Card(
        105,
        "Headroom",
        "The knee less the most clients that were in calls at once in the last seven days, an "
        "agent and a caller each; those of ramps are none. From voice_knee_clients and the "
        "recorded server:voice_call_clients:max7d. Bad: near 0, or below it: at its peak the "
        "server is beyond what it carries well (VoiceKneeBelowPeak).",
        empty="No knee is known",
        width=4,
        height=4,
    )
    left = f"{_largest('voice_knee_clients')} - scalar(max({_PEAK}))"
    colors = steps(BAD, (0, WARN), (10, GOOD))
    return stat(card, value(left, "{{vantage}}"), unit=Short, colors=colors)


def _round_trips() -> Panel:
    card = Card(
        111,
        "Round trip of baselines",
        "Median round trip of each baseline, and the configured target. From voice_sfu_rtt_ms "
        "and voice_sfu_target_rtt_ms. A gap is a baseline that failed. Bad: above the dashed "
        "line: the verdict is SLOW then.",
        empty="No baseline ran",
    )
    return graph(
        card,
        series(_largest("voice_sfu_rtt_ms"), "{{vantage}}"),
        series(_least("voice_sfu_target_rtt_ms"), "target ({{vantage}})"),
        unit=Milliseconds,
        overrides=[dashed("^target")],
    )


def _quantiles() -> Panel:
    card = Card(
        112,
        "Round trip, median and p95 by method",
        "All round trips of the window that ends there: data, messages between participants of "
        "ours; ice, the connection's own checks, in whole milliseconds. From "
        "voice_sfu_rtt_seconds. Bad: both high: the network is slow; data far above ice: the SFU "
        "or this host is busy.",
        empty="No baseline ran",
    )
    rates = rate(f"{_RTT}_bucket{{{_WAY}}}")
    by = "vantage, method"
    return graph(
        card,
        series(quantile(0.5, by, rates), "{{method}} median ({{vantage}})", _BASELINE_STEP),
        series(quantile(0.95, by, rates), "{{method}} p95 ({{vantage}})", _BASELINE_STEP),
        unit=Seconds,
    )


def _pings() -> Panel:
    card = Card(
        113,
        "Data messages by outcome",
        "Messages of the window that ends there, n of the round trips beside: answered; lost, "
        "not there within 2 s; void, when the prober itself was late. From "
        "voice_sfu_pings_total. Bad: lost ones; many void ones mean a busy host.",
        empty="No baseline ran",
    )
    pings = total("vantage, outcome", recent(f"voice_sfu_pings_total{{{_WAY}}}"))
    return graph(
        card,
        series(pings, "{{outcome}} ({{vantage}})", _BASELINE_STEP),
        unit=Short,
        is_stacked=True,
        has_bars=True,
    )


def _jitter() -> Panel:
    card = Card(
        121,
        "Jitter by direction",
        "Interarrival jitter of RTP (RFC 3550) of the last baseline: up as the SFU reports it, "
        "down as the receiver counts it, in whole milliseconds. From voice_sfu_jitter_seconds and "
        "voice_sfu_target_jitter_seconds. Bad: above the dashed line: jitter buffers grow, and "
        "with them every latency.",
        empty="No baseline ran",
    )
    jitter = f"max by (vantage, direction) (voice_sfu_jitter_seconds{{{_WAY}}})"
    return graph(
        card,
        series(jitter, "{{direction}} ({{vantage}})"),
        series(_least("voice_sfu_target_jitter_seconds"), "target ({{vantage}})"),
        unit=Seconds,
        overrides=[dashed("^target")],
    )


def _loss() -> Panel:
    card = Card(
        122,
        "Packet loss by direction",
        "Share of RTP packets lost in the window that ends there: up as the SFU reports it, down "
        "what the receiver misses beyond that; and the last baseline's worst. From "
        "voice_sfu_packets_lost_total, voice_sfu_packets_total, voice_sfu_packet_loss_ratio and "
        "voice_sfu_target_packet_loss_ratio. Bad: above the dashed line.",
        empty="No baseline ran",
    )
    by = "vantage, direction"
    lost = total(by, rate(f"voice_sfu_packets_lost_total{{{_WAY}}}"))
    sent = total(by, rate(f"voice_sfu_packets_total{{{_WAY}}}"))
    worst = _largest("voice_sfu_packet_loss_ratio")
    return graph(
        card,
        series(f"{lost} / ({sent} > 0)", "{{direction}} ({{vantage}})", _BASELINE_STEP),
        series(worst, "last baseline, worse direction ({{vantage}})"),
        series(_least("voice_sfu_target_packet_loss_ratio"), "target ({{vantage}})"),
        unit=PercentUnit,
        overrides=[dashed("^target")],
    )


def _concealed() -> Panel:
    card = Card(
        123,
        "Concealed audio",
        "Share of the received audio that was made up in the last baseline: the loss that can be "
        "heard, after redundancy has repaired what it could. From voice_sfu_concealed_ratio. Bad: "
        "above 1 %.",
        empty="No baseline ran",
    )
    concealed = series(_largest("voice_sfu_concealed_ratio"), "{{vantage}}")
    return graph(card, concealed, unit=PercentUnit, limit=0.01)


def _connections() -> tuple[Panel, ...]:
    return _transports(), _used(), _quality(), _phases()


def _transports() -> Panel:
    card = Card(
        131,
        "Ways that work",
        "Each way to the SFU, tried on purpose: UDP, TCP and TURN. From voice_sfu_transport_up. "
        "Bad: no UDP (a firewall: media goes by TCP, which stalls with every lost packet); no "
        "TURN shuts out callers behind strict firewalls.",
        empty="Not tried yet",
        width=12,
    )
    up = f"min by (vantage, transport) (voice_sfu_transport_up{{{_WAY}}})"
    return timeline(card, series(up, "{{transport}} ({{vantage}})"), words=WORKS)


def _used() -> Panel:
    card = Card(
        132,
        "Way that media took",
        "How the media of the last baseline went. From voice_sfu_transport_used. Bad: anything "
        "but UDP; the verdict is SLOW then.",
        empty="No baseline ran",
        width=12,
    )
    used = " or ".join(
        f'{number} * (voice_sfu_transport_used{{{_WAY}, transport="{name}"}} == 1)'
        for number, name in enumerate(("udp", "tcp", "turn"))
    )
    names = words((0, "UDP", GOOD), (1, "TCP", WARN), (2, "TURN", WARN))
    return timeline(card, series(f"max by (vantage) ({used})", "{{vantage}}"), words=names)


def _quality() -> Panel:
    card = Card(
        133,
        "Connection quality",
        "LiveKit's own word for each of our clients' connections. From "
        "voice_sfu_connection_quality. Bad: poor or lost. It is coarse: the graphs above say "
        "why.",
        empty="No baseline ran",
        width=12,
    )
    quality = " or ".join(
        f'{number} * voice_sfu_connection_quality{{{_WAY}, quality="{name}"}}'
        for number, name in enumerate(("excellent", "good", "poor", "lost"))
    )
    worst = f"max by (vantage, client) ({quality})"
    return timeline(card, series(worst, "{{client}} ({{vantage}})"), words=QUALITIES)


def _phases() -> Panel:
    card = Card(
        134,
        "Connecting, mean by phase",
        "signal: a join by WebSocket until the server's answer; ice: until media can flow; media: "
        "publishing to the first sound at another participant. From voice_sfu_connect_seconds. "
        "Bad: ice in seconds: candidates fail before one works, mostly blocked UDP.",
        empty="No baseline ran",
        width=12,
    )
    phases = mean("voice_sfu_connect_seconds", "vantage, phase", _WAY)
    return graph(card, series(phases, "{{phase}} ({{vantage}})", _BASELINE_STEP), unit=Seconds)


def _reconnects() -> tuple[Panel, ...]:
    resumed = _broken(
        141,
        "Time to reconnect",
        "voice_reconnect_seconds",
        "From the break to the SDK's word that it is connected again, mean of those that came back",
    )
    silent = _broken(
        142,
        "Media gaps",
        "voice_media_gap_seconds",
        "The longest time without a packet at the receiver, mean: what a caller hears as silence",
    )
    return resumed, silent, _not_back()


def _broken(id_: int, title: str, histogram: str, meaning: str) -> Panel:
    card = Card(
        id_,
        title,
        f"{meaning}, by what was broken on purpose: signal, the WebSocket; full, everything; "
        "migration, the server gives the participant up; unprovoked, lost during a baseline. "
        f"From {histogram}; n, the breaks of the window, on the right. Bad: above the time-out "
        "after which your callers hang up, or any that is unprovoked.",
        empty="Nothing was broken yet: reconnects are measured each hour",
    )
    by = "vantage, kind"
    breaks = total(by, recent(f"{histogram}_count{{{_WAY}}}"))
    return graph(
        card,
        series(mean(histogram, by, _WAY), "{{kind}} ({{vantage}})", RARE_STEP),
        series(breaks, "n {{kind}} ({{vantage}})", RARE_STEP),
        unit=Seconds,
        overrides=[counted("^n ")],
    )


def _not_back() -> Panel:
    card = Card(
        143,
        "Connections that did not come back",
        "Connections that were lost, on purpose or unprovoked, and did not come back, in the "
        "window that ends there, by kind and reason. From voice_reconnect_failures_total. "
        "Bad: any.",
        empty="Nothing was broken yet: reconnects are measured each hour",
    )
    lost = total("vantage, kind, reason", recent(f"voice_reconnect_failures_total{{{_WAY}}}"))
    query = series(lost, "{{kind}}: {{reason}} ({{vantage}})", RARE_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)


def _capacity() -> Panel:
    card = Card(
        151,
        "Knee and load",
        "The knee that the last ramp found, beside the clients in calls, an agent and a caller "
        "each, and their peak of seven days. From voice_knee_clients and the recorded "
        "server:voice_call_clients:max and :max7d. Bad: the load comes near the knee.",
        empty="Not listed yet",
        width=12,
    )
    load = f"max(server:voice_call_clients:max{{{_SERVER}}})"
    return graph(
        card,
        series(load, "clients in calls"),
        series(f"max({_PEAK})", "peak of 7 days"),
        series(_largest("voice_knee_clients"), "knee ({{vantage}})"),
        unit=Short,
        overrides=[dashed("^knee")],
    )


def _tiers() -> Panel:
    card = Card(
        152,
        "Last ramp by vantage",
        "What the last ramp found: the knee, or the largest tier that held where no tier broke, "
        "and whether the prober was the limit, so that the knee is not known. From "
        "voice_knee_clients, voice_ramp_clients_max and voice_ramp_limited. Bad: 0, for not even "
        "the first tier held.",
        empty="No ramp has run: ramp.enabled, with windows and max_clients",
        width=12,
    )
    columns = [
        column("knee", _largest("voice_knee_clients")),
        column("held", _largest("voice_ramp_clients_max")),
        column("limited", _largest("voice_ramp_limited")),
    ]
    limited = words((0, "no", GOOD), (1, "yes", WARN))
    fields = [
        Field("Vantage", "vantage"),
        Field("Knee", "knee"),
        Field("Largest tier that held", "held"),
        Field("Prober was the limit", "limited", words=limited),
    ]
    return table(card, columns, fields, worst="Knee")


def _curve() -> Panel:
    card = Card(
        161,
        "Round trip and loss over clients",
        "Each tier of the last ramp: 95th percentile of the round trips (the largest, below 20 of "
        "them; a lost message counts as 2000 ms), and the share of audio packets that were lost, "
        "over the clients that were connected. From voice_ramp_rtt_ms and "
        "voice_ramp_packet_loss_ratio. Bad: a curve that bends upwards within your load: there "
        "is the knee.",
        empty="No ramp has run: ramp.enabled, with windows and max_clients",
        width=24,
        height=9,
    )
    columns = [
        column("rtt", f"max by (clients) (voice_ramp_rtt_ms{{{_WAY}}})"),
        column("loss", f"max by (clients) (voice_ramp_packet_loss_ratio{{{_WAY}}})"),
    ]
    fields = [
        Field("Clients", "clients"),
        Field("Round trip", "rtt", Milliseconds),
        Field("Loss", "loss", PercentUnit),
    ]
    return curve(card, columns, fields, along="Clients")


def _certificates() -> Panel:
    card = Card(
        171,
        "Certificate ends",
        "When the first of the TLS certificates of the server and its TURN servers ends. From "
        "voice_sfu_certificate_expiry_timestamp_seconds. Bad: below 14 days: whatever should "
        "have renewed it did not.",
        empty="No TLS",
        height=5,
    )
    expiry = _least("voice_sfu_certificate_expiry_timestamp_seconds")
    return stat(
        card,
        value(f"{expiry} - time()", "{{vantage}}"),
        unit=Seconds,
        colors=steps(BAD, (7 * _DAY_S, WARN), (14 * _DAY_S, GOOD)),
    )


def _skew() -> Panel:
    card = Card(
        172,
        "Clock skew",
        "What the server's clock is ahead of the exporter's host; 0 within a second. From "
        "voice_sfu_clock_skew_seconds. Bad: minutes: tokens are not valid yet, or no more. No "
        "latency is measured by it.",
        empty="Not measured yet",
        height=5,
    )
    skew = f"max by (vantage) (voice_sfu_clock_skew_seconds{{{_WAY}}})"
    colors = steps(BAD, (-60, WARN), (-5, GOOD), (5, WARN), (60, BAD))
    return stat(card, value(skew, "{{vantage}}"), unit=Seconds, colors=colors)


def _floor() -> Panel:
    card = Card(
        173,
        "Floor of the round trip",
        "What of a data message's time is the exporter's own, event loop and SDK; it is taken off "
        "the round trips. From voice_sfu_floor_seconds. Bad: milliseconds: the exporter's host is "
        "busy.",
        empty="No baseline ran",
        height=5,
    )
    floor = _largest("voice_sfu_floor_seconds")
    return stat(card, value(floor, "{{vantage}}"), unit=Seconds, decimals=2)


def _largest(metric: str) -> str:
    return f"max by (vantage) ({metric}{{{_WAY}}})"


def _least(metric: str) -> str:
    return f"min by (vantage) ({metric}{{{_WAY}}})"
