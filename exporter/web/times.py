"""Times as people say them."""

from datetime import datetime, timedelta

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
_LONG_HOURS = 10
"""From here on nobody asks for the minutes."""
_TWO_MINUTES_S = 120


def span(seconds: float) -> str:
    """Say how long something takes: 42 s, 34 min, 3 h 20 min, 15 h, 2 days."""
    if seconds < _TWO_MINUTES_S:
        return f"{max(0.0, seconds):.0f} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S:.0f} min"
    hours, rest_s = divmod(seconds, _HOUR_S)
    if hours < _LONG_HOURS and rest_s >= _MINUTE_S:
        return f"{hours:.0f} h {rest_s // _MINUTE_S:.0f} min"
    if seconds < 2 * _DAY_S:
        return f"{hours:.0f} h"
    return f"{seconds // _DAY_S:.0f} days"


def clock(at: datetime, now: datetime) -> str:
    """Return a time of day, with its day where that is not today: 10:58, yesterday 10:58.

    Args:
        at: The moment.
        now: In the time zone of which the time is shown.
    """
    at = at.astimezone(now.tzinfo)
    if at.date() == now.date():
        return f"{at:%H:%M}"
    if at.date() == now.date() - timedelta(days=1):
        return f"yesterday {at:%H:%M}"
    return f"{at.day} {at:%b %H:%M}"


def plural(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun: 1 call, 7 calls."""
    return f"{count} {one if count == 1 else many or one + 's'}"
