"""Each turn: its two ends with the latency between them, and what the agent says it went into."""

from collections.abc import Iterator

from exporter.colors import COMPONENTS
from exporter.evidence.kept import KeptCall, TurnMark
from exporter.outcome import CallResult, Turn
from exporter.web.picture.svg import CHARACTER_PX, Axis, Lane, box, element, number, upright, words

HEAD = 46.0
"""Pixels above the lanes, for the names of turns."""
_ARROW_Y = 40.0
_BAR = 18.0
_DARK_INK = ("on_user_turn_completed",)
"""Components so dark that their text is white."""


def turns_of(call: KeptCall) -> list[tuple[int, Turn, TurnMark]]:
    """Return the turns that have a place in the sound, by their number from 1."""
    found = call.outcome.result
    turns = found.turns if isinstance(found, CallResult) else ()
    pairs = zip(turns, call.marks, strict=False)  # a call that was cut off may have more of one
    return [(place, turn, mark) for place, (turn, mark) in enumerate(pairs, 1)]


def turn_id(call: KeptCall, place: int) -> str:
    """Return the anchor of a turn on the picture; several calls may be on one page."""
    return f"turn-{place}-{call.outcome.run_id}"


def turn_text(place: int, turn: Turn) -> str:
    """Return a turn in a few words."""
    warmup = " (warm-up)" if turn.warmup else ""
    if turn.e2e_s is not None:
        return f"turn {place}{warmup}: {turn.answered_s:.2f} s"
    return f"turn {place}{warmup}: {turn.reason or turn.outcome}"


def marks(call: KeptCall, axis: Axis, bottom: float) -> Iterator[str]:
    """Yield the marks of each turn, over all lanes down to `bottom`."""
    for place, turn, mark in turns_of(call):
        parts = [upright(axis.x(mark.ended_at), HEAD - 14, bottom, "mark t_end")]
        parts.append(words(axis.x(mark.ended_at) - 3, HEAD - 12, "t_end", "small", "end"))
        if mark.replied_at is not None:
            parts += _reply(turn, mark, axis, bottom, call.target_s)
        else:
            parts.append(_missing(mark, axis))
        middle, anchor = _name_at(mark, axis)
        parts.append(words(middle, 14, turn_text(place, turn), _class(turn, call), anchor))
        yield element(
            "g", *parts, id=turn_id(call, place), class_="turn", data_at=f"{mark.spoke_at:.3f}"
        )


def _class(turn: Turn, call: KeptCall) -> str:
    took_s = turn.answered_s
    if took_s is None:
        return "name bad"
    return "name bad" if call.target_s is not None and took_s > call.target_s else "name"


def _name_at(mark: TurnMark, axis: Axis) -> tuple[float, str]:
    if mark.replied_at is None:
        return axis.x(mark.ended_at), "start"
    return axis.x((mark.ended_at + (mark.answered_at or mark.replied_at)) / 2), "middle"


def _reply(
    turn: Turn, mark: TurnMark, axis: Axis, bottom: float, target_s: float | None
) -> Iterator[str]:
    """Yield what is drawn of a turn with a reply."""
    replied_at = mark.ended_at if mark.replied_at is None else mark.replied_at
    end = replied_at if mark.answered_at is None else mark.answered_at
    due = mark.ended_at + target_s if target_s is not None else end
    if due < end:
        yield box(axis.x(due), HEAD, (end - due) * axis.px_per_s, bottom - HEAD, "late",
                  tip=f"{end - due:.2f} s above the target of {target_s:g} s")  # fmt: skip
    yield upright(axis.x(replied_at), HEAD - 14, bottom, "mark t_reply")
    name = "t_reply" if mark.answered_at is None else "filler"
    yield words(axis.x(replied_at) + 3, HEAD - 12, name, "small")
    if mark.answered_at is not None:
        yield upright(axis.x(mark.answered_at), HEAD - 14, bottom, "mark t_answer")
        yield words(axis.x(mark.answered_at) + 3, HEAD - 12, "answer", "small")
    yield _arrow(
        axis.x(mark.ended_at), axis.x(end), f"{turn.answered_s or end - mark.ended_at:.3f}"
    )


def _arrow(left: float, right: float, seconds: str) -> str:
    tip = min(5.0, (right - left) / 3)
    line = (
        f"M{number(left)} {_ARROW_Y}H{number(right)}"
        f"m-{number(tip)} -3l{number(tip)} 3l-{number(tip)} 3"
        f"M{number(left + tip)} {_ARROW_Y - 3}l-{number(tip)} 3l{number(tip)} 3"
    )
    return element("path", element("title", f"{seconds} s"), d=line, class_="arrow")


def _missing(mark: TurnMark, axis: Axis) -> str:
    """Return an arrow into nothing."""
    left = axis.x(mark.ended_at)
    return element("path", d=f"M{number(left)} {_ARROW_Y}h40", class_="arrow missing")


def components(call: KeptCall, axis: Axis) -> Lane | None:
    """Return the parts of each turn, one after another from t_end; None where none is known."""
    parts = [part for _, turn, mark in turns_of(call) for part in _split(turn, mark.ended_at, axis)]
    return Lane("where the time went", _BAR, tuple(parts)) if parts else None


def _split(turn: Turn, at_s: float, axis: Axis) -> Iterator[str]:
    for name, colour in COMPONENTS.items():
        took_s: float | None = getattr(turn.components, f"{name}_s")
        if not took_s or took_s < 0:
            continue
        width, tip = took_s * axis.px_per_s, f"{name} {took_s * 1000:.0f} ms"
        yield box(axis.x(at_s), 0, width, _BAR, f"part {name}", tip=tip, fill=colour)
        shown = f"{name} {took_s:.2f}"
        if len(shown) * CHARACTER_PX + 8 <= width:
            ink = "on-dark" if name in _DARK_INK else "on-light"
            yield words(axis.x(at_s) + 4, 13, shown, ink)
        at_s += took_s
