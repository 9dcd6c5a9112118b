"""Each program that the compose file starts takes the configuration it is given."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from exporter.settings.load import load_settings
from exporter.settings.settings import Settings
from exporter.web.settings import EVERYWHERE
from tests.deploy.compose import ROOT, services
from tests.monitoring.services import require_programs

DEPLOY = ROOT / "deploy"
CREDENTIALS = {
    "LIVEKIT_API_KEY": "APIdeploy",
    "LIVEKIT_API_SECRET": "of-a-test-and-of-nothing-else-0123456789",
}


@pytest.fixture(scope="module")
def settings() -> Settings:
    """The exporter's settings, with credentials in place of the files of the volume."""
    return load_settings(DEPLOY / "voice-exporter.yaml", {}, CREDENTIALS)


def run(*command: str | Path) -> str:
    """Run a checker and return what it said; it must be content."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_exporter_calls_the_agent_of_the_demo(settings: Settings) -> None:
    """Server, agent and worker are those of the compose file, and the first calls come soon."""
    livekit = yaml.safe_load((DEPLOY / "livekit.yaml").read_text("utf-8"))
    assert settings.server().url == f"ws://livekit:{livekit['port']}"
    agent = services()["agent"]
    assert settings.workers.scrape == (f"http://agent:{agent.flag('port')}",)
    (target,) = settings.targets
    assert target.agent_name == "demo"
    assert "--agent-name" not in " ".join(agent.command)
    assert target.interval <= 60


def test_the_exporter_can_be_reached_and_written_to_by_nobody(settings: Settings) -> None:
    """It listens beyond the container, and without a token refuses writes from there."""
    assert settings.web.host == EVERYWHERE
    assert settings.web.write_token == ""
    assert settings.store.folder is None, "the image says where the ledger is"


def test_the_image_starts_with_nothing_but_the_environment() -> None:
    """The configuration that the image ships leaves all but the address to variables."""
    environ = {
        **CREDENTIALS,
        "LIVEKIT_URL": "ws://127.0.0.1:7880",
        "VOICE_EXPORTER_TARGETS__0__AGENT_NAME": "mine",
    }
    shipped = load_settings(DEPLOY / "container" / "voice-exporter.yaml", {}, environ)
    assert shipped.web.listen_address == ":9465"
    assert [target.agent_name for target in shipped.targets] == ["mine"]
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    assert f"\nEXPOSE {shipped.web.port}\n" in dockerfile


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    """Promtool finds nothing, with the rules where they are mounted."""
    require_programs()
    mounts = [mount for mount in services()["prometheus"].mounts if mount.path]
    for mount in mounts:
        assert mount.path is not None
        copy = tmp_path / mount.target.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(mount.path, copy)
    config = tmp_path / "etc/prometheus/prometheus.yml"
    inside = config.read_text("utf-8").replace("/etc/prometheus/", f"{config.parent}/")
    config.write_text(inside, encoding="utf-8")
    said = run("promtool", "check", "config", config)
    rules = [mount for mount in mounts if "/rules/" in mount.target]
    assert said.count(" rules found") == len(rules), said


def test_alertmanager_takes_its_configuration() -> None:
    """Amtool finds nothing."""
    require_programs()
    (mount,) = [mount for mount in services()["alertmanager"].mounts if mount.path]
    assert mount.path is not None
    assert "SUCCESS" in run("amtool", "check-config", mount.path)


def test_the_demo_routes_as_the_example_does_and_tells_nobody() -> None:
    """Only the receivers differ: theirs lead to people, those of the demo nowhere."""
    example = yaml.safe_load((ROOT / "alerts" / "alertmanager.yaml").read_text("utf-8"))
    demo = yaml.safe_load((DEPLOY / "alertmanager.yml").read_text("utf-8"))
    names = [{"name": each["name"]} for each in example.pop("receivers")]
    assert demo.pop("receivers") == names
    assert demo == example


def test_keys_are_made_once(tmp_path: Path) -> None:
    """They are long, nobody else may read them, and a second start leaves them as they are."""
    script = DEPLOY / "make-keys.sh"
    run("sh", script, tmp_path)
    made = {file.name: file.read_text("utf-8") for file in tmp_path.iterdir()}
    assert set(made) == {"api_key", "api_secret", "keys.yaml"}
    assert yaml.safe_load(made["keys.yaml"]) == {made["api_key"]: made["api_secret"]}
    # The server complains of less.
    assert len(made["api_secret"]) >= 32
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o777 == 0o640, file
    run("sh", script, tmp_path)
    assert {file.name: file.read_text("utf-8") for file in tmp_path.iterdir()} == made


def test_keys_differ(tmp_path: Path) -> None:
    """Two demos have two secrets."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        run("sh", DEPLOY / "make-keys.sh", tmp_path / name)
    one, two = ((tmp_path / name / "api_secret").read_text() for name in ("one", "two"))
    assert one != two


def test_a_half_made_set_of_keys_is_made_anew(tmp_path: Path) -> None:
    """Without keys.yaml, which comes last, the files belong to a start that was cut off."""
    (tmp_path / "api_key").write_text("half")
    run("sh", DEPLOY / "make-keys.sh", tmp_path)
    assert (tmp_path / "api_key").read_text() != "half"
