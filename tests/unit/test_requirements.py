"""The locked requirements follow pyproject.toml and tell nothing of the machine that made them."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent.parent
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def pins(name: str) -> dict[str, list[Version]]:
    """Return the pinned versions; a package may have one for each range of Python versions."""
    found: dict[str, list[Version]] = {}
    for package, version in PIN.findall((ROOT / "requirements" / name).read_text("utf-8")):
        found.setdefault(canonicalize_name(package), []).append(Version(version))
    return found


def wanted(*extras: str) -> list[Requirement]:
    """Return what pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [*project["dependencies"]]
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("run.txt", ("redis",)),
        ("demo.txt", ("demo",)),
        ("dev.txt", ("demo", "quality", "redis", "dev")),
    ],
)
def test_every_dependency_is_locked_at_a_fitting_version(
    name: str, extras: tuple[str, ...]
) -> None:
    """What pyproject.toml asks for is pinned, within its bounds; else run `make lock`."""
    locked = pins(name)
    for requirement in wanted(*extras):
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not in {name}"
        assert all(requirement.specifier.contains(version) for version in versions), requirement


@pytest.mark.parametrize("name", ["run.txt", "demo.txt", "build.txt", "uv.txt"])
def test_what_runs_was_tested(name: str) -> None:
    """The other locks pin the versions that the tests run with."""
    tested = pins("dev.txt")
    assert {each: tested.get(each) for each in pins(name)} == pins(name)


def test_the_image_is_built_with_what_builds_the_demo() -> None:
    """The lock of the image's build has the build backend and no package that is run."""
    assert "hatchling" in pins("build.txt")
    assert not {"hatchling", "livekit-agents", "pytest"} & set(pins("run.txt"))


@pytest.mark.parametrize(
    "name",
    [
        *("requirements/build.txt", "requirements/demo.txt", "requirements/dev.txt"),
        *("requirements/run.txt", "requirements/uv.txt", "exporter/demo/go-requirements.txt"),
        "tests/deploy/kubernetes/schemas-requirements.txt",
    ],
)
def test_a_lock_has_hashes_and_no_addresses(name: str) -> None:
    """Every pin has a hash; no registry, no URL and no path of a machine is in the file."""
    text = (ROOT / name).read_text("utf-8")
    assert "//" not in text
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if HASH.match(line):
            assert line.endswith(" \\") == following.startswith("    --hash="), line
        else:
            assert PIN.match(line), line
            assert HASH.match(following), line
