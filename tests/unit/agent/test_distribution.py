"""What a user installs: the wheel of `agent/`, without the exporter."""

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from exporter import __version__
from tests.patience import START_S, until
from tests.unit.agent.collector import Collector

ROOT = Path(__file__).parents[3]
AGENT = ROOT / "agent"
README = (AGENT / "README.md").read_text("utf-8")
NEEDED = {"httpx", "psutil"}


def test_exporter_and_agent_import_nothing_of_each_other() -> None:
    """The agent imports what it declares; of the exporter only the demo's worker imports it."""
    project = tomllib.loads((AGENT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {Requirement(line).name for line in project["dependencies"]}
    imported = imports_in(AGENT) - sys.stdlib_module_names
    assert imported - {"voice_exporter_agent"} == declared == NEEDED
    users = [
        str(file.relative_to(ROOT))
        for file in (ROOT / "exporter").rglob("*.py")
        if "voice_exporter_agent" in imports_in(file)
    ]
    assert users == ["exporter/demo/agent.py"]


def imports_in(path: Path) -> set[str]:
    """Return the first part of every name that a module, or those of a folder, import."""
    names = []
    for file in [path] if path.is_file() else path.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
    return {name.partition(".")[0] for name in names}


@dataclass(frozen=True)
class Installed:
    """The wheel, and an interpreter that has it, its dependencies and nothing else."""

    wheel: Path
    python: Path
    distributions: frozenset[str]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel and install it into a virtual environment of its own.

    No index is asked: the dependencies are those of this environment, copied one by one. uv
    refuses the wheel if it asks for more.
    """
    folder = tmp_path_factory.mktemp("agent")
    run("hatchling", "build", "-t", "wheel", "-d", str(folder))
    [wheel] = folder.glob("*.whl")
    environment = folder / "venv"
    venv.create(environment, symlinks=True)
    paths = {"base": str(environment), "platbase": str(environment)}
    site = Path(sysconfig.get_path("purelib", "venv", paths))
    dependencies = {each.name: each for name in NEEDED for each in closure(name)}
    for each in dependencies.values():
        copy(each, site)
    python = environment / "bin" / "python"
    install = ("pip", "install", "--offline", "--no-cache", "--python", str(python))
    run("uv", *install, str(wheel))
    names = {"livekit-voice-exporter-agent", *dependencies}
    return Installed(wheel, python, frozenset(names))


def run(module: str, *arguments: str) -> None:
    """Run a module of this environment in the folder of the distribution."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=AGENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=START_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def closure(name: str) -> Iterator[Distribution]:
    """Yield a distribution of this environment and those that it needs."""
    found = distribution(name)
    yield found
    for requirement in map(Requirement, found.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield from closure(requirement.name)


def copy(found: Distribution, site: Path) -> None:
    """Copy the packages, modules and metadata of a distribution into another environment."""
    tops = {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}
    assert tops
    for top in tops:
        source = Path(str(found.locate_file(top)))
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, site / top)


def test_the_wheel_is_complete(installed: Installed) -> None:
    """It has every module, its types and its license, and the exporter's version."""
    modules = {
        str(file.relative_to(AGENT))
        for file in (AGENT / "voice_exporter_agent").iterdir()
        if file.is_file()
    }
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = set(wheel.namelist())
        [license_file] = [name for name in names if name.endswith("LICENSE")]
        assert wheel.read(license_file) == (ROOT / "LICENSE").read_bytes()
    assert {name for name in names if ".dist-info/" not in name} == modules
    assert "voice_exporter_agent/py.typed" in modules
    assert installed.wheel.name.split("-")[1] == __version__


PROGRAM = """
import sys
from importlib.metadata import distributions
from importlib.util import find_spec
from types import SimpleNamespace

print(*(name for name in ("exporter", "livekit", "pydantic", "tests") if find_spec(name)))
print(*(each.name for each in distributions()))
server = SimpleNamespace(id="AW_1", active_jobs=[])
{example}
print(sys.modules["voice_exporter_agent"].__file__, flush=True)
sys.stdin.readline()
"""


def test_the_lines_of_the_readme_report_a_worker_where_no_exporter_is(
    installed: Installed, tmp_path: Path, collector: Collector
) -> None:
    """They run with the wheel and what it asks for alone; the exporter takes what they send."""
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(example.splitlines()) == 3
    program = tmp_path / "worker.py"
    program.write_text(
        PROGRAM.format(example=example.replace("http://exporter:9465", collector.url))
    )
    child = subprocess.Popen(
        [installed.python, "-I", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    until(lambda: collector.beats or child.poll() is not None)
    out, _ = child.communicate("\n", timeout=START_S)
    assert child.returncode == 0
    others, names, module = out.splitlines()
    assert others == ""
    assert set(names.split()) == installed.distributions
    assert Path(module).is_relative_to(installed.python.parents[1])
    assert collector.statuses() == ["idle", "offline"]
    assert collector.beats[0][:2] == ("AW_1", "Bearer ...")
    assert collector.beats[0][2].agent_name == "demo"
