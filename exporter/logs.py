"""Logs: one line an event on stderr, logfmt or JSON, with the run's id and without secrets.

Fields travel in `extra=`: `log.info("call ended", extra={"agent_name": "demo"})`. Secrets are not
logged on purpose anywhere; `redact` is the second fence, for what other libraries say.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Literal, TextIO

RUN_ID: ContextVar[str] = ContextVar("run_id", default="")
"""The run that the current task works for; "" outside of runs."""

MASK = "***"
_TOKEN = re.compile(r"eyJ[\w-]{4,}\.[\w-]+\.[\w-]+")
"""A signed token such as those made from the API secret: as good as the secret while it lasts."""
_BARE = re.compile(r"[^\s\"=\\]+")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
QUIET = ("apscheduler", "uvicorn")
"""What these say below an error is told better by our own lines."""
MUTE = ("livekit",)
"""In an outage the SDK writes dozens of errors a call; the reason of the run says it once."""
_SDK = "/livekit/rtc/"
"""Some of them by the root logger, such as of a track that is gone when its room is left."""


@dataclass(frozen=True, slots=True)
class LogSetup:
    """How a process of ours logs; the probe processes are handed the same as their parent."""

    level: str = "info"
    format: Literal["logfmt", "json"] = "logfmt"
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Values that never appear in a line, whoever logs them."""


def redact(text: str, secrets: Sequence[str]) -> str:
    """Return the text with every secret and every signed token replaced by `***`."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _TOKEN.sub(MASK, text)


def configure(setup: LogSetup, stream: TextIO | None = None) -> None:
    """Send this process's logs to stderr, as `setup` says; replaces what was set before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Formatter(setup))
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


class _Formatter(logging.Formatter):
    """One record as one line; a traceback is a field of that line."""

    def __init__(self, setup: LogSetup) -> None:
        super().__init__()
        self._setup = setup

    def format(self, record: logging.LogRecord) -> str:
        fields = {key: redact(text, self._setup.secrets) for key, text in self._fields(record)}
        if self._setup.format == "json":
            return _json(fields)
        return " ".join(f"{key}={_quoted(text)}" for key, text in fields.items())

    def _fields(self, record: logging.LogRecord) -> Iterator[tuple[str, str]]:
        """Give name and text of each field, in the order of the line."""
        when = datetime.fromtimestamp(record.created, UTC)
        yield "ts", when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        yield "level", record.levelname.lower()
        yield "logger", record.name
        yield "msg", record.getMessage()
        if RUN_ID.get() and "run" not in vars(record):
            yield "run", RUN_ID.get()
        for key, value in vars(record).items():
            if key not in _STANDARD and value is not None:
                yield key, f"{value:.3f}" if isinstance(value, float) else str(value)
        if record.exc_info:
            yield "traceback", self.formatException(record.exc_info)


def _quoted(text: str) -> str:
    """Return a logfmt value: bare when it can be, else quoted on one line."""
    return text if _BARE.fullmatch(text) and text.isprintable() else _json(text)


def _json(value: object) -> str:
    """Write JSON without what would steer a terminal: a path may be a stranger's text."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)
