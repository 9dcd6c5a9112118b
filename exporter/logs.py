"""Logs: one line an event on stderr, logfmt or JSON, with the run's id and without secrets.

Fields travel in `extra=`: `log.info("call ended", extra={"agent_name": "demo"})`, the run's id in
structlog's context: `bound_contextvars(run=...)`. Secrets are not logged on purpose anywhere;
`redact` is the second fence, for what other libraries say.
"""

import json
import logging
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, Literal, TextIO

from structlog.contextvars import merge_contextvars
from structlog.processors import JSONRenderer, LogfmtRenderer, format_exc_info
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.typing import EventDict, Processor

MASK = "***"
_TOKEN = re.compile(r"eyJ[\w-]{4,}\.[\w-]+\.[\w-]+")
"""A signed token such as those made from the API secret: as good as the secret while it lasts."""
_SHORT = 8
"""Characters of a secret below which it may well be a part of a word."""
_WORD = r"(?<![\w-])(?<!\w')({})(?![\w-]|'\w)"
_META = ("_record", "_from_structlog", "message", "asctime")
"""Not of the line: structlog's own, and what another formatter leaves in a record."""
QUIET = ("apscheduler", "uvicorn")
"""What these say below an error is told better by our own lines."""
MUTE = ("livekit",)
"""In an outage the SDK writes dozens of errors a call; the reason of the run says it once."""
_SDK = "/livekit/rtc/"
"""Some of them by the root logger, such as of a track that is gone when its room is left."""


@dataclass(frozen=True, slots=True)
class LogSetup:
    """How a process logs; probe processes get the setup of their parent."""

    level: str = "info"
    format: Literal["logfmt", "json"] = "logfmt"
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Values that never appear in a line, from any logger."""


def redact(text: str, secrets: Sequence[str]) -> str:
    """Return the text with every secret and every signed token replaced by `***`.

    A short secret, as development servers have, only where it stands as a word of its own: within
    other words it hides nothing, and makes the line unreadable.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        if len(secret) < _SHORT:
            text = re.sub(_WORD.format(re.escape(secret)), MASK, text)
        else:
            text = text.replace(secret, MASK)
    return _TOKEN.sub(MASK, text)


def configure(setup: LogSetup, stream: TextIO | None = None) -> None:
    """Send this process's logs to stderr, as `setup` says; replaces what was set before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(ProcessorFormatter(processors=_processors(setup)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    level = logging.getLevelNamesMapping()[setup.level.upper()]
    if level != logging.DEBUG:
        handler.addFilter(_is_heard)
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("exporter").setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.ERROR))
    for name in MUTE:
        logging.getLogger(name).setLevel(level if level == logging.DEBUG else logging.CRITICAL)


def _is_heard(record: logging.LogRecord) -> bool:
    """Tell whether a record is not of those that the SDK writes by the root logger."""
    ours = record.name != "root" or _SDK not in PurePath(record.pathname).as_posix()
    return ours or record.levelno >= logging.CRITICAL


def _processors(setup: LogSetup) -> tuple[Processor, ...]:
    """Return the steps that make one line of a record."""

    def redacted(_logger: object, _level: str, fields: EventDict) -> EventDict:
        return {key: redact(text, setup.secrets) for key, text in fields.items()}

    return (
        merge_contextvars,
        ExtraAdder(),
        format_exc_info,
        _texts,
        redacted,
        JSONRenderer(ensure_ascii=False) if setup.format == "json" else LogfmtRenderer(),
        _printable,
    )


def _texts(_logger: object, level: str, fields: EventDict) -> EventDict:
    """Return name and text of each field, in the order of the line; None is left out."""
    record = fields["_record"]
    when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    head = {"ts": when.replace("+00:00", "Z"), "level": level, "logger": record.name}
    head["msg"], tail = fields.pop("event"), {"traceback": fields.pop("exception", None)}
    line = head | {key: value for key, value in fields.items() if key not in _META} | tail
    return {
        key: f"{value:.3f}" if isinstance(value, float) else str(value)
        for key, value in line.items()
        if value is not None
    }


def _printable(_logger: object, _level: str, line: Any) -> str:
    """Escape what would steer a terminal: a path may be a stranger's text."""
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in line)
