"""docs/pictures/one-call.svg: one measured turn on a time line, from one-call.json."""

from typing import Any

from bench.pictures.svg import FAINT, INK, RULE, WIDTH, Picture
from exporter.colors import AGENT, CALLER, COMPONENTS

_LEFT, _RIGHT = 130, WIDTH - 30
_CALLER_Y, _AGENT_Y, _HEARD_Y, _BAR = 92, 142, 192, 30
_LEGEND_Y, _AXIS_Y, _HEIGHT = 300, 250, 430
_COMPONENTS = (
    ("transcription", "end of speech to the final transcript"),
    ("end_of_turn", "final transcript to the decision that the turn is over"),
    ("llm", "language model: request to first token"),
    ("first_sentence", "first token to the first text given to speech synthesis"),
    ("tts", "speech synthesis: first text to first audio"),
    ("transport", "the rest: network and jitter buffers both ways, first sentence"),
)
_TICK_S = 0.5
_AFTER_S = 0.35
"""How much of the reply is drawn."""


def draw(data: dict[str, Any]) -> str:
    """Return the picture of the first measured turn that has all components.

    Raises:
        ValueError: The call has none.
    """
    turn = _turn(data)
    e2e_s, speech_s = float(turn["e2e_s"]), float(data["speech_s"])
    begin_s, end_s = -speech_s - 0.1, e2e_s + _AFTER_S
    scale = (_RIGHT - _LEFT) / (end_s - begin_s)

    def x(at_s: float) -> float:
        return _LEFT + (at_s - begin_s) * scale

    picture = Picture(
        f"One turn: the reply came {e2e_s:.2f} s after the caller's last sound", _HEIGHT
    )
    picture.text(20, 34, "One turn of one call", size=18, bold=True)
    told = f"{data['command'].partition(' --json')[0]}, demo agent, {data['measured_on']}"
    picture.text(_RIGHT, 34, told, color=FAINT, anchor="end", size=12)
    _axis(picture, x, begin_s, end_s)
    for y, words in ((_CALLER_Y, "caller says"), (_AGENT_Y, "where it went"),
                     (_HEARD_Y, "caller hears")):  # fmt: skip
        picture.text(_LEFT - 12, y + 20, words, anchor="end", color=FAINT)
    picture.box(x(-speech_s), _CALLER_Y, speech_s * scale, _BAR, CALLER)
    picture.text(x(-speech_s / 2), _CALLER_Y + 20, f"{speech_s:.2f} s of speech", color="#ffffff",
                 anchor="middle")  # fmt: skip
    at_s = 0.0
    parts = _known(turn["components"])
    for name, _ in parts:
        part_s = turn["components"][f"{name}_s"]
        picture.box(x(at_s), _AGENT_Y, max(part_s * scale, 1.5), _BAR, COMPONENTS[name])
        at_s += part_s
    picture.box(x(e2e_s), _HEARD_Y, _AFTER_S * scale, _BAR, AGENT)
    picture.text(x(e2e_s) + 8, _HEARD_Y + 20, "reply …", color="#ffffff")
    for at, words in ((0.0, "t_end"), (e2e_s, "t_reply")):
        picture.line((x(at), 72), (x(at), _AXIS_Y), INK, width=1.5)
        picture.text(x(at), 64, words, anchor="middle", bold=True)
    _span(picture, x(0), x(e2e_s), f"end-to-end latency {e2e_s:.3f} s")
    _legend(picture, turn["components"], parts)
    return picture.document()


def _turn(data: dict[str, Any]) -> dict[str, Any]:
    for call in data["document"]["latency"]:
        for turn in call["turns"]:
            split = turn["components"] or {}
            if not turn["warmup"] and split.get("transport_s"):
                return dict(turn)
    raise ValueError("no measured turn has all components")


def _axis(picture: Picture, x: Any, begin_s: float, end_s: float) -> None:
    picture.line((_LEFT, _AXIS_Y), (_RIGHT, _AXIS_Y), RULE)
    first, last = round(begin_s / _TICK_S), int(end_s / _TICK_S)
    for number in range(first, last + 1):
        at_s = number * _TICK_S
        if at_s < begin_s:
            continue
        picture.line((x(at_s), _AXIS_Y), (x(at_s), _AXIS_Y + 5), FAINT)
        picture.text(
            x(at_s),
            _AXIS_Y + 20,
            f"{at_s:g} s".replace("-", "\N{MINUS SIGN}"),
            color=FAINT,
            anchor="middle",
            size=12,
        )


def _span(picture: Picture, left: float, right: float, words: str) -> None:
    y = _HEARD_Y + _BAR / 2
    picture.line((left + 4, y), (right - 4, y), INK, width=1.5)
    for end, into in ((left + 4, 7), (right - 4, -7)):
        picture.line((end, y), (end + into, y - 4), INK, width=1.5)
        picture.line((end, y), (end + into, y + 4), INK, width=1.5)
    picture.text((left + right) / 2, y - 7, words, anchor="middle", bold=True)


def _known(components: dict[str, float | None]) -> list[tuple[str, str]]:
    """Return the components that this turn has."""
    return [row for row in _COMPONENTS if components.get(f"{row[0]}_s") is not None]


def _legend(picture: Picture, components: dict[str, float], parts: list[tuple[str, str]]) -> None:
    for row, (name, meaning) in enumerate(parts):
        y = _LEGEND_Y + 24 * row
        picture.box(_LEFT, y, 14, 14, COMPONENTS[name])
        picture.text(_LEFT + 24, y + 12, name, bold=True)
        picture.text(_LEFT + 190, y + 12, f"{components[f'{name}_s'] * 1e3:.0f} ms", anchor="end")
        picture.text(_LEFT + 208, y + 12, meaning, color=FAINT, size=13)
