"""What the pages for people name, exists: files, headings, settings, metrics, alerts, commands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest
import yaml
from pydantic import BaseModel

from bench.pictures import FOLDER, PICTURES, drawn
from exporter.cli import cli
from exporter.demo.settings import DemoSettings
from exporter.metrics.table import ROWS
from exporter.settings.load import load_settings
from exporter.settings.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDERS = ("", "docs", "deploy", "dashboards", "alerts", "alerts/runbooks")
PAGES = sorted(page for folder in FOLDERS for page in (ROOT / folder).glob("*.md"))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
_CODE = re.compile(r"^```.*?^```$|^    .*?$", re.DOTALL | re.MULTILINE)
_QUOTED = re.compile(r"`([^`\n]+)`")
_CONFIG = re.compile(r"^[a-z_]+: \{")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return _CODE.sub("", page.read_text(encoding="utf-8"))


def code(page: Path) -> Iterator[str]:
    """Yield the lines of the blocks of code, those that go on in the next one put together."""
    blocks = _CODE.findall(page.read_text(encoding="utf-8"))
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        yield line.strip()


def quoted(page: Path) -> list[str]:
    """Return what stands in backticks in running text."""
    return _QUOTED.findall(prose(page))


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    words = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", each) for each in found)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in words}


def keys(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Yield the dotted path of every setting; items of lists have no index in it."""
    for name, field in model.model_fields.items():
        yield f"{path}{name}"
        for part in _models(field.annotation):
            yield from keys(part, f"{path}{name}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


SETTINGS = frozenset(keys(Settings))


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of this project, and to a heading in it, names one that exists."""
    for link in re.findall(r"\]\(([^):\s]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


@each_page
def test_dated_reasons_are_paragraphs(page: Path) -> None:
    """Each stands once, and after an empty line: else it is shown as the end of the one before."""
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"[^\n]\n(\*\*\d{4}-\d\d-\d\d\..*)", text) == []
    reasons = re.findall(r"^\*\*\d{4}-\d\d-\d\d\..*", text, re.MULTILINE)
    assert [each for each in reasons if reasons.count(each) > 1] == []


@each_page
def test_no_registry_is_linked(page: Path) -> None:
    """A package is named with its version: which registry serves it is for who installs it."""
    text = page.read_text(encoding="utf-8")
    hosts = (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "com"), ("crates", "io"))
    assert [host for host in map(".".join, hosts) if host in text] == []


@each_page
def test_make_targets_exist(page: Path) -> None:
    """Every `make` target that a page names is a rule of the Makefile, or a bench."""
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    for name in set(re.findall(r"(?:^    |`)make ([a-z-]+)", text, re.MULTILINE)) - rules:
        bench = name.removeprefix("bench-").replace("-", "_")
        assert name.startswith("bench-"), name
        assert (ROOT / "bench" / f"{bench}.py").is_file(), name


IMPORTED_BY_WORKERS = "voice_exporter_agent"
"""The package's name begins as metrics do."""


@each_page
def test_metrics_exist(page: Path) -> None:
    """Every metric that a page names is in the table of metrics, or begins one with a `*`."""
    for name in re.findall(r"\bvoice_[a-z0-9_]+\*?", " ".join(quoted(page))):
        known = name in (*ROWS, IMPORTED_BY_WORKERS) or _SUFFIX.sub("", name) in ROWS
        stem = name.rstrip("*")
        assert known or (name != stem and any(row.startswith(stem) for row in ROWS)), name


@each_page
def test_settings_exist(page: Path) -> None:
    """Every setting that a page names with its section is one, as is the section."""
    sections = {key for key in SETTINGS if "." not in key}
    for text in quoted(page):
        path = text.replace("[]", "")
        if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", path) and path.partition(".")[0] in sections:
            assert path in SETTINGS, text


@each_page
def test_settings_in_a_line_are_good(page: Path, tmp_path: Path) -> None:
    """A setting that is written as YAML in running text is one that the exporter takes."""
    for text in quoted(page):
        if _CONFIG.match(text) and text.partition(":")[0] in SETTINGS:
            file = tmp_path / "line.yaml"
            file.write_text(text, encoding="utf-8")
            load_settings(file, {})


@each_page
def test_alerts_exist(page: Path) -> None:
    """Every alert that a page names is one of the rules."""
    rules = yaml.safe_load((ROOT / "alerts" / "alerts.yaml").read_text(encoding="utf-8"))
    alerts = {rule.get("alert") for group in rules["groups"] for rule in group["rules"]}
    named = set(re.findall(r"`(Voice[A-Z]\w+)`", prose(page)))
    assert named <= alerts


@each_page
def test_commands_are_understood(page: Path) -> None:
    """Every command line of ours has a command and flags that exist."""
    for line in (*code(page), *quoted(page)):
        words = re.sub(r"^\S+/(?=voice-exporter )", "", line).partition("  ")[0]
        if words.startswith("voice-exporter ") and not words.endswith(":"):
            parse(shlex.split(words, comments=True)[1:])


def parse(arguments: list[str]) -> None:
    """Go down to the command and read its flags; nothing is run, no file is opened.

    Raises:
        click.UsageError: There is no such command or flag.
    """
    # A command keeps the help option of the first context that asks for it.
    context = click.Context(cli, info_name="voice-exporter", **cli.context_settings)
    while isinstance(context.command, click.Group) and arguments and arguments[0][0] != "-":
        name, command, arguments = context.command.resolve_command(context, arguments)
        assert command is not None
        context = click.Context(command, info_name=name, parent=context)
    context.command.make_parser(context).parse_args(list(arguments))


@each_page
def test_the_demo_takes_these_settings(page: Path) -> None:
    """What a page sends to the demo's providers is understood there."""
    for line in code(page):
        if found := re.search(r"curl -X PUT.*? -d '([^']+)'", line):
            DemoSettings().changed(yaml.safe_load(found[1]))


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_follow_from_their_figures(name: str) -> None:
    """Every picture is what `python -m bench.pictures` draws."""
    assert (FOLDER / f"{name}.svg").read_text(encoding="utf-8") == drawn(name)


def test_every_page_is_reached_from_the_readme() -> None:
    """Whoever begins at the README finds every page of docs/."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [
        page.name for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in readme
    ]
    assert missing == []
