"""Durations as Prometheus writes them: `500ms`, `30s`, `5m`, `1h30m`; a bare number is seconds."""

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(value: object) -> float:
    """Return a duration in seconds.

    Args:
        value: A number of seconds, or text such as `90s`, `1h30m`, `250ms`.

    Raises:
        ValueError: The value is not a duration; the message says what one looks like.
    """
    if isinstance(value, bool):
        raise ValueError("expected a duration such as 30s or 5m, got a boolean")  # noqa: TRY004 - pydantic takes ValueError
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        text = value.strip()
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
        if _WHOLE.fullmatch(text):
            return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    raise ValueError(f"expected a duration such as 30s or 5m, got {value!r}")


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d)?)+$"},
            ]
        }
    ),
]
"""A length of time in seconds; configuration may write it as `30s`, `5m`, `1h30m`."""
