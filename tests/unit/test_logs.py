"""How log lines look, and what never is in them."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
from livekit.rtc import room
from structlog.contextvars import bound_contextvars

from exporter.logs import LogSetup, configure, redact

SECRET = 's3cret/with+odd"chars'  # noqa: S105 - made up for these tests
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ2aWRlbyI6e319.c2lnbmF0dXJl-_x"  # noqa: S105 - signs nothing


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Put the process's logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("exporter", "apscheduler", "uvicorn"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def written(setup: LogSetup, *args: object, **extra: object) -> str:
    """Log one line and return it."""
    stream = io.StringIO()
    configure(setup, stream)
    logging.getLogger("exporter.test").info(*args, extra=extra)
    return stream.getvalue()


def test_logfmt_line() -> None:
    """One line: time, level, logger, message and fields; odd values are quoted, None left out."""
    fields = {"agent_name": "demo", "s": 1.23456, "why": 'a "b"', "no": None}
    line = written(LogSetup(), "call %s", "ended", **fields)

    ts, rest = line.split(" ", 1)
    assert ts.startswith("ts=20")
    assert ts.endswith("Z")
    assert rest == (
        'level=info logger=exporter.test msg="call ended" agent_name=demo s=1.235 why="a \\"b\\""\n'
    )


def test_json_line() -> None:
    """The same fields as one JSON object."""
    line = json.loads(written(LogSetup(format="json"), "call ended", agent_name="demo\n2"))

    assert line["msg"] == "call ended"
    assert line["agent_name"] == "demo\n2"


@pytest.mark.parametrize("style", ["logfmt", "json"])
def test_no_text_steers_a_terminal(style: Literal["logfmt", "json"]) -> None:
    """Escapes, also those above ASCII, are written as such; letters of all scripts are not."""
    line = written(LogSetup(format=style), "odd", path="/\x1b[2J\x7f\x9b\u202e")
    assert line.rstrip("\n").isprintable()
    assert "\\u001b[2J" in line
    assert "Zoë" in written(LogSetup(format=style), "even", agent_name="Zoë")


def test_run_id_is_on_every_line_of_a_run() -> None:
    """Whoever logs within a run, the line has its id."""
    with bound_contextvars(run="abc123"):
        assert " run=abc123" in written(LogSetup(), "hm")
        assert " run=other" in written(LogSetup(), "hm", run="other")
    assert "run=" not in written(LogSetup(), "hm")


@pytest.mark.parametrize("style", ["logfmt", "json"])
def test_secrets_never_appear(style: str) -> None:
    """In message, fields and traceback a secret or a token of it reads ***."""
    setup = LogSetup(format="json" if style == "json" else "logfmt", secrets=(SECRET,))
    stream = io.StringIO()
    configure(setup, stream)
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("exporter.x").exception("with %s", TOKEN, extra={"field": SECRET})

    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "s3cret" not in text
    assert "eyJ" not in text
    assert text.count("***") >= 3
    assert "ValueError" in text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("connection refused, it's closed", "connection refused, it's closed"),
        ("no such server-side session s", "no such server-side session ***"),
        ("secret=s, ('s', \"s\") /s/ s", "secret=***, ('***', \"***\") /***/ ***"),
    ],
)
def test_a_short_secret_is_redacted_as_a_word(text: str, redacted: str) -> None:
    """A secret of a few letters leaves the words readable that happen to have them."""
    assert redact(text, ("s",)) == redacted
    assert redact("abcdefg abcdefgh", ("abcdefg",)) == "*** abcdefgh"
    assert redact("xabcdefghx", ("abcdefgh",)) == "x***x"


def test_redact_prefers_the_longer_secret() -> None:
    """A secret that contains another leaves no tail; empty secrets hide nothing."""
    assert redact("key-and-more key", ("key", "key-and-more", "")) == "*** ***"


def test_level_is_ours_only() -> None:
    """The level is for our own lines; of other libraries only warnings are written."""
    stream = io.StringIO()
    configure(LogSetup(level="info"), stream)
    logging.getLogger("exporter.a").info("ours")
    logging.getLogger("elsewhere").info("theirs")
    logging.getLogger("elsewhere").warning("their warning")

    assert "ours" in stream.getvalue()
    assert "theirs" not in stream.getvalue()
    assert "their warning" in stream.getvalue()


@pytest.mark.parametrize(("level", "is_heard"), [("info", False), ("debug", True)])
def test_the_sdk_writes_nothing_by_the_root_logger(level: str, is_heard: bool) -> None:
    """A track that is gone when its room is left is no news; others by the same logger are."""
    stream = io.StringIO()
    configure(LogSetup(level=level), stream)
    root = logging.getLogger()
    for file, text in ((room.__file__, "the SDK's"), (__file__, "another's")):
        root.handle(root.makeRecord("root", logging.ERROR, file, 1, text, (), None))
    assert ("the SDK's" in stream.getvalue()) == is_heard
    assert "another's" in stream.getvalue()
