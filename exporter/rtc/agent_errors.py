"""What an agent says of its own error, in words.

livekit-agents sends the representation of a Python object, such as "type='llm_error' timestamp=1.5
label='...' error=APIStatusError('...', status_code=503, ...) recoverable=False".
"""

import ast
import re

from exporter.server_api.errors import one_line

_LONGEST = 20_000
"""Characters that are looked at."""
_QUOTED = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_OBJECT = re.compile(rf"type='(\w+?)(?:_model)?_error' .*? error=(\w+)\({_QUOTED}?", re.DOTALL)
_STATUS = re.compile(r"\bstatus_code=(\d{3})\b")
_SAYS = re.compile(
    r"""\s*(?:[:=]|(?<!\w)['"`\N{LEFT DOUBLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}]).*""",
    re.DOTALL,
)
"""From the first colon or quotation on a message may repeat what was said or is to be said, such as
"no audio frames were pushed for text: ..." of speech synthesis: an error goes into logs and pages,
words do not."""
_INNER = re.compile(rf"""['"]message['"]: {_QUOTED}""")
"""A provider's own words, within its answer in JSON."""


def in_words(message: str) -> str:
    """Return one line: the kind of part (llm, stt, tts, realtime), its status, its message."""
    text = message[:_LONGEST]
    found = _OBJECT.match(text)
    if found is None:
        return one_line(_without_words(text)) or "an error without a message"
    part, kind, quoted = found.groups()
    words = _text(quoted)
    if inner := _INNER.search(words):
        words = _text(inner[1])
    words = _without_words(words)
    status = _STATUS.search(text, found.end())
    what = f"HTTP {status[1]}" if status else kind
    return one_line(f"{part}: {what}: {words}" if words else f"{part}: {what}")


def _text(quoted: str | None) -> str:
    """Return what a quoted text says; as it stands where Python would not have written it so."""
    if not quoted:
        return ""
    try:
        # A surrogate can be written, and is no text that could be sent on.
        return str(ast.literal_eval(quoted)).encode("utf-8", "replace").decode()
    except (SyntaxError, ValueError):
        return quoted[1:-1]


def _without_words(text: str) -> str:
    return _SAYS.sub("", text).rstrip(" [{(,")
