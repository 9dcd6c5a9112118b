"""How the code may import."""

from pathlib import Path

import pytest

from tests import imports
from tests.imports import circles, import_graph


def test_no_module_imports_itself_by_way_of_others() -> None:
    """There is no circle: each module can be read after those that it needs."""
    assert circles(import_graph("exporter")) == []


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
