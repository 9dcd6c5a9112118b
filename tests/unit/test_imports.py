"""How the code may import."""

import re
from pathlib import Path

import pytest

from tests import imports
from tests.imports import ROOT, circles, foreign_imports, import_graph


def test_no_module_imports_itself_by_way_of_others() -> None:
    """There is no circle: each module can be read after those that it needs."""
    assert circles(import_graph("exporter")) == []


FLOORS = (
    ("colors", "outcome", "series"),
    ("errors", "garbage", "limits", "logs", "standstill", "stats"),
    ("config", "server_api"),
    ("probe", "rtc"),
    ("calls", "evidence", "fleet", "roster", "store"),
    ("probes",),
    ("metrics", "run", "report"),
    ("web",),
    ("settings", "distributed"),
    ("commands", "daemon"),
    ("cli", "demo", "docs", "__main__"),
)
"""The rooms of the house from the ground up; docs of what is where: CONTRIBUTING.md."""
SDK = ("livekit.rtc", "livekit.api", "livekit.protocol", "numpy", "soundfile")
ASKED = re.compile(r"isinstance\([^()]*?,\s*\(?([\w| ]*Config)\b")
SDK_ROOMS = (
    "exporter.rtc.",
    "exporter.server_api.",
    "exporter.demo.",
    "exporter.evidence.recording",
)


def floor(module: str) -> int:
    """Return on which floor a module is; the package itself is on the ground."""
    room = [*module.split("."), ""][1]
    if not room:
        return 0
    (found,) = (at for at, rooms in enumerate(FLOORS) if room in rooms)
    return found


def test_no_module_imports_from_a_floor_above() -> None:
    """What is below can be read, tested and used without what is above."""
    graph = import_graph("exporter")
    wrong = [
        f"{name} -> {other}"
        for name, others in sorted(graph.items())
        for other in sorted(others)
        if floor(other) > floor(name)
    ]
    assert wrong == []


def test_the_sdk_stays_in_its_rooms() -> None:
    """Only the kit on the SDK, the server API and what measures import it or numpy."""
    wrong = [
        f"{name} -> {other}"
        for name, others in sorted(foreign_imports("exporter").items())
        for other in sorted(others)
        if other.startswith(SDK)
        and not name.startswith(SDK_ROOMS)
        and not (name.startswith("exporter.probes.") and not name.endswith((".spec", ".families")))
    ]
    assert wrong == []


def test_no_one_outside_of_a_probe_asks_which_configuration_it_has() -> None:
    """A loop over the rows needs no `isinstance(config, ...)`."""
    wrong = [
        f"{file.relative_to(ROOT)}: {kind}"
        for file in sorted((ROOT / "exporter").rglob("*.py"))
        if "probes" not in file.parts
        for kind in ASKED.findall(file.read_text("utf-8"))
    ]
    assert wrong == []


def test_a_row_needs_nothing_that_does_its_work() -> None:
    """What is known of a probe never imports how it measures; the row names it by a path."""
    graph = import_graph("exporter")
    specs = [name for name in graph if name.startswith("exporter.probes.")]
    wrong = {
        (name, other)
        for name in specs
        if name.endswith(".spec")
        for other in graph[name]
        if other.endswith(".measure") or other.startswith(("exporter.server_api", "exporter.run."))
    }
    assert wrong == set()


def test_a_circle_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is closed inside a function; an import for type checkers closes none."""
    package = tmp_path / "p"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.py").write_text("from p import b\n")
    (package / "b.py").write_text("def f():\n    from p.c import x\n")
    (package / "c.py").write_text("import p.a\n")
    (package / "d.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p import e\n"
    )
    (package / "e.py").write_text("from p import d\n")
    monkeypatch.setattr(imports, "ROOT", tmp_path)
    assert circles(import_graph("p")) == [("p.a", "p.b", "p.c")]
