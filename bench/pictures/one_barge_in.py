"""docs/pictures/one-barge-in.svg: one interruption as it was heard, from one-barge-in.json."""

from collections.abc import Callable, Sequence
from typing import Any

from bench.pictures.svg import FAINT, INK, RULE, WIDTH, Anchor, Picture
from exporter.colors import AGENT, CALLER

_LEFT, _RIGHT = 110, WIDTH - 30
_CALLER_Y, _AGENT_Y, _REACH = 120, 190, 28
"""The middle of each voice, and how far it may reach from there."""
_SPAN_Y, _AXIS_Y, _HEIGHT = 240, 268, 300
_TICK_S = 1.0


def draw(data: dict[str, Any]) -> str:
    """Return the picture."""
    yield_s, speech_s, answer_s = data["yield_s"], data["speech_s"], data["answer_s"]
    begin_s = float(data["from_s"])
    step_s = float(data["step_s"])
    end_s = begin_s + step_s * len(data["agent"])
    scale = (_RIGHT - _LEFT) / (end_s - begin_s)

    def x(at_s: float) -> float:
        return _LEFT + (at_s - begin_s) * scale

    picture = Picture(
        f"One interruption: the agent was silent {yield_s:.2f} s after the caller began, and "
        f"answered {answer_s:.2f} s after the caller's last sound",
        _HEIGHT,
    )
    picture.text(20, 34, "One interruption of one call", size=18, bold=True)
    told = f"scenario barge_in, demo agent, {data['measured_on']}"
    picture.text(_RIGHT, 34, told, color=FAINT, anchor="end", size=12)
    _axis(picture, x, begin_s, end_s)
    for y, words, name, color in (
        (_CALLER_Y, "caller says", "caller", CALLER),
        (_AGENT_Y, "caller hears", "agent", AGENT),
    ):
        picture.text(_LEFT - 12, y + 5, words, anchor="end", color=FAINT)
        _voice(picture, data[name], y, color, lambda n: x(begin_s + n * step_s))
    marks: tuple[tuple[float, str, Anchor], ...] = (
        (0.0, "interrupts", "end"),
        (yield_s, "silent", "end"),
        (speech_s, "t_end", "start"),
        (speech_s + answer_s, "answer", "middle"),
    )
    for at, words, anchor in marks:
        picture.line((x(at), 80), (x(at), _AXIS_Y), INK, width=1.5)
        picture.text(x(at), 72, words, anchor=anchor, bold=True)
    _span(picture, x(0.0), x(yield_s))
    # Its span is short: the words stand before it.
    words = f"time to yield {yield_s:.3f} s"
    picture.text(x(0.0) - 8, _SPAN_Y + 4, words, anchor="end", bold=True, size=12)
    _span(picture, x(speech_s), x(speech_s + answer_s))
    middle = x(speech_s + answer_s / 2)
    words = f"answer after {answer_s:.3f} s"
    picture.text(middle, _SPAN_Y - 7, words, anchor="middle", bold=True, size=12)
    return picture.document()


def _voice(
    picture: Picture, loud: Sequence[float], y: float, color: str, x: Callable[[int], float]
) -> None:
    """Draw how loud one side was, one line of it for each pixel."""
    most = max(loud, default=0.0) or 1.0
    columns: dict[int, float] = {}
    for place, value in enumerate(loud):
        column = int(x(place))
        columns[column] = max(columns.get(column, 0.0), value / most)
    for column, value in columns.items():
        reach = max(0.5, value * _REACH)
        picture.line((column + 0.5, y - reach), (column + 0.5, y + reach), color)


def _axis(picture: Picture, x: Callable[[float], float], begin_s: float, end_s: float) -> None:
    picture.line((_LEFT, _AXIS_Y), (_RIGHT, _AXIS_Y), RULE)
    for number in range(round(begin_s / _TICK_S), int(end_s / _TICK_S) + 1):
        at_s = number * _TICK_S
        if at_s >= begin_s:
            picture.line((x(at_s), _AXIS_Y), (x(at_s), _AXIS_Y + 5), FAINT)
            words = f"{at_s:g} s".replace("-", "\N{MINUS SIGN}")
            picture.text(x(at_s), _AXIS_Y + 20, words, color=FAINT, anchor="middle", size=12)


def _span(picture: Picture, left: float, right: float) -> None:
    picture.line((left, _SPAN_Y), (right, _SPAN_Y), INK, width=1.5)
    for end, into in ((left, 7), (right, -7)):
        picture.line((end, _SPAN_Y), (end + into, _SPAN_Y - 4), INK, width=1.5)
        picture.line((end, _SPAN_Y), (end + into, _SPAN_Y + 4), INK, width=1.5)
