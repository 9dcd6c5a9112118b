"""A deadline holds what a probe is configured to do; a written one that cannot is refused."""

import math
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from exporter.config.values import ProbeSection
from exporter.probes import PROBES
from exporter.probes.calibrate.spec import CalibrateConfig
from exporter.probes.latency.caller import TurnConfig
from exporter.probes.latency.deadline import REPLY_LIMIT_S, needed_s, shortest_deadline_s
from exporter.probes.latency.endurance import EnduranceConfig
from exporter.probes.latency.scenarios.config import ScenarioConfig
from exporter.probes.latency.script import TOLD_S, Expect, Step
from exporter.probes.latency.sound import SoundConfig
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.latency.utterances import Say, Utterance
from exporter.probes.latency.way_in.config import TokenConfig
from exporter.probes.ramp.spec import RampConfig
from exporter.probes.reach.spec import ReachConfig
from exporter.probes.reconnect.spec import ReconnectConfig
from exporter.probes.sfu.spec import SfuConfig
from exporter.rtc.clip import clip_length_s

CLIP_S = 45
TALK = TurnConfig(start_rpc="start", end_rpc="end")


@pytest.fixture(scope="module")
def long_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An utterance of 45 s."""
    file = tmp_path_factory.mktemp("clip") / "long.wav"
    tone = (8000 * np.sin(np.arange(8000 * CLIP_S) / 5)).astype("<i2")
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(tone.tobytes())
    return file


def test_a_long_utterance_is_held(long_wav: Path) -> None:
    """Four turns of 45 s of speech, each of which waits and is answered at length."""
    target = LatencyConfig.model_validate({"agent_name": "a", "utterance": {"wav": long_wav}})
    assert target.deadline >= 4 * (CLIP_S + target.reply_timeout + REPLY_LIMIT_S)


def test_the_longest_of_several_utterances_is_held(long_wav: Path) -> None:
    """Any turn may have it."""
    several = [{}, {"wav": long_wav}]
    target = LatencyConfig.model_validate({"agent_name": "a", "utterances": several})
    assert target.deadline >= 4 * (CLIP_S + target.reply_timeout + REPLY_LIMIT_S)


def test_the_steps_of_a_dialogue_are_held(long_wav: Path) -> None:
    """One step of 45 s of speech, and one in which something may take five minutes."""
    script = [{"wav": long_wav}, {"expect": {"joins": "sip", "within": "5m"}}]
    target = LatencyConfig.model_validate({"agent_name": "a", "script": script})
    assert target.deadline >= CLIP_S + 300 + 2 * (target.reply_timeout + REPLY_LIMIT_S)
    assert target.deadline < 3 * CLIP_S + 300 + 2 * (target.reply_timeout + REPLY_LIMIT_S)
    assert target.most[0] == 2


def test_many_turns_with_long_replies_are_held() -> None:
    """20 trials and a warm-up, each answered for 30 s after a second: 745 s."""
    assert LatencyConfig(agent_name="a", trials=20).deadline >= 745


@pytest.mark.parametrize(
    ("config", "least_s"),
    [
        pytest.param(LatencyConfig(agent_name="a", reply_timeout=60), 4 * (60 + 30), id="waits"),
        pytest.param(LatencyConfig(agent_name="a", turn=TALK), 4 * (10 + 30 + 2 * 10), id="RPCs"),
        pytest.param(
            LatencyConfig(agent_name="a", follow=True, join_timeout=200), 2 * 200, id="hand-over"
        ),
        pytest.param(CalibrateConfig(calls=1, trials=100), 101 * 8, id="turns of a calibration"),
        pytest.param(CalibrateConfig(calls=20, delay=5), 20 * 3 * 8, id="calls to the echo"),
        pytest.param(SfuConfig(packets=100_000, tracks=2), 1000, id="packets"),
        pytest.param(SfuConfig(pings=10_000), 10_000 * 0.12, id="pings at the target"),
        pytest.param(ReachConfig(timeout=60), 4 * 60, id="ways to the SFU"),
        pytest.param(ReconnectConfig(timeout=300), 3 * 300, id="breaks"),
        pytest.param(RampConfig(tiers=(2, 10), duration=600), 2 * 660, id="tiers"),
    ],
)
def test_a_default_deadline_holds_what_is_configured(config: ProbeSection, least_s: float) -> None:
    """It follows from the settings that make the work longer."""
    assert config.deadline >= least_s


AROUND_S = 20
"""Room and dispatch, the way in, and the end of the call."""
HEARD_S = 1 + REPLY_LIMIT_S + 3
"""The longest reply and what the agent reports of it."""
ONE: dict[str, Any] = {
    "join_timeout": 1.0,
    "track_timeout": 2.0,
    "greeting_timeout": 4.0,
    "trials": 1,
}
ONCE = {**ONE, "warmup": False}
SPOKEN = Say(text="0123456789", url="http://127.0.0.1:1/speech")
"""So long a text takes three seconds at most."""
KEPT = SoundConfig.model_construct(mos=True)


def played(kind: Any, **keys: Any) -> ScenarioConfig:
    """Return a scenario of a kind."""
    return ScenarioConfig(name="x", kind=kind, **keys)


@pytest.mark.parametrize(
    ("target", "beyond_s"),
    [
        pytest.param(ONCE, 0, id="one turn"),
        pytest.param({**ONCE, "reply_timeout": 10.0}, 10, id="the wait for its reply"),
        pytest.param({**ONCE, "follow": True}, 7, id="another agent has all of its waits"),
        pytest.param(
            {**ONCE, "token": TokenConfig(url="http://127.0.0.1:1/token", timeout=8)}, 8, id="token"
        ),
        pytest.param({**ONCE, "trials": 3}, 2 * (CLIP_S + HEARD_S), id="three turns"),
        pytest.param(ONE, CLIP_S + HEARD_S, id="the warm-up turn is one by default"),
        pytest.param(
            {**ONCE, "trials": 9, "endurance": EnduranceConfig(length=100, ask_every=50)},
            100,
            id="a long call ends with the turn in which its time is over",
        ),
        pytest.param(
            {**ONE, "endurance": EnduranceConfig(length=100, ask_every=50)},
            100 + CLIP_S + HEARD_S,
            id="a long call with its warm-up",
        ),
        pytest.param({**ONCE, "turn": TALK}, 20, id="two RPCs"),
        pytest.param({**ONCE, "turn": TurnConfig(end_rpc="end")}, 10, id="one RPC"),
        pytest.param({**ONCE, "sound": KEPT}, 4, id="scoring of a turn"),
        pytest.param({**ONCE, "sound": KEPT, "trials": 2}, 8 + CLIP_S + HEARD_S, id="of two"),
        pytest.param(
            {**ONCE, "played": played("barge_in", after=2)},
            HEARD_S + 2 * (2 + 10 + 3),
            id="an interruption is answered like a turn",
        ),
        pytest.param(
            {**ONCE, "trials": 2, "played": played("barge_in", after=0)},
            CLIP_S + 3 * HEARD_S + 4 * (10 + 3),
            id="each of two interruptions is",
        ),
        pytest.param(
            {**ONCE, "played": played("backchannel", after=2)}, 2 + 10 + 3, id="a short sound"
        ),
        pytest.param({**ONCE, "played": played("reconnect")}, 30, id="a lost connection"),
        pytest.param({**ONCE, "played": played("reconnect", silence=5)}, 35, id="and silence"),
        pytest.param({**ONCE, "played": played("turns")}, 0, id="turns like those of the target"),
        pytest.param({**ONCE, "reply_timeout": 0.25}, 1, id="a part of a second is a whole one"),
    ],
)
def test_what_a_call_needs(target: dict[str, Any], beyond_s: float, long_wav: Path) -> None:
    """Each setting adds what it can take, and no more."""
    needed = needed_s({"utterance": Utterance(wav=long_wav), **target})
    assert needed == AROUND_S + 7 + CLIP_S + HEARD_S + beyond_s


def test_what_a_call_of_several_utterances_needs(long_wav: Path) -> None:
    """Each turn may have the longest; each text is spoken once; each step has its own words."""
    long, spoken = Utterance(wav=long_wav), Utterance(say=SPOKEN)
    around_s = AROUND_S + 7 + HEARD_S
    assert needed_s({**ONCE, "utterance": spoken}) == around_s + 20 + 3
    several = {**ONE, "utterance": long, "utterances": (spoken, spoken)}
    assert needed_s(several) == around_s + 2 * 20 + 2 * 3 + HEARD_S
    steps = (Step(wav=long_wav), Step(say=SPOKEN, expect=Expect(joins="sip", within=300)))
    script = {**ONE, "trials": 9, "script": steps, "utterances": (long,)}
    script_s = around_s + HEARD_S + CLIP_S + 20 + 3 + 300 + TOLD_S
    assert needed_s(script) == script_s
    assert needed_s({**script, "sound": KEPT}) == script_s + 2 * 4


def test_what_is_not_configured_needs_its_default() -> None:
    """Two turns with a built-in clip; what could not be understood counts as nothing."""
    two_s = AROUND_S + 2 * (clip_length_s(None) + HEARD_S)
    assert needed_s({}) == math.ceil(two_s)
    assert needed_s({"sound": KEPT}) == math.ceil(two_s) + 4


def test_no_default_deadline_is_below_three_minutes() -> None:
    """What a shorter call does not need costs nothing."""
    assert [shortest_deadline_s(needed) for needed in (1, 180, 181)] == [180, 180, 181]


SHORT: dict[str, dict[str, Any]] = {
    "latency": {"agent_name": "a", "trials": 20, "deadline": "90s"},
    "calibrate": {"deadline": "1m"},
    "sfu": {"packets": 1_000_000, "deadline": "1m"},
    "reach": {"timeout": 60, "deadline": "1m"},
    "reconnect": {"timeout": 300, "deadline": "150s"},
    "ramp": {"deadline": "1m"},
}


@pytest.mark.parametrize("probe", SHORT)
def test_a_deadline_that_is_too_short_is_refused(probe: str) -> None:
    """One line says what it cannot hold and what is needed; with that much it is taken."""
    row: type[BaseModel] = PROBES[probe].config
    with pytest.raises(ValidationError) as refused:
        row.model_validate(SHORT[probe])
    (error,) = refused.value.errors()
    assert error["ctx"]["key"] == ("deadline",)
    said = str(error["ctx"]["text"])
    assert said.startswith("{value} cannot hold the ")
    needed = said.split("expected at least ")[1].split(",", maxsplit=1)[0]
    row.model_validate({**SHORT[probe], "deadline": needed})
