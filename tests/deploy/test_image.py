"""What the image is made of: the Dockerfile, what it copies, and the scripts around it.

That it builds and runs takes minutes and an engine: `make bench-image` does it.
"""

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from exporter import __version__
from exporter.store.config import default_folder
from tests.deploy.compose import ROOT
from tests.offenders import every

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
SCRIPTS = sorted(ROOT.glob("deploy/*.sh"))
BIN = Path(sys.executable).parent


def lint(program: str, *files: Path) -> None:
    """Run a linter that came with the development packages; it must be content."""
    done = subprocess.run(
        [BIN / program, *files], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_is_clean() -> None:
    """Hadolint finds nothing."""
    lint("hadolint", ROOT / "Dockerfile")


def test_the_scripts_are_clean() -> None:
    """Shellcheck finds nothing, and each may be run."""
    assert SCRIPTS
    lint("shellcheck", *SCRIPTS)
    assert all(script.stat().st_mode & 0o111 for script in SCRIPTS)


@every(SCRIPTS, lambda script: script.name)
def test_the_scripts_parse(script: Path) -> None:
    """The shell that each names takes it."""
    shell = "bash" if "bash" in script.read_text("utf-8").splitlines()[0] else "sh"
    subprocess.run([shell, "-n", script], check=True, timeout=60)


def test_the_base_is_pinned_and_one_for_all_stages() -> None:
    """A virtual environment points at the Python that made it."""
    (base,) = re.findall(r"(?m)^ARG BASE=(\S+)$", DOCKERFILE)
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", base), base
    froms = re.findall(r"(?m)^FROM (\S+) AS (\S+)$", DOCKERFILE)
    stages = {name for _, name in froms}
    assert {source for source, _ in froms} - stages == {"${BASE}"}
    assert froms[-1][1] == "exporter", "the last stage is what is built without --target"


def test_the_label_tells_this_version() -> None:
    """Whoever looks at the image sees the version that runs in it."""
    assert re.findall(r"(?m)^ARG VERSION=(\S+)$", DOCKERFILE) == [__version__]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f'"{project["description"]}"' in DOCKERFILE
    assert f'licenses="{project["license"]}"' in DOCKERFILE


def test_it_runs_as_a_user_by_number() -> None:
    """Not as root, and by a number, which Kubernetes can check; it may write the ledger alone."""
    (user, group) = re.findall(r"(?m)^USER (\d+):(\d+)$", DOCKERFILE)[0]
    folder = default_folder({"STATE_DIRECTORY": "/var/lib/voice-exporter"}, int(user))
    assert int(user) >= 10000
    assert f"install -d -o {user} -g {group} -m 0770 {folder}" in DOCKERFILE
    assert f"STATE_DIRECTORY={folder}" in DOCKERFILE
    assert f"\nVOLUME {folder}\n" in DOCKERFILE


def test_dependencies_come_by_lock() -> None:
    """Whatever pip installs has a hash in a lock, or was built here."""
    commands = DOCKERFILE.replace("\\\n", " ").splitlines()
    installs = [
        each
        for line in commands
        for each in line.split("&&")
        if re.search(r"pip\S* .*install", each)
    ]
    assert len(installs) == 4
    for each in installs:
        assert "--require-hashes -r requirements/" in each or "--no-deps /dist/*.whl" in each


def copied() -> list[str]:
    """Return what the Dockerfile takes from the tree."""
    lines = re.findall(r"(?m)^COPY (?!--from)(.+)$", DOCKERFILE)
    return [source for line in lines for source in line.split()[:-1]]


@every(copied())
def test_what_is_copied_is_there_and_not_ignored(source: str) -> None:
    """`.dockerignore` leaves out everything but what is named, so each must be named."""
    assert (ROOT / source).exists()
    patterns = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = [line[1:] for line in patterns if line.startswith("!")]
    assert "*" in patterns
    assert any(source == each or source.startswith(f"{each}/") for each in allowed)


@every([".env", "deploy/secret", "voice-exporter.yaml", ".git/config"])
def test_what_lies_beside_stays_out(secret: str) -> None:
    """A file with a secret in the folder gets into no layer."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = [line[1:] for line in lines if line.startswith("!")]
    assert not any(fnmatch(secret, f"{each}*") for each in allowed)
