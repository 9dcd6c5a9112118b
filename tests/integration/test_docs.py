"""What README and docs tell a person to type, works; the files that they show are good."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.server_api import Server
from exporter.settings.load import load_settings

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = (README, ROOT / "docs" / "quickstart.md", ROOT / "docs" / "operating.md")
LIMIT_S = 180
CONFIG = "voice-exporter.yaml"
PROMETHEUS = "prometheus.yml"
NOWHERE = Server("ws://127.0.0.1:1", "key", "s" * 32)


def commands() -> list[str]:
    """Return the command lines below a comment `run`, each once: a call takes its time."""
    texts = (page.read_text(encoding="utf-8") for page in PAGES)
    blocks = (block for text in texts for block in _blocks(text, "run"))
    lines = (line for block in blocks for line in block.splitlines() if line.strip())
    return list(dict.fromkeys(lines))


def files() -> list[tuple[str, str, str]]:
    """Return page, name and text of every file below a comment `config`."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"<!-- config ?(\S*) -->", text):
            mark = f"config {name}".strip()
            found += [(page.name, name or CONFIG, block) for block in _blocks(text, mark)]
    return found


def _blocks(text: str, mark: str) -> list[str]:
    return re.findall(rf"<!-- {re.escape(mark)} -->\n```\w+\n(.*?)```", text, re.DOTALL)


MEASURES = ("latency", "check", "sfu", "calibrate")
"""Commands that take their time, and whose verdict hangs on the machine."""
ASKS = (*MEASURES, "agents")
"""Commands that need a server."""


def by_length(command: str) -> object:
    """Return a case: one that needs a server, and an agent, runs each night."""
    long = shlex.split(command)[1] in ASKS
    return pytest.param(command, marks=pytest.mark.long if long else ())


@pytest.mark.integration
@pytest.mark.parametrize("command", [by_length(each) for each in commands()])
def test_a_command_works(command: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Every command line that is marked runs; only a slow machine may earn it a verdict."""
    config = next(text for _, name, text in files() if name == CONFIG)
    (tmp_path / CONFIG).write_text(config, encoding="utf-8")
    name, *arguments = shlex.split(command)
    assert name == "voice-exporter"
    needs_server = arguments[0] in ASKS
    if needs_server:
        request.getfixturevalue("providers")  # those of an agent that can be called
    server: Server = request.getfixturevalue("livekit") if needs_server else NOWHERE
    environ = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
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
    allowed = {0, 1} if arguments[0] in MEASURES else {0}
    assert done.returncode in allowed, done.stderr
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("page", "name", "text"), files())
def test_a_file_is_good(
    page: str, name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file that a page shows is accepted by the program that it is for."""
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    if name == PROMETHEUS:
        _check_prometheus(file)
        return
    for variable in ("URL", "API_KEY", "API_SECRET"):
        monkeypatch.setenv(f"LIVEKIT_{variable}", "ws://127.0.0.1:7880")
    settings = load_settings(file, {})
    if name == CONFIG:
        assert settings.targets, page


def _check_prometheus(file: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool")
    (file.parent / "alerts").symlink_to(ROOT / "alerts")
    done = subprocess.run(
        [promtool, "check", "config", str(file)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_names_every_reason() -> None:
    """The list of reasons in the README is the one of the code."""
    from exporter.outcome import Reason  # noqa: PLC0415

    lines = README.read_text(encoding="utf-8").splitlines()
    line = next(line for line in lines if line.startswith("A failed call is always counted"))
    assert re.findall(r"`(\w+)`", line) == [reason.value for reason in Reason]
