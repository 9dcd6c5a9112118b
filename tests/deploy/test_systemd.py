"""The unit of systemd: systemd understands it, it is shut in, and fits image and configuration."""

import configparser
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from exporter.settings.load import load_settings
from exporter.store.config import default_folder
from tests.deploy.compose import ROOT, services

UNIT = ROOT / "deploy" / "systemd" / "voice-exporter.service"
PROGRAM = "/opt/voice-exporter/bin/voice-exporter"
MAX_EXPOSURE = 1.5
"""Of 10. What is left is the network, its sockets, and that it runs on the host's root."""


def analyze(*arguments: str | Path) -> str:
    """Run systemd-analyze, which needs no running systemd for this; it must be content."""
    program = shutil.which("systemd-analyze")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "needs systemd-analyze; Debian has it in systemd"
        )
    done = subprocess.run(
        [program, "--no-pager", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    """The section `Service`; of a key that stands twice, the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read(UNIT, encoding="utf-8")
    return parser["Service"]


def test_systemd_understands_it(tmp_path: Path) -> None:
    """No key is unknown and no value wrong; the program itself is not installed here."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text("utf-8").replace(PROGRAM, "/bin/true"), encoding="utf-8")
    assert analyze("verify", "--man=no", unit) == ""


def test_it_is_shut_in() -> None:
    """The exposure that `systemd-analyze security` counts stays small."""
    told = analyze("security", "--offline=yes", f"--threshold={MAX_EXPOSURE * 10:.0f}", UNIT)
    assert "Overall exposure level" in told


def test_it_is_started_and_stopped_as_the_image_is(service: configparser.SectionProxy) -> None:
    """The same command, state folder and time to stop."""
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    words = ", ".join(f'"{word}"' for word in service["ExecStart"].split()[1:])
    assert service["ExecStart"].split()[0] == PROGRAM
    assert f"\nCMD [{words}]\n" in dockerfile
    assert f"/var/lib/{service['StateDirectory']}" == str(default_folder({}, user_id=0))
    grace = services()["exporter"].raw["stop_grace_period"]
    assert f"{service['TimeoutStopSec']}s" == grace


def test_its_credentials_are_found(service: configparser.SectionProxy, tmp_path: Path) -> None:
    """The variables lead to the files that systemd puts into the folder of credentials."""
    environ = dict(each.split("=") for each in service["Environment"].split())
    for name, path in environ.items():
        file = tmp_path / path.removeprefix("%d/")
        assert f"LoadCredential={file.name}:/etc/voice-exporter/{file.name}\n" in UNIT.read_text()
        file.write_text(f"the-{file.name}-of-a-test", encoding="utf-8")
        environ[name] = str(file)
    (file := tmp_path / "voice-exporter.yaml").write_text("livekit: {url: ws://sfu.example}\n")
    server = load_settings(file, {}, environ).server()
    assert (server.api_key, server.api_secret) == (
        "the-api-key-of-a-test",
        "the-api-secret-of-a-test",
    )
