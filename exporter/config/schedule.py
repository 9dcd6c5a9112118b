"""When calls may be made, and how much they may cost: settings of a target."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from exporter.config.rules import Faults, is_known, rule
from exporter.config.values import Duration, Section, invalid
from exporter.outcome import ModelUsage

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of `datetime.weekday`."""
_DAY_MINUTES = 24 * 60
_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
_CRON_FIELDS = 5


def zone(name: str) -> tzinfo:
    """Return a time zone; UTC needs no data of the system.

    Raises:
        ValueError: There is none of that name.
    """
    if name == "UTC":
        return UTC
    with contextlib.suppress(OSError, ValueError, KeyError):
        return ZoneInfo(name)
    raise invalid("{value} is not a time zone; expected one such as UTC or Europe/Berlin")


def parse_hours(text: str) -> tuple[int, int]:
    """Return the minutes of the day at which hours such as `08:00-20:00` begin and end.

    Raises:
        ValueError: They are none.
    """
    expected = "expected HH:MM-HH:MM such as 08:00-20:00 or 22:00-06:00"
    found = _HOURS.fullmatch(text.strip())
    if not found:
        raise invalid(f"{{value}} is not a range of hours; {expected}")
    hour, minute, end_hour, end_minute = map(int, found.groups())
    begin, end = hour * 60 + minute, end_hour * 60 + end_minute
    if begin >= _DAY_MINUTES or end > _DAY_MINUTES or max(minute, end_minute) > 59:  # noqa: PLR2004
        raise invalid(f"{{value}} has an invalid time of day; {expected}")
    if begin == end:
        raise invalid(f"{{value}} is empty; {expected}, or 00:00-24:00 for the whole day")
    return begin, end


def parse_days(text: str) -> frozenset[int]:
    """Return the weekdays, 0 is Monday, of a list such as `mon-fri` or `sat,sun`.

    Raises:
        ValueError: It is none.
    """
    return frozenset(day for item in text.lower().split(",") for day in _days(item))


def _days(item: str) -> Iterator[int]:
    first, _, last = item.strip().partition("-")
    try:
        begin, end = DAYS.index(first.strip()), DAYS.index((last or first).strip())
    except ValueError:
        raise invalid(
            "{value} is not a list of days; expected one such as mon-fri or sat,sun"
        ) from None
    for step in range((end - begin) % len(DAYS) + 1):
        yield (begin + step) % len(DAYS)


def _check_cron(text: str) -> str:
    """Refuse what is no cron expression, and days of the week as numbers.

    Cron counts them from Sunday and the library from Monday: calls would come on another day.
    """
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - only who has one pays

    parts = text.split()
    if len(parts) != _CRON_FIELDS:
        raise invalid(
            "{value} is not a cron expression; expected five fields such as * 8-19 * * mon-fri"
        )
    if re.search(r"(^|[-,])\d", parts[-1]):
        raise invalid("{value} has numbers as days of the week; expected names such as mon-fri")
    try:
        CronTrigger.from_crontab(text, timezone=UTC)
    except ValueError as error:
        why = str(error).replace("{", "(").replace("}", ")")
        raise invalid(f"{{value}} is not a cron expression: {why}") from None
    return text


def _check(parse: object) -> AfterValidator:
    """Return a validator that keeps the text which a function can parse."""

    def check(text: str) -> str:
        parse(text)  # type: ignore[operator]
        return text

    return AfterValidator(check)


TimeZone = Annotated[str, _check(zone)]
"""The name of a time zone, such as Europe/Berlin."""


class WindowConfig(Section):
    """A time window in which calls may start: hours and days, or a cron expression."""

    hours: Annotated[str, _check(parse_hours)] | None = Field(
        None,
        description="HH:MM-HH:MM, may cross midnight; the whole day if not set.",
    )
    days: Annotated[str, _check(parse_days)] | None = Field(
        None,
        description=(
            "Days such as mon-fri or sat,sun; every day if not set. Hours that cross midnight "
            "belong to the day on which they begin."
        ),
    )
    cron: Annotated[str, AfterValidator(_check_cron)] | None = Field(
        None,
        description=(
            "Cron expression with five fields, instead of hours and days; calls may start in "
            "every minute that it matches. Days of the week by name."
        ),
    )
    time_zone: TimeZone = Field("UTC", description="Time zone of the hours and days.")

    @rule
    def _has_one_kind(self) -> Faults:
        if self.cron is not None and (self.hours is not None or self.days is not None):
            yield invalid("conflicts with hours or days; expected one of them", "cron")
        if self.cron is None and self.hours is None and self.days is None:
            yield invalid("is empty; expected hours, days or cron")


_MILLION = 1_000_000
_Price = Annotated[float, Field(ge=0)]


