"""Write the dashboards: `python -m dashboards`.

With `--check` nothing is written, and a file that differs from the code is an error.
"""

import sys
from pathlib import Path

import click

from dashboards.catalogue import GENERATED, documents


def main(arguments: list[str], folder: Path = GENERATED) -> int:
    """Write the files, or with `--check` say which differ; return the exit status."""
    built = documents(folder)
    if "--check" not in arguments:
        folder.mkdir(exist_ok=True)
        for path, text in built.items():
            path.write_text(text, encoding="utf-8")
        return 0
    known = {*built, *folder.glob("*.json")}
    stale = [path for path in sorted(known) if _content(path) != built.get(path)]
    for path in stale:
        click.echo(
            f"dashboards/generated/{path.name}: differs from the code; run python -m dashboards"
        )
    return 1 if stale else 0


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
