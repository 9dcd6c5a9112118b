"""A deadline holds what a probe is configured to do; a written one that cannot is refused."""

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
from exporter.probes.latency.deadline import REPLY_LIMIT_S
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.ramp.spec import RampConfig
from exporter.probes.reach.spec import ReachConfig
from exporter.probes.reconnect.spec import ReconnectConfig
from exporter.probes.sfu.spec import SfuConfig

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
