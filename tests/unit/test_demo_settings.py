"""The demo's settings: checked values, partial changes, what the options make of them."""

import pytest
from pydantic import ValidationError

from exporter.demo.options import DemoOptions
from exporter.demo.settings import DemoSettings


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


def test_impossible_options_never_become_settings() -> None:
    """A program that hands over what the command line would refuse is stopped."""
    with pytest.raises(ValidationError):
        DemoOptions(llm_delay_s=-1).settings()
