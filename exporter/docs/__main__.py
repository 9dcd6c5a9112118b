"""Write the pages: `python -m exporter.docs`.

With `--check` nothing is written, and a page that differs from the code is an error.
"""

import sys
from pathlib import Path

import click

from exporter.docs.cli import cli_page
from exporter.docs.configuration import configuration_page
from exporter.docs.metrics import metrics_page
from exporter.docs.preflight import preflight_page

DOCS = Path(__file__).parent.parent.parent / "docs"


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` say which differ; return the exit status."""
    pages = {
        "configuration.md": configuration_page(),
        "cli.md": cli_page(),
        "metrics.md": metrics_page(),
        "preflight.md": preflight_page(),
    }
    stale = 0
    for name, text in pages.items():
        path = DOCS / name
        if "--check" not in arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            click.echo(f"docs/{name}: differs from the code; run python -m exporter.docs")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
