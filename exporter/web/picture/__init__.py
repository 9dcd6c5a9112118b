"""One call as a picture, in the manner of docs/pictures/one-call.svg: all of it on one time axis.

It is an SVG for a page that has the styles of `call.css`; it has no colours of its own but those of
components, no script, and no style that a strict policy would refuse.
"""

from html import escape

from exporter.evidence.kept import KeptCall
from exporter.outcome import CallResult, Media, MediaDirection
from exporter.web.picture.sound import voices
from exporter.web.picture.svg import LABEL_PX, LEFT, Axis, element, number, upright, words
from exporter.web.picture.told import happened, spoken, states
from exporter.web.picture.turns import HEAD, components, marks, turn_id, turn_text, turns_of

__all__ = ["line_text", "picture", "turn_id"]

_GAP = 4.0
_BELOW = 26.0
"""The axis and its labels."""
_LINE = 18.0
"""A line of text at the end."""


def picture(call: KeptCall, *, with_words: bool = True) -> str:
    """Return the SVG of a call.

    Every second has the same width, so a long call is wide: it is to be scrolled sideways. An
    element with the class `turn` has the id that `turn_id` says, and `data-at` of its begin. The
    root has `data-left` and `data-px-per-s`, for who moves the cursor.

    Args:
        call: As it was kept.
        with_words: Show what was said, where that is kept.
    """
    axis = Axis(call.length_s)
    said = spoken(call, axis) if with_words else ()
    found = (
        *voices(call, axis),
        components(call, axis),
        *states(call, axis),
        *said,
        happened(call, axis),
    )
    top, lanes = HEAD, []
    for lane in filter(None, found):
        lanes.append(lane.drawn(top, axis.width))
        top += LABEL_PX + lane.height + _GAP
    run_id = call.outcome.run_id
    return element(
        "svg",
        element("title", escape(_title(call)), id=f"title-{run_id}"),
        element("desc", escape(_description(call)), id=f"desc-{run_id}"),
        *lanes,
        *marks(call, axis, top),
        axis.drawn(top),
        words(LEFT, top + _BELOW + 12, line_text(_media(call)), "faint"),
        upright(LEFT, 0, top, "cursor"),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(axis.width)} {number(top + _BELOW + _LINE)}",
        width=axis.width,
        height=top + _BELOW + _LINE,
        class_="call-picture",
        role="img",
        aria_labelledby=f"title-{run_id}",
        aria_describedby=f"desc-{run_id}",
        data_left=LEFT,
        data_px_per_s=axis.px_per_s,
        data_length=f"{call.length_s:.3f}",
    )


def _title(call: KeptCall) -> str:
    name = call.outcome.agent_name or "an agent without a name"
    return f"Call to {name}, {call.length_s:.1f} s"


def _description(call: KeptCall) -> str:
    turns = [turn_text(place, turn) for place, turn, _ in turns_of(call)]
    return "; ".join(turns) if turns else "No turn came about."


def _media(call: KeptCall) -> Media | None:
    found = call.outcome.result
    return found.media if isinstance(found, CallResult) else None


def line_text(media: Media | None) -> str:
    """Return what is known of a call's RTP; it has no moments, only sums."""
    if media is None:
        return "RTP: not known"
    return f"RTP: up {_direction(media.up)}; down {_direction(media.down)}"


def _direction(way: MediaDirection) -> str:
    parts = [f"{way.packets} packets"]
    if way.lost is not None:
        parts.append(f"{way.lost} lost")
    if way.jitter_s is not None:
        parts.append(f"jitter {way.jitter_s * 1000:.0f} ms")
    if way.concealed_ratio is not None:
        parts.append(f"{way.concealed_ratio:.1%} concealed")
    return ", ".join(parts)
