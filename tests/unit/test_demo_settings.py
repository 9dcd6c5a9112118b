"""The demo's settings and options: checked values, words for wrong ones."""

import pytest
from pydantic import ValidationError

from exporter.demo.options import DemoOptions
from exporter.demo.settings import DemoSettings
from exporter.errors import ConfigError


def test_a_change_keeps_what_it_does_not_name() -> None:
    """A partial change sets its own values and leaves all others."""
    before = DemoSettings()
    after = before.changed({"llm": {"delay_s": 2}, "tts": {"failure_rate": 0.5}})
    assert (after.llm.delay_s, after.llm.failure_rate) == (2.0, 0.0)
    assert (after.tts.delay_s, after.tts.failure_rate) == (before.tts.delay_s, 0.5)
    assert after.stt == before.stt


@pytest.mark.parametrize(
    ("change", "place"),
    [
        pytest.param({"llm": {"delay_s": -1}}, ("llm", "delay_s"), id="negative delay"),
        pytest.param({"llm": {"delay_s": 61}}, ("llm", "delay_s"), id="delay of minutes"),
        pytest.param({"stt": {"failure_rate": 1.1}}, ("stt", "failure_rate"), id="above one"),
        pytest.param({"stt": {"delay_s": "2"}}, ("stt", "delay_s"), id="text"),
        pytest.param({"stt": {"delay_s": True}}, ("stt", "delay_s"), id="boolean"),
        pytest.param({"stt": {"delay_s": float("nan")}}, ("stt", "delay_s"), id="not a number"),
        pytest.param({"stt": {"speed": 1}}, ("stt", "speed"), id="unknown key"),
        pytest.param({"vad": {"delay_s": 1}}, ("vad",), id="unknown provider"),
        pytest.param({"llm": 2.0}, ("llm",), id="no mapping"),
        pytest.param([1], (), id="no object"),
    ],
)
def test_a_wrong_change_is_refused_by_name(change: object, place: tuple[str, ...]) -> None:
    """Whatever is wrong is refused, and the error names the place."""
    with pytest.raises(ValidationError) as caught:
        DemoSettings().changed(change)
    assert caught.value.errors()[0]["loc"] == place


def test_options_become_settings() -> None:
    """Options that are given replace the defaults of the providers; the others do not."""
    settings = DemoOptions(llm_delay_s=2, tts_failure_rate=1).settings()
    assert settings == DemoSettings().changed(
        {"llm": {"delay_s": 2.0}, "tts": {"failure_rate": 1.0}}
    )


@pytest.mark.parametrize(
    ("options", "line"),
    [
        pytest.param(
            DemoOptions(llm_delay_s=-1),
            "--llm-delay: expected a number greater than or equal to 0, got -1",
            id="delay",
        ),
        pytest.param(
            DemoOptions(stt_failure_rate=2),
            "--stt-failure-rate: expected a number less than or equal to 1, got 2",
            id="rate",
        ),
        pytest.param(
            DemoOptions(duration_s=0), "--duration: expected more than 0 s, got 0", id="duration"
        ),
        pytest.param(
            DemoOptions(interval_s=1), "--interval: expected at least 10 s, got 1", id="interval"
        ),
        pytest.param(DemoOptions(trials=0), "--trials: expected at least 1, got 0", id="trials"),
    ],
)
def test_a_wrong_option_is_named_with_its_rule(options: DemoOptions, line: str) -> None:
    """The message names the flag, the rule and the value."""
    with pytest.raises(ConfigError) as caught:
        options.check()
    assert str(caught.value) == line
