"""The network part of a bad line: what a relay on this host does to the packets of a call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from exporter.config.values import Section, invalid, parse_duration
from exporter.rtc.relay.impairment import Impairment

_WAYS = ("up", "down")


@dataclass(frozen=True, slots=True)
class EachWay:
    """A value for each direction; None where it was left out."""

    up: float | None = None
    """From the caller to the server."""
    down: float | None = None
    """From the server to the caller."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a value of a line is written, and how large it may be."""

    parse: Callable[[object], float]
    least: float
    most: float
    shown: str = "{:g}"

    def each_way(self, given: object) -> object:
        """Return one value for both directions, or one for each, as `EachWay`."""
        if given is None or isinstance(given, EachWay):
            return given
        if not isinstance(given, Mapping):
            value = self._checked(given)
            return EachWay(value, value)
        for key in given:
            if key not in _WAYS:
                raise invalid("unknown key; expected up or down", str(key))
        return EachWay(
            **{way: self._checked(value, way) for way, value in given.items() if value is not None}
        )

    def _checked(self, given: object, *key: str) -> float:
        try:
            value = self.parse(given)
        except ValueError as error:
            raise invalid(str(error), *key) from None
        if not self.least <= value <= self.most:
            least, most = self.shown.format(self.least), self.shown.format(self.most)
            raise invalid(f"{{value}} is not possible; expected {least} to {most}", *key)
        return value


def _number(given: object) -> float:
    if isinstance(given, int | float | str) and not isinstance(given, bool):
        try:
            return float(given)
        except (ValueError, OverflowError):
            pass
    raise ValueError("{value} is not a number; expected one, or up and down with one each")


def _duration(given: object) -> float:
    try:
        return parse_duration(given)
    except ValueError:
        words = "{value} is not a duration; expected one such as 50ms, or up and down with one each"
        raise ValueError(words) from None


def _schema(kind: _Kind, value: Mapping[str, Any]) -> WithJsonSchema:
    """Return the JSON Schema: a value, or a mapping with one for each direction."""
    number = {"minimum": kind.least, "maximum": kind.most, **value}
    ways = {"additionalProperties": False, "type": "object"}
    ways["properties"] = dict.fromkeys(_WAYS, number)
    return WithJsonSchema({"anyOf": [number, ways], "x-each-way": True})


_PERCENT = _Kind(_number, 0, 90)
_PACKETS = _Kind(_number, 1, 100)
_DELAY = _Kind(_duration, 0, 5, "{:g}s")
_RATE = _Kind(_number, 8, 100_000)
_A_NUMBER = {"type": "number"}
_A_DURATION = {"type": ["number", "string"], "x-unit": "s"}

Percent = Annotated[EachWay, BeforeValidator(_PERCENT.each_way), _schema(_PERCENT, _A_NUMBER)]
Packets = Annotated[EachWay, BeforeValidator(_PACKETS.each_way), _schema(_PACKETS, _A_NUMBER)]
Delay = Annotated[EachWay, BeforeValidator(_DELAY.each_way), _schema(_DELAY, _A_DURATION)]
Rate = Annotated[EachWay, BeforeValidator(_RATE.each_way), _schema(_RATE, _A_NUMBER)]


class NetworkLine(Section):
    """A bad network between the caller and the server, made by a relay on this host."""

    loss: Percent | None = Field(None, description="Percentage of the packets that is lost.")
    burst: Packets | None = Field(
        None, description="Mean number of packets lost in a row; not set: each by itself."
    )
    jitter: Delay | None = Field(
        None, description="Longest random delay of a packet, on top of `delay`."
    )
    delay: Delay | None = Field(None, description="Delay of each packet.")
    rate: Rate | None = Field(None, description="Bandwidth in kbit/s; not set: no limit.")
    reorder: bool = Field(False, description="Jitter may let a packet overtake those before it.")

    @property
    def is_relayed(self) -> bool:
        """Whether the call needs a relay."""
        return any((self.loss, self.jitter, self.delay, self.rate))

    def impairment(self, way: str) -> Impairment:
        """Return what happens in a direction.

        Args:
            way: up or down.
        """
        of = partial(_value, way=way)
        rate = of(self.rate)
        return Impairment(
            loss=(of(self.loss) or 0.0) / 100,
            burst=of(self.burst) or 1.0,
            jitter_s=of(self.jitter) or 0.0,
            delay_s=of(self.delay) or 0.0,
            rate_bps=None if rate is None else rate * 1000,
            reorder=self.reorder,
        )


def _value(both: EachWay | None, way: str) -> float | None:
    value: float | None = getattr(both, way, None)
    return value
