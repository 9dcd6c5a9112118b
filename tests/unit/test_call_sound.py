"""What is made of how a call sounds: its verdict and its metrics."""

from dataclasses import replace

import pytest

from exporter.outcome import (
    CallResult,
    Media,
    MediaDirection,
    Mos,
    Outcome,
    ReplySound,
    SpeechSeconds,
    Verdict,
)
from exporter.probes.latency import sound
from exporter.probes.latency.judge import judge
from exporter.probes.latency.sound import MOS, readings
from exporter.probes.latency.spec import LatencyConfig

from .calls import WHEN, replied

REPLIES = (
    ReplySound(-10.0, 0.5, 100.0, 9.0, Mos(1.0, 1.0, 1.0)),
    ReplySound(-30.0, 0.01, 8000.0, 0.5, Mos(3.0, 4.0, 2.5)),
    ReplySound(-34.0, 0.02, 4000.0, 1.5, Mos(3.5, 5.0, 3.0)),
)
"""The first is of the warm-up, which does not count."""

CALL = CallResult(
    *("demo", "default", "default"),
    turns=tuple(
        replace(replied(1.0, warmup=number == 0), reply=reply)
        for number, reply in enumerate(REPLIES)
    ),
    speech_s=SpeechSeconds(4.0, 9.0),
    overlap_s=0.5,
    media=Media(
        MediaDirection(1000, 10, 0.002),
        MediaDirection(500, 25, 0.003, 0.04),
        MediaDirection(300, 6, 0.004),
    ),
)

BAD = Mos(1.0, 1.0, 1.0)

BROKEN = {
    "min_level_dbfs": (-31.0, "level -32.0 dBFS is below -31.0 dBFS"),
    "max_clipped_ratio": (
        0.01,
        "clipped (distorted) share of the agent's speech 1.50 % is above 1.00 %",
    ),
    "min_bandwidth_hz": (7000.0, "bandwidth 6000 Hz is below 7000 Hz"),
    "max_gap_ms": (1000.0, "a gap in a reply of 1.50 s is above 1.00 s"),
    "max_loss_ratio": (0.04, "packet loss 5.00 % is above 4.00 %"),
    "max_concealed_ratio": (0.01, "concealed audio 4.00 % is above 1.00 %"),
}
KEPT = {
    "min_level_dbfs": -32.0,
    "max_clipped_ratio": 0.015,
    "min_bandwidth_hz": 6000.0,
    "max_gap_ms": 1500.0,
    "max_loss_ratio": 0.05,
    "max_concealed_ratio": 0.04,
}


def found(call: CallResult, **limits: float) -> list[tuple[Verdict, str]]:
    """Return what the judge says of a call by these thresholds."""
    config = LatencyConfig(agent_name="demo", sound=limits)
    outcome = Outcome("latency", "demo", WHEN, 12.5, result=call)
    return [(each.verdict, each.text) for each in judge(config, outcome)]


@pytest.mark.parametrize("name", BROKEN)
def test_a_threshold_that_is_passed_is_slow(name: str) -> None:
    """One finding for each, with both figures; what is exactly at the threshold is within."""
    limit, text = BROKEN[name]
    assert found(CALL, **{name: limit}) == [(Verdict.SLOW, text)]
    assert found(CALL, **{name: KEPT[name]}) == []


def test_no_threshold_is_set_by_default() -> None:
    """A call that sounds terrible passes where nobody asked."""
    assert found(CALL) == []


def test_what_is_not_known_breaks_nothing() -> None:
    """No reply and no statistics: no finding about the sound."""
    unknown = replace(CALL, turns=(replied(1.0),), media=None)
    assert found(unknown, **{name: limit for name, (limit, _) in BROKEN.items()}) == []


def test_metrics_of_a_call() -> None:
    """Means of the measured replies, the gap of each, and sums of both directions."""
    told = {
        (each.family.name.removeprefix("voice_"), *each.labels.values()): each.value
        for each in readings(CALL)
    }
    gaps = [each.value for each in readings(CALL) if each.family.kind == "histogram"]
    assert gaps == [0.5, 1.5]
    assert told.pop(("reply_gap_seconds",)) == 1.5
    assert told == {
        ("reply_level_dbfs",): -32.0,
        ("reply_clipped_ratio",): pytest.approx(0.015),
        ("reply_bandwidth_hertz",): 6000.0,
        ("reply_mos", "dnsmos_signal"): 3.25,
        ("reply_mos", "dnsmos_background"): 4.5,
        ("reply_mos", "dnsmos_overall"): 2.75,
        ("speech_seconds_total", "caller"): 4.0,
        ("speech_seconds_total", "agent"): 9.0,
        ("overlap_seconds_total",): 0.5,
        ("call_packets_total", "up"): 1000,
        ("call_packets_total", "down"): 500,
        ("call_packets_lost_total", "up"): 10,
        ("call_packets_lost_total", "down"): 25,
        ("call_jitter_seconds", "up"): 0.002,
        ("call_jitter_seconds", "down"): 0.003,
        ("call_concealed_ratio", "down"): 0.04,
        ("call_packets_total", "agent_up"): 300,
        ("call_packets_lost_total", "agent_up"): 6,
        ("call_jitter_seconds", "agent_up"): 0.004,
    }


def test_replies_without_a_score_are_not_in_the_mean() -> None:
    """What could not be scored says nothing; where none was there is no reading."""
    first, second, third = CALL.turns
    plain = replace(second, reply=replace(REPLIES[1], mos=None))
    assert scores(replace(CALL, turns=(first, plain, third))) == [3.5, 5.0, 3.0]
    assert scores(replace(CALL, turns=(first, plain))) == []


def scores(call: CallResult) -> list[float]:
    """Return what is said of the quality of a call: signal, background, overall."""
    return [each.value for each in readings(call) if each.family is MOS]


def test_scores_are_in_no_verdict() -> None:
    """A call that listeners would call bad passes."""
    bad = tuple(replace(turn, reply=replace(REPLIES[1], mos=BAD)) for turn in CALL.turns)
    assert found(replace(CALL, turns=bad)) == []


def test_a_deadline_holds_the_scoring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each measured reply, and of ten at most."""
    monkeypatch.setattr(sound, "find_spec", lambda _name: "there")
    for trials, scored in ((9, 9), (20, 10)):
        with_scores, without = (
            LatencyConfig(agent_name="demo", trials=trials, sound={"mos": mos}).deadline
            for mos in (True, False)
        )
        assert with_scores - without == scored * sound.SCORE_S
