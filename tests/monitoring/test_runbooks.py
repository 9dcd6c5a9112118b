"""The runbooks: one for each alert, of a known shape, naming only what there is."""

import re
from pathlib import Path

from exporter.cli import cli
from exporter.metrics.table import ROWS
from tests.monitoring import rules
from tests.monitoring.rules import ALERTS
from tests.offenders import every

FOLDER = ALERTS / "runbooks"
BOOKS = sorted(FOLDER.glob("*.md"))
RULES = rules.load()
SECTIONS = ["What it means", "First look", "Usual causes", "How to silence"]
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def test_each_alert_has_one() -> None:
    """No alert without a runbook, no runbook without an alert."""
    assert {book.stem for book in BOOKS} == {rule.name for rule in RULES if rule.is_alert}


@every(BOOKS, lambda book: book.stem)
def test_a_runbook_can_be_followed(book: Path) -> None:
    """It has its four sections, and every alert, metric, command and setting in it exists."""
    text = book.read_text("utf-8")
    assert text.startswith(f"# {book.stem}\n\nSeverity: ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert f"amtool silence add alertname={book.stem} " in text
    assert set(re.findall(r"\bVoice[A-Z]\w+", text)) <= {rule.name for rule in RULES}
    assert [name for name in _metrics(text) if name not in ROWS] == []
    recorded = set(re.findall(r"\b\w+:\w+:\w+", text)) - {"http"}
    assert recorded <= {rule.name for rule in RULES}
    for words in re.findall(r"^    voice-exporter (\w+)(?: (--?[\w-]+))?", text, re.MULTILINE):
        _check_command(*words)


def _metrics(text: str) -> set[str]:
    """Return the names of our metrics, those of a histogram's series as the histogram."""
    names = set(re.findall(r"(?<![\w:])voice_\w+(?!\w*:)", text))
    return {name if name in ROWS else _SUFFIX.sub("", name) for name in names}


def _check_command(name: str, option: str) -> None:
    command = cli.commands[name]
    known = {each for parameter in command.params for each in parameter.opts}
    assert not option or option in known, f"voice-exporter {name} has no {option}"
