"""The demo's settings: checked values, partial changes, what the options make of them."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from exporter.demo.options import DemoOptions
from exporter.demo.recognition import misheard
from exporter.demo.settings import DemoCall, DemoSettings, SttSettings


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
        pytest.param({"stt": {"deleted": -1}}, ("stt", "deleted"), id="negative number of words"),
        pytest.param({"llm": {"tool": "dance"}}, ("llm", "tool"), id="unknown tool"),
        pytest.param(
            {"llm": {"turns": [{"tool_s": 61}]}}, ("llm", "turns", 0, "tool_s"), id="turn"
        ),
        pytest.param({"llm": {"reply": "x" * 2001}}, ("llm", "reply"), id="long reply"),
        pytest.param({"tts": {"output": "music"}}, ("tts", "output"), id="unknown output"),
        pytest.param({"agent": {"deaf": 1}}, ("agent", "deaf"), id="number for a boolean"),
        pytest.param({"agent": {"endpointing_s": 601}}, ("agent", "endpointing_s"), id="hour"),
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
    settings = DemoOptions(llm_delay=2, tts_failure_rate=1).settings()
    assert settings == DemoSettings().changed(
        {"llm": {"delay_s": 2.0}, "tts": {"failure_rate": 1.0}}
    )


def test_impossible_options_never_become_settings() -> None:
    """A program that hands over what the command line would refuse is stopped."""
    with pytest.raises(ValidationError):
        DemoOptions(llm_delay=-1)


def test_turns_have_their_own_answers() -> None:
    """The list answers the first turns of a call; the section itself answers all others."""
    llm = DemoSettings().changed({"llm": {"turns": [{"reply": "One."}], "reply": "More."}}).llm
    assert [llm.answer_to(turn).reply for turn in (0, 1, 2, 3)] == [
        "More.",
        "One.",
        "More.",
        "More.",
    ]


def test_the_metadata_of_a_dispatch_changes_one_call() -> None:
    """The providers read what the agent made of the metadata."""
    call = DemoCall.dispatched("a room \u00fc", '{"llm": {"reply": "Gr\u00fc\u00df Gott."}}')
    ((name, value),) = call.header().items()
    assert name == "X-Demo-Call"
    assert value.isascii()
    assert DemoCall.model_validate_json(value) == call
    assert DemoSettings().changed(call.settings).llm.reply == "Gr\u00fc\u00df Gott."
    assert DemoCall.dispatched("room", "") == DemoCall(room="room")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        pytest.param("order 17", "Expecting value", id="no JSON"),
        pytest.param("[1]", "settings: Input should be", id="no object"),
        pytest.param('{"user": 1}', "user: Extra inputs", id="of somebody else"),
        pytest.param('{"llm": {"tool_s": -1}}', "llm.tool_s: Input should", id="value"),
    ],
)
def test_other_metadata_is_no_change(metadata: str, words: str) -> None:
    """What is not of the demo, or out of bounds, is named in one line."""
    with pytest.raises(ValueError, match=f"^{words}"):
        DemoCall.dispatched("room", metadata)


@pytest.mark.parametrize(
    ("errors", "text"),
    [
        pytest.param({}, "my order has not arrived yet", id="none"),
        pytest.param({"substituted": 1}, "banana order has not arrived yet", id="substituted"),
        pytest.param({"deleted": 2}, "my order has not", id="deleted"),
        pytest.param({"inserted": 2}, "zebra zebra my order has not arrived yet", id="inserted"),
        pytest.param(
            {"substituted": 2, "deleted": 1, "inserted": 1},
            "zebra banana banana has not arrived",
            id="all",
        ),
        pytest.param({"substituted": 100}, " ".join(["banana"] * 6), id="more than there are"),
        pytest.param({"deleted": 100, "substituted": 1}, "", id="nothing left"),
    ],
)
def test_a_recogniser_mishears_as_told(errors: dict[str, int], text: str) -> None:
    """Each error is made as often as the settings say, at the same place every time."""
    settings = SttSettings.model_validate({"delay_s": 0, **errors})
    assert misheard("my order has not arrived yet", settings) == text


def test_the_page_of_the_demo_has_every_setting() -> None:
    """A person finds each setting, by its name, in docs/demo.md."""
    page = (Path(__file__).parents[2] / "docs" / "demo.md").read_text(encoding="utf-8")
    names = [f"{part}.{key}" for part, keys in DemoSettings() for key in keys.model_dump()]
    assert [name for name in names if f"`{name}`" not in page] == []
