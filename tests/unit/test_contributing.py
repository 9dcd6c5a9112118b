"""The worked example of CONTRIBUTING.md: a probe is added to a copy of the code and works."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(
    r"^`([\w/.]+\.py)`[^\n]*:\n\n```(?:python|text)\n(.*?)^```", re.MULTILINE | re.DOTALL
)
_TABLES = {"exporter/probes/__init__.py": "_ROWS", "tests/unit/probe_outcomes.py": "OUTCOMES"}
_RUN = """
import asyncio
from exporter.probe import Run
from exporter.probes import PROBES
from exporter.server_api import Server
from exporter.settings.settings import Settings

settings = Settings.model_validate({"dns": {"target_ms": 60000}})
server = Server(url="ws://localhost:1", api_key="k", api_secret="s" * 9, name="s")
row, config = PROBES["dns"], settings.section("dns")
outcome = asyncio.run(row.work()(config, Run(id="r", server=server, deadline=1e12)))
print(row.judged(config, outcome).verdict, row.text(outcome))
"""


def example() -> dict[str, str]:
    """Return the code blocks of the example by the file they belong to."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    section = text[text.index("## Add a probe") : text.index("## Tests")]
    return dict(_BLOCK.findall(section))


def add_rows(file: Path, table: str, block: str) -> None:
    """Put an import, and lines at the beginning of a table, into a file."""
    added, _, rows = block.partition("\n")
    text = file.read_text("utf-8")
    first_import = text.index("from exporter.")
    text = f"{text[:first_import]}{added}\n{text[first_import:]}"
    head = re.search(rf"^{table}\b[^\n]*[({{]\n", text, re.MULTILINE)
    assert head is not None, table
    file.write_text(text[: head.end()] + rows + text[head.end() :], "utf-8")


@pytest.fixture(name="copy", scope="module")
def _copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the code and add the probe of the example."""
    copy = tmp_path_factory.mktemp("house")
    for folder in ("exporter", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "integration", "netlab", "monitoring")
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    for name, block in example().items():
        file = copy / name
        if name in _TABLES:
            add_rows(file, _TABLES[name], block)
        else:
            file.parent.mkdir(exist_ok=True)
            (file.parent / "__init__.py").write_text('"""The probe `dns`."""\n', "utf-8")
            file.write_text(block, "utf-8")
    return copy


def run(copy: Path, *arguments: str) -> str:
    """Return what an interpreter prints that has only the copy."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_probe_is_four_files() -> None:
    """The example names each once: two of its own, a row, and its outcomes."""
    assert len(example()) == 4


def test_the_example_measures(copy: Path) -> None:
    """Its section is read, its work runs, and its judge says PASS."""
    assert re.fullmatch(r"PASS \d+ addresses in \d+ ms\n", run(copy, "-c", _RUN))


@pytest.mark.long  # it runs three test files in an interpreter of its own
def test_every_consumer_takes_the_example(copy: Path) -> None:
    """The tests over the table pass for it: metrics, pages, ledger, imports."""
    files = ("test_probe_table.py", "test_families.py", "test_imports.py")
    paths = [f"tests/unit/{name}" for name in files]
    said = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "dns or import", *paths)
    assert "passed" in said
    assert "failed" not in said


def test_the_example_is_in_the_style_of_the_house(copy: Path) -> None:
    """Ruff has nothing to say of it."""
    run(copy, "-m", "ruff", "check", "exporter/probes/dns")
    run(copy, "-m", "ruff", "format", "--check", "exporter/probes/dns")
