"""Write the dashboards, and the Helm chart's copies of them and of rules: `python -m dashboards`.

With `--check` nothing is written, and a file that differs from the code is an error.
"""

import sys
from pathlib import Path

import click

from dashboards.catalogue import GENERATED, documents
from dashboards.chart import CHART, copies


def main(arguments: list[str], folder: Path = GENERATED, chart: Path = CHART) -> int:
    """Write the files, or with `--check` say which differ; return the exit status."""
    boards = documents(folder)
    built = boards | copies(boards, chart)
    if "--check" not in arguments:
        for path, text in built.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return 0
    known = {*built, *folder.glob("*.json"), *chart.glob("files/*/*")}
    stale = [path for path in sorted(known) if _content(path) != built.get(path)]
    for path in stale:
        within = path.relative_to(chart) if path.is_relative_to(chart) else None
        name = (
            f"deploy/helm/{CHART.name}/{within}" if within else f"dashboards/generated/{path.name}"
        )
        click.echo(f"{name}: differs from the code; run python -m dashboards")
    return 1 if stale else 0


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
