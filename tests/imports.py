"""The imports of the code, read from its text: who needs whom.

Imports inside functions count, for they tie two modules together as well; those for type checkers
alone do not. `from package import name` is an import of the module `package.name`, where there is
one, and then not of the package.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]

Graph = dict[str, set[str]]
"""Each module, and those of the same packages that it imports."""


def import_graph(*packages: str) -> Graph:
    """Return the imports between all modules of these packages."""
    files = {_module(file): file for each in packages for file in (ROOT / each).rglob("*.py")}
    return {name: set(_imports(name, file, files)) for name, file in files.items()}


def circles(graph: Graph) -> list[tuple[str, ...]]:
    """Return the groups of modules each of which imports, perhaps by others, all of its group."""
    reach = {name: _reachable(graph, name) for name in graph}
    groups = {
        tuple(sorted(other for other in reach[name] if name in reach[other]))
        for name in graph
        if name in reach[name]
    }
    return sorted(groups)


def _reachable(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    ahead = list(graph[start])
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += graph[name]
    return found


def _module(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(name: str, file: Path, known: dict[str, Path]) -> Iterator[str]:
    for node in _statements(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found = inner if inner in known else node.module
                if found in known and found != name:
                    yield found


def foreign_imports(package: str) -> Graph:
    """Return the modules of other distributions that each module of a package imports."""
    files = {_module(file): file for file in (ROOT / package).rglob("*.py")}
    return {name: set(_names(file)) for name, file in files.items()}


def _names(file: Path) -> Iterator[str]:
    for node in _statements(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _statements(file: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Return the imports of a file, which is read once for all tests."""
    nodes = _nodes(ast.parse(file.read_text("utf-8")))
    return tuple(each for each in nodes if isinstance(each, ast.Import | ast.ImportFrom))


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node but those below `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _nodes(child)
