"""The picture of a call: its marks lie where the timeline has them, and nothing else gets in."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from exporter.evidence.kept import Envelope, KeptCall
from exporter.outcome import (
    Backchannel,
    BackchannelOutcome,
    Interruption,
    InterruptionOutcome,
)
from exporter.outcome.timeline import AgentFault, AgentState, CallerSpoke
from exporter.web.picture import picture
from tests.unit.web.kept_calls import SPLIT, kept_call, long_call

_SVG = "{http://www.w3.org/2000/svg}"
_WITHIN_S = 0.01
BETWEEN_S = 5.2


class Read:
    """A picture read back by its axis alone: from pixels to seconds by the labels of its ticks."""

    def __init__(self, call: KeptCall) -> None:
        # Our own text, which has no entities; ElementTree also shows that it is well-formed.
        self.root = ET.fromstring(picture(call))  # noqa: S314 - see above
        labels = {
            int(text.text.removesuffix(" s")): float(text.attrib["x"])
            for text in self.root.iter(f"{_SVG}text")
            if text.text and re.fullmatch(r"\d+ s", text.text)
        }
        last = max(labels)
        self._left, self._scale = labels[0], (labels[last] - labels[0]) / last

    def second(self, x: float | str) -> float:
        """Return the moment that lies there."""
        return (float(x) - self._left) / self._scale

    def of(self, *classes: str) -> Iterator[ET.Element]:
        """Yield the elements that have all these classes."""
        for each in self.root.iter():
            if set(classes) <= set(each.attrib.get("class", "").split()):
                yield each

    def lines(self, *classes: str) -> list[float]:
        """Return the moments of upright lines."""
        return [self.second(each.attrib["x1"]) for each in self.of(*classes)]

    def spans(self, *classes: str) -> list[tuple[float, float]]:
        """Return begin and end of boxes."""
        found = ((float(e.attrib["x"]), float(e.attrib["width"])) for e in self.of(*classes))
        return [(self.second(x), self.second(x + width)) for x, width in found]

    @property
    def texts(self) -> str:
        """All that can be read on it."""
        return " ".join(each.text or "" for each in self.root.iter(f"{_SVG}text"))


@pytest.mark.parametrize(
    "call", [kept_call(1), kept_call(3), long_call()], ids=["short", "usual", "long"]
)
def test_marks_lie_within_10_ms_of_the_timeline(call: KeptCall) -> None:
    """Both ends of each turn, speech of both sides and states, read back by the axis."""
    read = Read(call)

    def near(value: float) -> object:
        return pytest.approx(value, abs=_WITHIN_S)

    replies = [mark.replied_at for mark in call.marks if mark.replied_at is not None]
    assert read.lines("mark", "t_end") == [near(mark.ended_at) for mark in call.marks]
    assert read.lines("mark", "t_reply") == [near(each) for each in replies]
    for side, kind in (("caller", "CallerSpoke"), ("agent", "AgentSounded")):
        told = [each for each in call.events if type(each).__name__ == kind]
        assert read.spans("speech", side) == [(near(e.at), near(e.until)) for e in told]  # type: ignore[attr-defined] # both have it
    states = [each for each in call.events if isinstance(each, AgentState)]
    assert [begin for begin, _ in read.spans("agent-state")] == [near(e.at) for e in states]


def test_waves_are_loud_where_there_is_speech() -> None:
    """Every column lies in an utterance, and every utterance is full of columns."""
    call = kept_call()
    read = Read(call)
    for side in ("caller", "agent"):
        (wave,) = read.of("wave", side)
        columns = [read.second(x) for x in re.findall(r"M([\d.]+) ", wave.attrib["d"])]
        spans = read.spans("speech", side)
        for begin, end in spans:
            inside = [each for each in columns if begin - 0.02 <= each <= end + 0.02]
            assert len(inside) > 0.9 * (end - begin) * 40
        assert sum(any(b - 0.02 <= c <= e + 0.02 for b, e in spans) for c in columns) == len(
            columns
        )


def test_components_follow_each_other_from_t_end() -> None:
    """Each is as wide as it took, in the order of a turn, up to t_reply."""
    call = kept_call(2)
    read = Read(call)
    at = call.marks[0].ended_at
    for name in ("transcription", "end_of_turn", "llm", "tts", "transport"):
        ((begin, end),) = read.spans("part", name)
        took = getattr(SPLIT, f"{name}_s")
        assert [begin, end] == pytest.approx([at, at + took], abs=0.01)
        at += took


def test_what_happened_is_written() -> None:
    """Tools, hand-overs, errors, interruptions, and the RTP of the call."""
    texts = Read(kept_call()).texts
    for told in (
        "turn 2: 1.81 s",
        "turn 3: no_reply",
        "tool look_up",
        "handed over to billing",
        "error: llm: 503 <overloaded>",
        "interrupted",
        "false interruption, resumed",
        "agent joined",
        "RTP: up 4500 packets, 3 lost, jitter 4 ms; down 4480 packets, 12 lost",
        "0.8% concealed",
    ):
        assert told in texts


def test_words_are_there_only_where_they_are_kept() -> None:
    """Without them there is not even an empty lane."""
    assert "where is my order" in Read(kept_call(words=True)).texts
    assert "understood" not in Read(kept_call()).texts


def test_what_is_late_is_shaded_from_the_target_on() -> None:
    """A turn above the target shows by how much; without a target there is no shade."""
    call = kept_call(2)
    ((begin, end),) = Read(call).spans("late")
    assert begin == pytest.approx(call.marks[0].ended_at + 1.5, abs=0.01)
    assert end == pytest.approx(call.marks[0].replied_at, abs=0.01)
    assert Read(replace(call, target_s=None)).spans("late") == []


def test_two_agents_have_a_band_each() -> None:
    """Their states are not mixed into one."""
    call = kept_call(1)
    other = AgentState(at=1.0, sender="agent-2", state="thinking")
    texts = Read(replace(call, events=(*call.events, other))).texts
    assert "agent 2 says: it is" in texts


def test_a_call_of_which_little_is_known_is_drawn() -> None:
    """No sound, no turn, no event: an empty axis, and no error."""
    call = kept_call(1)
    bare = replace(call.outcome, result=None)
    empty = KeptCall(bare, 0.0, Envelope(0.01, (), ()))
    assert "No turn came about." in picture(empty)
    early = AgentState(at=-3.0, sender="agent-1", state="idle")
    late = AgentFault(at=99.0, sender="agent-1", text="x" * 500)
    read = Read(replace(call, events=(early, late)))
    for begin, end in (*read.spans("agent-state"), *read.spans("hover")):
        assert -0.2 <= begin <= end <= call.length_s + 0.2


def test_names_are_read_by_who_cannot_see() -> None:
    """It is one image, with a name and a text that says each turn."""
    root = Read(kept_call()).root
    title, desc = root.find(f"{_SVG}title"), root.find(f"{_SVG}desc")
    assert title is not None
    assert desc is not None
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == title.attrib["id"]
    assert title.text == "Call to shop, 22.5 s"
    assert desc.text == "turn 1 (warm-up): 1.81 s; turn 2: 1.81 s; turn 3: no_reply"


def test_no_text_becomes_markup() -> None:
    """Names and errors come from elsewhere."""
    evil = "\"><script>alert('x')</script>"
    call = kept_call(1)
    outcome = replace(call.outcome, agent_name=evil)
    events = (AgentFault(at=1, text=evil), AgentState(at=0, state=evil))
    drawn = picture(replace(call, outcome=outcome, events=events))
    assert "<script" not in drawn
    assert " style=" not in drawn


@pytest.mark.parametrize(
    ("told", "at", "until", "kind"),
    [
        (
            {"interruptions": (Interruption(InterruptionOutcome.YIELDED, 0.4),)},
            BETWEEN_S,
            BETWEEN_S + 0.4,
            "news",
        ),
        (
            {"backchannels": (Backchannel(BackchannelOutcome.STOPPED),)},
            BETWEEN_S,
            None,
            "bad",
        ),
        ({"interruptions": (Interruption(InterruptionOutcome.VOID),) * 2}, None, None, "news"),
    ],
    ids=["yielded", "stopped", "cannot be placed"],
)
def test_turn_taking_is_placed_at_the_sound_of_the_caller(
    told: dict[str, Any], at: float | None, until: float | None, kind: str
) -> None:
    """With the time to yield as a span; what cannot be told apart is not drawn."""
    plain = kept_call()
    outcome = replace(plain.outcome, result=replace(plain.outcome.result, **told))  # type: ignore[type-var] # it is a CallResult
    spoke = CallerSpoke(at=BETWEEN_S, until=BETWEEN_S + 0.5)
    read = Read(replace(plain, outcome=outcome, events=(*plain.events, spoke)))
    [found] = chain(*told.values()) if at is not None else [None]
    assert (str(found) in read.texts) == (found is not None)
    if at is not None:
        assert any(abs(pin - at) < _WITHIN_S for pin in read.lines("pin", kind))
    if at is not None and until is not None:
        spans = read.spans("span", kind)
        assert any(
            abs(begin - at) < _WITHIN_S and abs(end - until) < _WITHIN_S for begin, end in spans
        )
