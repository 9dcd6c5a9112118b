"""How calls sound: the replies, who speaks for how long, and the way of the media."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Decibel, Hertz, PercentUnit, Seconds

from dashboards.agent.series import CALL_TYPE, CALLS
from dashboards.overrides import counted, in_unit
from dashboards.panels import Card, graph
from dashboards.queries import CALL_STEP, quantile, rate, recent, seen, series, total

_GAP = "voice_reply_gap_seconds"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _level(), _bandwidth(), _gaps(), _speech(), _loss(), _jitter()


def _level() -> Panel:
    card = Card(
        171,
        "Level and clipping",
        "Active level of the replies of the last call, in dBFS, and the share of clipped samples "
        "(right axis), by call type. From voice_reply_level_dbfs and voice_reply_clipped_ratio. "
        "Bad: below -35 dBFS, callers turn up the volume; clipping above 1 % is heard as "
        "distortion.",
        empty="No reply was measured",
    )
    level = seen(CALL_TYPE, f"voice_reply_level_dbfs{{{CALLS}}}")
    clipped = seen(CALL_TYPE, f"voice_reply_clipped_ratio{{{CALLS}}}")
    return graph(
        card,
        series(level, "level {{call_type}}", CALL_STEP),
        series(clipped, "clipped {{call_type}}", CALL_STEP),
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
    bandwidth = seen(CALL_TYPE, f"voice_reply_bandwidth_hertz{{{CALLS}}}")
    return graph(card, series(bandwidth, "{{call_type}}", CALL_STEP), unit=Hertz)


def _gaps() -> Panel:
    card = Card(
        173,
        "Gaps in replies",
        "Longest silence inside each reply while the agent goes on: median and 95th percentile of "
        "the window that ends at each point, and n, the number of replies (right axis). From "
        f"{_GAP}. Bad: seconds: callers say hello, or hang up.",
        empty="No reply was measured",
    )
    rates = rate(f"{_GAP}_bucket{{{CALLS}}}")
    replies = total(CALL_TYPE, recent(f"{_GAP}_count{{{CALLS}}}"))
    return graph(
        card,
        series(quantile(0.5, CALL_TYPE, rates), "median {{call_type}}", CALL_STEP),
        series(quantile(0.95, CALL_TYPE, rates), "p95 {{call_type}}", CALL_STEP),
        series(replies, "n {{call_type}}", CALL_STEP),
        unit=Seconds,
        overrides=[counted("^n ")],
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
    speech = total(f"{CALL_TYPE}, speaker", recent(f"voice_speech_seconds_total{{{CALLS}}}"))
    both = total(CALL_TYPE, recent(f"voice_overlap_seconds_total{{{CALLS}}}"))
    return graph(
        card,
        series(speech, "{{speaker}} {{call_type}}", CALL_STEP),
        series(both, "both {{call_type}}", CALL_STEP),
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
    lost = total(f"{CALL_TYPE}, direction", recent(f"voice_call_packets_lost_total{{{CALLS}}}"))
    packets = total(f"{CALL_TYPE}, direction", recent(f"voice_call_packets_total{{{CALLS}}}"))
    concealed = seen(CALL_TYPE, f"voice_call_concealed_ratio{{{CALLS}}}")
    return graph(
        card,
        series(f"{lost} / ({packets} > 0)", "lost {{direction}} {{call_type}}", CALL_STEP),
        series(concealed, "concealed {{call_type}}", CALL_STEP),
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
    jitter = seen(f"{CALL_TYPE}, direction", f"voice_call_jitter_seconds{{{CALLS}}}")
    return graph(card, series(jitter, "{{direction}} {{call_type}}", CALL_STEP), unit=Seconds)
