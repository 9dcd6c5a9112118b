"""docs/cli.md: the help of every command."""

from collections.abc import Iterator

import click

from exporter.cli import cli
from exporter.docs import GENERATED

_WIDTH = 100


def cli_page() -> str:
    """Return docs/cli.md."""
    lines = ["# Command line", "", GENERATED, ""]
    lines += ["Exit status: 0 PASS; 1 SLOW, FAIL or UNKNOWN; 2 usage or configuration."]
    context = cli.make_context("voice-exporter", [], resilient_parsing=True, terminal_width=_WIDTH)
    for command in _commands(context):
        lines += ["", f"## {command.command_path}", "", "```text"]
        lines += [*command.get_help().splitlines(), "```"]
    return "\n".join(lines) + "\n"


def _commands(context: click.Context) -> Iterator[click.Context]:
    """Yield a command and those below it, each as its own context."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.commands[name]
            yield from _commands(click.Context(command, parent=context, info_name=name))
