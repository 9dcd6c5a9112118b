"""The gate that lets a run start only inside the windows of its target."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from apscheduler.triggers.cron import CronTrigger

from exporter.config.schedule import WindowConfig, parse_days, parse_hours, zone
from exporter.run.scheduler import Work

_EVERY_DAY = "mon-sun"
_WHOLE_DAY = "00:00-24:00"


def is_open(windows: Sequence[WindowConfig], now: datetime) -> bool:
    """Return whether a moment is inside any of the windows; without windows it always is.

    Clocks are those on the wall: hours that a change to summer time leaves out do not come on
    that day, and those that are repeated in autumn count twice.
    """
    return not windows or any(_holds(window, now) for window in windows)


class WindowGate:
    """Refuses runs of targets outside of their windows."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Set up."""
        self._clock = clock

    async def __call__(self, work: Work, _run_id: str) -> str:
        """Return `window` when the run may not start now, else ""."""
        windows: tuple[WindowConfig, ...] = getattr(work.config, "windows", ())
        return "" if is_open(windows, self._clock()) else "window"


def _holds(window: WindowConfig, now: datetime) -> bool:
    local = now.astimezone(zone(window.time_zone))
    if window.cron is not None:
        return _matches(window.cron, local)
    begin, end = parse_hours(window.hours or _WHOLE_DAY)
    days = parse_days(window.days or _EVERY_DAY)
    minute = local.hour * 60 + local.minute
    today, yesterday = local.weekday(), (local.weekday() - 1) % 7
    if begin < end:
        return today in days and begin <= minute < end
    return (today in days and minute >= begin) or (yesterday in days and minute < end)


def _matches(cron: str, local: datetime) -> bool:
    """Return whether the expression matches the minute."""
    minute = local.replace(second=0, microsecond=0)
    trigger = CronTrigger.from_crontab(cron, timezone=local.tzinfo)
    due: datetime | None = trigger.get_next_fire_time(None, minute)
    return due == minute
