"""What README and docs tell a person to type, works; what they point to, exists."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.demo.settings import DemoSettings
from exporter.server_api import Server
from tests.integration.workers import demo_agent

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
LIMIT_S = 180


def blocks(mark: str) -> list[str]:
    """Return the code blocks of the README that stand below a comment with this mark."""
    return re.findall(rf"<!-- {mark} -->\n```\w+\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    """Return the command lines of the README that are meant to be run."""
    return [line for block in blocks("run") for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def agent(livekit: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo's agent on the shared server."""
    with demo_agent(livekit, tmp_path_factory.mktemp("demo"), DemoSettings()):
        yield livekit


@pytest.mark.integration
@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_readme_works(command: str, agent: Server, tmp_path: Path) -> None:
    """Every command line of the README runs; only a slow machine may earn it a verdict."""
    (tmp_path / "voice-exporter.yaml").write_text(blocks("config")[0], encoding="utf-8")
    name, *arguments = shlex.split(command)
    assert name == "voice-exporter"
    environ = os.environ | {
        "LIVEKIT_URL": agent.url,
        "LIVEKIT_API_KEY": agent.api_key,
        "LIVEKIT_API_SECRET": agent.api_secret,
    }
    done = subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    allowed = {0, 1} if arguments[0] in ("latency", "check", "sfu") else {0}
    assert done.returncode in allowed, done.stderr
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of this project names one that exists."""
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    """Every `make` target that a page names stands in the Makefile."""
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", text, re.MULTILINE))
    assert named <= rules


def test_the_readme_names_every_reason() -> None:
    """The list of reasons in the README is the one of the code."""
    from exporter.outcome import Reason  # noqa: PLC0415

    line = next(line for line in README.splitlines() if line.startswith("A failed call is data"))
    assert re.findall(r"`(\w+)`", line) == [reason.value for reason in Reason]
