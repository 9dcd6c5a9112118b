"""What settings are made of: sections, lists, durations, and errors that word themselves."""

import contextlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, get_origin
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError

from exporter.config.rules import Faults, Unknown, as_far_as_known, hold, is_partial, rule
from exporter.errors import ConfigError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_SPELLED = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")
_WORDS = {
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
}
"""Units as people write them."""
_INTEGERS = (int, int | None)
_NUMBERS = (*_INTEGERS, float, float | None)
_NUMBER = re.compile(r"\d+(\.\d+)?")


def invalid(text: str, *key: str | int, near: str = "") -> PydanticCustomError:
    """Return the error that a validator raises about its value, or about a key within it.

    Args:
        text: What is wrong and what was expected; `{value}` becomes the value as it was written.
        key: The path of the key that is meant, within the value.
        near: Another key within the value, whose line is meant where this one is not written.
    """
    return PydanticCustomError("invalid", "{text}", {"text": text, "key": key, "near": near})


def split_url(url: str, schemes: Sequence[str], expected: str) -> SplitResult:
    """Return the parts of a URL that has one of these schemes, and a host.

    Raises:
        PydanticCustomError: It has not; nothing of it is repeated, which may be a secret.
    """
    scheme, mark, _ = url.partition("://")
    if not mark:
        raise invalid(f"is not a URL; {expected}")
    if scheme.lower() not in schemes:
        raise invalid(f"has an unknown scheme {scheme[:20]!r}; {expected}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise invalid(f"has no valid host and port; {expected}") from None
    if not host:
        raise invalid(f"has no host; {expected}")
    return parts


FILE = WithJsonSchema({"type": "string", "format": "file-path"})
"""Marks a key whose value names a file: in the YAML file its path is relative to that."""
FOLDER = WithJsonSchema({"type": "string", "format": "directory-path"})
"""The same for a folder."""


def read_value(path: object) -> object:
    """Return what a file holds, without white space around it; what is no path stays as it is."""
    if not isinstance(path, str | Path):
        return path
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise invalid("{value} cannot be read: not UTF-8 text") from None
    except OSError as error:
        raise invalid(f"{{value}} cannot be read: {error.strerror}") from None
    except ValueError:  # such as a NUL within the path
        raise invalid("{value} cannot be read: no such path") from None
    if not text:
        raise invalid("{value} is empty; expected a file with the value")
    return text


_JOINERS = "\u200c\u200d"
"""Zero width, and a part of words in Persian and Hindi, and of many an emoji."""


def is_name(text: str) -> bool:
    """Return whether a text can name something: all of it is letters, signs, spaces and joiners.

    What steers a terminal, breaks a line or turns the direction of writing is no part of a name.
    """
    return all(
        each.isprintable() or each in _JOINERS or unicodedata.category(each) == "Zs"
        for each in text
    )


def _check_name(text: str) -> str:
    if not is_name(text):
        raise invalid("{value} holds a control character; expected a name that can be shown")
    return text


Name = Annotated[str, AfterValidator(_check_name)]
"""The name of an agent, or a label that a person chooses."""


def _check_printable(text: str) -> str:
    if not is_name(text):
        raise ValueError("expected printable characters only")
    return text


Printable = Annotated[str, AfterValidator(_check_printable)]
"""Text in what others send: a name, without the words for who writes a configuration."""

MOST_CHARACTERS = 128
"""Of the value of a label, where a person chooses it."""


def _check_length(text: str) -> str:
    if len(text) > MOST_CHARACTERS:
        raise invalid(f"{{value}} is too long; expected at most {MOST_CHARACTERS} characters")
    return text


Vantage = Annotated[Name, AfterValidator(_check_length)]
"""From where is measured: the label of that name."""


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


Stripped = BeforeValidator(_stripped)
"""Takes white space off both ends: a variable that is filled from a file ends in a line break."""
Secret = Annotated[SecretStr, Stripped]
"""A secret that stands in the setting itself."""


class FileSecret(SecretStr):
    """A secret that stands in a file, and knows in which: it may be another one later."""

    def __init__(self, secret: str, path: Path) -> None:
        super().__init__(secret)
        self.path = path


def _from_file(value: object, check: ValidatorFunctionWrapHandler) -> object:
    checked = check(read_value(value))
    if isinstance(checked, SecretStr) and isinstance(value, str | Path):
        return FileSecret(checked.get_secret_value(), Path(value))
    return checked


SecretFromFile = Annotated[SecretStr, WrapValidator(_from_file), FILE]


def _check_token(token: SecretStr) -> SecretStr:
    """Refuse a token that no client could send in a header."""
    text = token.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise invalid("cannot be sent in a header; expected printable ASCII without spaces")
    return token


Token = Annotated[Secret, AfterValidator(_check_token)]
TokenFromFile = Annotated[SecretFromFile, AfterValidator(_check_token)]
"""A secret that stands in a file, whose name is the setting."""


class Section(BaseModel):
    """A section of the configuration: immutable, without unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )

    def read_again(self, key: str) -> Self:
        """Return the section with every secret as its file has it now.

        Args:
            key: Of the section, for the message.

        Raises:
            ConfigError: A file cannot be read, or what it holds is none; one line, without it.
        """
        paths = {
            name: secret.path
            for name in type(self).model_fields
            if isinstance(secret := getattr(self, name), FileSecret)
        }
        if not paths:
            return self
        try:
            again = type(self).model_validate(paths)
        except ValidationError as error:
            ((name, *_), words) = error.errors()[0]["loc"], error.errors()[0]["msg"]
            shown = repr(str(paths.get(str(name), "")))
            raise ConfigError(f"{key}.{name}: {words.replace('{value}', shown)}") from None
        return self.model_copy(update={name: getattr(again, name) for name in paths})

    @model_validator(mode="wrap")
    @classmethod
    def _make(cls, given: Any, make: ModelWrapValidatorHandler[Self]) -> Self:
        """Hold the section's rules, unless it is made only as far as it is known."""
        if is_partial():
            # What is not known has every type.
            return given if isinstance(given, Unknown) else make(as_far_as_known(cls, given))  # type: ignore[return-value]
        made = make(given)
        hold(made)
        return made

    @rule
    def _refuse_pairs(self) -> Faults:
        """Refuse a key that is set together with the file for the same key."""
        for name in sorted(self.model_fields_set):
            if f"{name}_file" in self.model_fields_set:
                yield invalid(f"conflicts with {name}_file; expected one of them", name)

    @field_validator("*", mode="wrap")
    @classmethod
    def _prepare(
        cls, value: object, check: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> object:
        """Refuse `true` as a number, and take lists whose items are given by index."""
        if isinstance(value, Unknown):
            return value
        annotation: Any = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and annotation in _NUMBERS:
            raise PydanticKnownError("int_type" if annotation in _INTEGERS else "float_type")
        if isinstance(value, dict) and get_origin(annotation) is tuple:
            return check(_in_order(value))
        return check(value)


def _in_order(items: Mapping[str, object]) -> object:
    """Return a list that is given as a mapping from index to item."""
    if not all(index.isdecimal() for index in items):
        return items
    by_index = {int(index): item for index, item in items.items()}
    for expected, index in enumerate(sorted(by_index)):
        if index != expected:
            raise invalid(f"does not exist; expected an index up to {expected}", index)
    return [by_index[index] for index in range(len(by_index))]


def above(section: Section, high: str, low: str) -> Faults:
    """Yield what is wrong if a limit is not above another; one that is not set is no limit.

    Args:
        section: That has both.
        high: Key of the limit that is to be higher.
        low: Key of the other.
    """
    more, less = getattr(section, high), getattr(section, low)
    if more is not None and more <= less:
        default = "" if low in section.model_fields_set else " (the default)"
        yield invalid(f"{{value}} must be above {low}, which is {less:g}{default}", high, near=low)


def holds_needed(deadline_s: float, needed_s: float, what: str) -> Faults:
    """Yield what is wrong with a deadline that was written and cannot hold what it is for.

    Args:
        deadline_s: As written, or by default.
        needed_s: What it may take, by its other settings.
        what: A word for what is to be held.
    """
    if deadline_s < needed_s:
        yield invalid(
            f"{{value}} cannot hold the {what}, which may take {needed_s:g} s by its other "
            f"settings; expected at least {needed_s:g}s, or leave it out",
            "deadline",
        )


def parse_duration(value: object) -> float:
    """Return a duration in seconds.

    Args:
        value: A number of seconds, or text such as `90s`, `1h30m`, `250ms`.

    Raises:
        ValueError: The value is not a duration.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return float(value)
    if isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text):
            return float(text)
        if _WHOLE.fullmatch(text):
            return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    raise invalid(f"{{value}} is no duration; {_nearest_duration(value)}")


def _nearest_duration(value: object) -> str:
    """Say what to write for a duration: what was meant, where that can be seen."""
    spelled = _SPELLED.fullmatch(value.strip()) if isinstance(value, str) else None
    unit = _WORDS.get(spelled[2].lower()) if spelled else None
    return f"try {spelled[1]}{unit}" if spelled and unit else "expected one such as 30s or 5m"


class _Written:
    """Tells JSON Schema that a duration may be a number or text."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        number = handler(core)
        if "exclusiveMinimum" not in number:
            number.setdefault("minimum", 0)
        text = {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d)?)+$"}
        return {"anyOf": [number, text], "x-unit": "s"}


Duration = Annotated[float, BeforeValidator(parse_duration), _Written()]
"""A length of time in seconds; configuration may write it as `30s`, `5m`, `1h30m`."""


class ProbeSection(Section):
    """The section of a probe.

    Each declares `interval` and `deadline` itself, with a default of its own and at its own place:
    a default deadline follows from the keys before it. Some have `enabled`.
    """

    if TYPE_CHECKING:
        interval: Duration
        """Time between two scheduled runs, in seconds."""
        deadline: Duration
        """A run that takes longer is ended."""

    @property
    def scheduled(self) -> bool:
        """Whether it runs on a schedule."""
        return bool(getattr(self, "enabled", True))
