"""docs/pictures/accuracy.svg: measured less true delay of each call, from accuracy.json."""

from typing import Any

from bench.pictures.svg import FAINT, INK, RULE, WIDTH, Picture

_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 90, WIDTH - 30, 70, 300, 370
_LARGEST_S, _LOWEST_MS, _HIGHEST_MS = 4.2, 100, 150
_BOUND_MS = 15
_BAND, _POINT = "#ddf4e8", "#0072b2"


def _x(delay_s: float) -> float:
    return _LEFT + delay_s / _LARGEST_S * (_RIGHT - _LEFT)


def _y(offset_ms: float) -> float:
    return _BOTTOM - (offset_ms - _LOWEST_MS) / (_HIGHEST_MS - _LOWEST_MS) * (_BOTTOM - _TOP)


def draw(data: dict[str, Any]) -> str:
    """Return the picture: one point for each call, with the spread of its turns."""
    calls, floor_ms = data["calls"], data["floor_ms"]
    picture = Picture("Measured less true delay of each call, over the true delay", _HEIGHT)
    picture.text(20, 34, "Measured less true delay", size=18, bold=True)
    told = f"{data['turns']} turns in {len(calls)} calls, one at a time, {data['measured_on']}"
    picture.text(_RIGHT, 34, told, color=FAINT, anchor="end", size=12)
    top, bottom = _y(floor_ms + _BOUND_MS), _y(floor_ms - _BOUND_MS)
    picture.box(_LEFT, top, _RIGHT - _LEFT, bottom - top, _BAND)
    _axes(picture)
    picture.line((_LEFT, _y(floor_ms)), (_RIGHT, _y(floor_ms)), INK, dashed=True)
    # Below the line, where calls of 2 to 4 s leave room.
    picture.text(_x(2.1), _y(floor_ms) + 18, f"median of all turns {floor_ms:g} ms: the floor")
    picture.text(
        _RIGHT - 6, top + 16, f"floor ± {_BOUND_MS} ms", color=FAINT, anchor="end", size=12
    )
    for call in calls:
        x, half_ms = _x(call["delay_s"]), call["spread_ms"] / 2
        above, below = _y(call["offset_ms"] + half_ms), _y(call["offset_ms"] - half_ms)
        picture.line((x, above), (x, below), _POINT, width=3)
        picture.dot(x, _y(call["offset_ms"]), _POINT, 4)
    spreads = [call["spread_ms"] for call in calls]
    apart = f"{min(spreads):g} to {max(spreads):g} ms"
    words = f"a point is one call: the median of its turns, which lie {apart} apart"
    picture.text((_LEFT + _RIGHT) / 2, _HEIGHT - 16, words, color=FAINT, anchor="middle", size=13)
    return picture.document()


def _axes(picture: Picture) -> None:
    for offset_ms in range(_LOWEST_MS, _HIGHEST_MS + 1, 10):
        picture.line((_LEFT, _y(offset_ms)), (_RIGHT, _y(offset_ms)), RULE)
        words = f"{offset_ms} ms"
        picture.text(_LEFT - 10, _y(offset_ms) + 4, words, color=FAINT, anchor="end", size=12)
    for delay_s in range(5):
        picture.line((_x(delay_s), _BOTTOM), (_x(delay_s), _BOTTOM + 5), FAINT)
        words = f"{delay_s} s" if delay_s else "true delay 0 s"
        picture.text(_x(delay_s), _BOTTOM + 20, words, color=FAINT, anchor="middle", size=12)
