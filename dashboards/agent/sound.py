"""How calls sound: the replies, who speaks for how long, and the way of the media."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Decibel, Hertz, PercentUnit, Seconds, Short

from dashboards.agent.series import CALLS
from dashboards.overrides import in_unit
from dashboards.panels import Card, graph
from dashboards.queries import CALL_STEP, lowest, mean, quantile, rate, recent, seen, series, total

_GAP = "voice_reply_gap_seconds"
_BY = "call_type, scenario"
"""A scenario is never shown as the target itself: its line may be bad on purpose."""
_CALL = "{{call_type}} {{scenario}}"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _level(), _bandwidth(), _gaps(), _speech(), _loss(), _jitter(), _quality()


def _level() -> Panel:
    card = Card(
        171,
        "Level and clipping",
        "Active level of the replies of the last call, in dBFS, and the share of clipped samples "
        "(right axis). From voice_reply_level_dbfs and voice_reply_clipped_ratio. "
        "Bad: below -35 dBFS, callers turn up the volume; clipping above 1 % is heard as "
        "distortion.",
        empty="No reply was measured",
    )
    level = lowest(_BY, f"voice_reply_level_dbfs{{{CALLS}}}")
    clipped = seen(_BY, f"voice_reply_clipped_ratio{{{CALLS}}}")
    return graph(
        card,
        series(level, f"level {_CALL}", CALL_STEP),
        series(clipped, f"clipped {_CALL}", CALL_STEP),
        unit=Decibel,
        lowest=None,
        overrides=[in_unit("^clipped ", PercentUnit)],
    )


def _bandwidth() -> Panel:
    card = Card(
        172,
        "Bandwidth",
        "Highest frequency with energy in the replies of the last call, by call type. From "
        "voice_reply_bandwidth_hertz. Bad: 3400 Hz, a telephone or a voice of 8 kHz, where 8000 "
        "Hz and more are expected.",
        empty="No reply was measured",
    )
    bandwidth = lowest(_BY, f"voice_reply_bandwidth_hertz{{{CALLS}}}")
    return graph(card, series(bandwidth, _CALL, CALL_STEP), unit=Hertz)


def _gaps() -> Panel:
    card = Card(
        173,
        "Gaps in replies",
        "Longest silence inside each reply while the agent goes on: the mean of the window that "
        "ends at each point, and the 95th percentile of 20 replies and more. From "
        f"{_GAP}. Bad: seconds: callers say hello, or hang up.",
        empty="No reply was measured",
    )
    rates = rate(f"{_GAP}_bucket{{{CALLS}}}")
    return graph(
        card,
        series(mean(_GAP, _BY, CALLS), f"mean {_CALL}", CALL_STEP),
        series(quantile(0.95, _BY, rates), f"p95 {_CALL}", CALL_STEP),
        unit=Seconds,
    )


def _speech() -> Panel:
    card = Card(
        174,
        "Speech and overlap",
        "Seconds of speech by speaker, and seconds in which both spoke at once, in the window that "
        "ends at each point. From voice_speech_seconds_total and voice_overlap_seconds_total. Bad: "
        "overlap: the agent talks over its caller.",
        empty="The agent was not heard",
    )
    speech = total(f"{_BY}, speaker", recent(f"voice_speech_seconds_total{{{CALLS}}}"))
    both = total(_BY, recent(f"voice_overlap_seconds_total{{{CALLS}}}"))
    return graph(
        card,
        series(speech, f"{{{{speaker}}}} {_CALL}", CALL_STEP),
        series(both, f"both {_CALL}", CALL_STEP),
        unit=Seconds,
    )


def _loss() -> Panel:
    card = Card(
        175,
        "Packet loss and concealment",
        "Share of RTP packets of calls that were lost, up (caller to SFU) and down (SFU to caller, "
        "with what the agent's own way has lost), in the window that ends at each point, and the "
        "share of audio that was concealed in the last call. From voice_call_packets_lost_total, "
        "voice_call_packets_total and voice_call_concealed_ratio. Bad: concealed above 1 %: it is "
        "heard. Loss that redundancy repairs is not.",
        empty="No statistics of a call",
    )
    lost = total(f"{_BY}, direction", recent(f"voice_call_packets_lost_total{{{CALLS}}}"))
    packets = total(f"{_BY}, direction", recent(f"voice_call_packets_total{{{CALLS}}}"))
    concealed = seen(f"{_BY}, direction", f"voice_call_concealed_ratio{{{CALLS}}}")
    return graph(
        card,
        series(f"{lost} / ({packets} > 0)", f"lost {{{{direction}}}} {_CALL}", CALL_STEP),
        series(concealed, f"concealed {_CALL} {{{{direction}}}}", CALL_STEP),
        unit=PercentUnit,
    )


def _jitter() -> Panel:
    card = Card(
        176,
        "Jitter",
        "RTP interarrival jitter at the end of the last call, by direction and call "
        "type. From voice_call_jitter_seconds. Bad: above 0.03 s: jitter buffers "
        "grow, and every turn takes longer.",
        empty="No statistics of a call",
    )
    jitter = seen(f"{_BY}, direction", f"voice_call_jitter_seconds{{{CALLS}}}")
    return graph(card, series(jitter, f"{{{{direction}}}} {_CALL}", CALL_STEP), unit=Seconds)


def _quality() -> Panel:
    card = Card(
        177,
        "Quality, as DNSMOS estimates it",
        "What listeners would say of the replies of the last call, 1 (bad) to 5 (excellent): of "
        "the speech (dnsmos_signal), of the noise behind it (dnsmos_background) and of both "
        "(dnsmos_overall). From voice_reply_mos. Bad: a fall of 0.3 that stays. Compare a voice "
        "with itself only.",
        empty="sound.mos of the target is not set, or no reply was scored",
        width=24,
    )
    scores = lowest(f"{_BY}, model", f"voice_reply_mos{{{CALLS}}}")
    return graph(
        card,
        series(scores, f"{{{{model}}}} {_CALL}", CALL_STEP),
        unit=Short,
        lowest=1,
    )
