"""deploy/build-image.sh, with programs of the test in place of buildah and debootstrap."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.deploy.compose import ROOT

SCRIPT = ROOT / "deploy" / "build-image.sh"


@pytest.fixture(name="programs")
def _programs(tmp_path: Path) -> Path:
    """A folder with a buildah that writes down its arguments, one a line."""
    program(tmp_path, "buildah", 'printf "%s\\n" "$@" >>"$(dirname "$0")/arguments"')
    return tmp_path


def program(folder: Path, name: str, text: str) -> None:
    """Put a program into a folder."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def build(programs: Path, *arguments: str) -> tuple[int, list[str]]:
    """Run the script and return its exit status, and what it told buildah."""
    environ = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        [SCRIPT, *arguments], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    told = programs / "arguments"
    return done.returncode, told.read_text().splitlines() if told.exists() else []


def test_the_exporter_is_built(programs: Path) -> None:
    """From the base that the Dockerfile names, with the health check in it."""
    status, told = build(programs)
    assert status == 0
    assert told[0] == "bud"
    assert told[told.index("--target") + 1] == "exporter"
    assert told[told.index("--tag") + 1] == "voice-exporter"
    assert told[told.index("--format") + 1] == "docker"
    assert not any(argument.startswith("BASE=") for argument in told)


def test_what_is_asked_for_is_built(programs: Path) -> None:
    """Target, base, and what is left to buildah; the tag follows the target."""
    status, told = build(programs, "--target", "demo", "--base", "mine:1", "--", "--layers")
    assert status == 0
    assert told[told.index("--target") + 1] == "demo"
    assert told[told.index("--tag") + 1] == "voice-exporter-demo"
    assert "BASE=mine:1" in told
    assert told[-2:] == ["--layers", "."]


def test_without_a_base_nothing_is_built(programs: Path) -> None:
    """A debootstrap that fails is the end, and leaves no folder."""
    program(programs, "debootstrap", "exit 3")
    program(programs, "mktemp", f"mkdir {programs}/root && echo {programs}/root")
    assert build(programs, "--base", "debootstrap") == (3, [])
    assert not (programs / "root").exists()


def test_an_unknown_flag_is_wrong_usage(programs: Path) -> None:
    """It is not passed on."""
    assert build(programs, "--no-such-flag") == (2, [])