def needs_windows(enabled: bool, windows: tuple[WindowConfig, ...]) -> Faults:
    """Yield that a load is on a schedule, and nobody has said when."""
    if enabled and not windows:
        yield invalid(
            "needs windows; expected the time windows in which load is allowed", "enabled"
        )


def holds_cap(
    enabled: bool, largest: tuple[str, int], cap: tuple[str, int | None], what: str
) -> Faults:
    """Yield that the largest step of a load is above its cap, or that it has none on a schedule.

    Args:
        enabled: Whether it is on a schedule.
        largest: Key of the steps, and the last one.
        cap: Key of the cap, and what it is.
        what: A word for what is counted.
    """
    (key, steps), (cap_key, most) = largest, cap
    if most is not None and steps > most:
        yield invalid(f"{{value}} is above {cap_key}, {most}", key, near=cap_key)
    if enabled and most is None:
        yield invalid(f"needs {cap_key}; expected the maximum number of {what}", "enabled")


class ModelPrice(Section):
    """Prices of one model, in any currency, for voice_budget_cost_total."""

    model: str = Field(
        min_length=1, description="Name of the model as in the label model of voice_usage_total."
    )
    llm_input_per_million: _Price = Field(0, description="Price of a million tokens read.")
    llm_cached_per_million: _Price | None = Field(
        None,
        description="Price of those of them that were cached; not set: as the others.",
    )
    llm_output_per_million: _Price = Field(0, description="Price of a million tokens written.")
    tts_characters_per_million: _Price = Field(
        0, description="Price of a million characters spoken."
    )
    stt_per_minute: _Price = Field(0, description="Price of a minute of recognised sound.")

    def cost(self, used: ModelUsage) -> float:
        """Return what so much of the model costs."""
        cached = self.llm_cached_per_million
        per_million = (
            max(0, used.llm_input - used.llm_cached) * self.llm_input_per_million
            + used.llm_cached * (self.llm_input_per_million if cached is None else cached)
            + used.llm_output * self.llm_output_per_million
            + used.tts_characters * self.tts_characters_per_million
        )
        return per_million / _MILLION + used.stt_seconds / 60 * self.stt_per_minute


class BudgetConfig(Section):
    """Daily budget of the calls to one target. Every turn costs money."""

    turns_per_day: int | None = Field(
        None,
        ge=1,
        description="Maximum number of turns, including warm-up turns; not set: no limit.",
    )
    call_seconds_per_day: Annotated[Duration, Field(gt=0)] | None = Field(
        None, description="Maximum length of all calls together; not set: no limit."
    )
    tokens_per_day: int | None = Field(
        None,
        ge=1,
        description=(
            "Tokens, read and written, after which no more call starts; the last one may exceed "
            "it. Needs an agent with livekit-agents 1.5 or later; not set: no limit."
        ),
    )
    time_zone: TimeZone = Field("UTC", description="Time zone whose midnight starts a new day.")
    price_per_minute: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="Price of one minute of a call, in any currency, for voice_budget_cost_total.",
    )
    prices: tuple[ModelPrice, ...] = Field(
        (), description="Prices of the agent's models, added to that of the minutes."
    )

    @rule
    def _prices_once(self) -> Faults:
        known: set[str] = set()
        for number, each in enumerate(self.prices):
            if not is_known(each) or not is_known(each.model):
                continue
            if each.model in known:
                yield invalid("{value} has prices already", "prices", number, "model")
            known.add(each.model)

    @property
    def priced(self) -> bool:
        """Whether what calls cost can be said."""
        return self.price_per_minute is not None or bool(self.prices)

    def cost(self, call_seconds: float, usage: Iterable[ModelUsage]) -> float | None:
        """Return what a call cost by all prices that are set; None where none is.

        Args:
            call_seconds: Its length.
            usage: What it has used. A model without a price costs nothing.
        """
        if not self.priced:
            return None
        prices = {each.model: each for each in self.prices}
        known = ((prices[each.model], each) for each in usage if each.model in prices)
        minutes = (self.price_per_minute or 0.0) * call_seconds / 60
        return minutes + sum(price.cost(used) for price, used in known)

    def holds_turns(self, turns: int) -> Faults:
        """Yield what is wrong with a budget of fewer turns than one call has."""
        if self.turns_per_day is not None and self.turns_per_day < turns:
            yield invalid(
                f"{{value}} is less than the turns of one call; expected at least {turns} (trials "
                "and the warm-up turn)",
                "budget",
                "turns_per_day",
            )

    def holds_seconds(self, call_seconds: float) -> Faults:
        """Yield what is wrong with a budget of fewer seconds than one call may take."""
        if self.call_seconds_per_day is not None and self.call_seconds_per_day < call_seconds:
            yield invalid(
                "{value} is less than the length of one call; expected at least "
                f"{call_seconds:g}s (the deadline, which is reserved when a call begins)",
                "budget",
                "call_seconds_per_day",
            )
