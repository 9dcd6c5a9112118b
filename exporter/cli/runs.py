"""The command that looks at runs that have ended."""
# ruff: noqa: PLC0415 - each command imports what it needs when it runs

from functools import partial
from pathlib import Path

import click

from exporter.cli.options import (
    NOT_PASS,
    OK,
    OptionWithDefault,
    as_one_document,
    config_file,
    default_of,
    options,
    print_one,
    text,
)

_of_history = options(
    text(
        "--collector",
        "URL",
        "Running exporter to ask. Default: VOICE_EXPORTER_COLLECTOR_URL, with "
        "VOICE_EXPORTER_TOKEN; else the ledger on this host.",
    ),
    config_file,
    as_one_document,
)


@click.group(invoke_without_command=True, short_help="List runs that have ended.")
@options(
    text("--agent", "NAME", "Runs of this agent only."),
    click.option("--failed", is_flag=True, help="Runs that failed only."),
    click.option(
        "--last",
        type=click.IntRange(1, 1000),
        metavar="N",
        cls=partial(OptionWithDefault.of, default_of("", "exporter.commands.runs:LAST")),  # type: ignore[arg-type] # click only calls it
        help="How many at most.",
    ),
)
@_of_history
@click.pass_context
def runs(
    context: click.Context,
    *,
    agent: str | None,
    failed: bool,
    last: int | None,
    collector: str | None,
    config: Path | None,
    as_json: bool,
) -> int:
    """List runs that have ended, the newest first: of the ledger, or of a running exporter."""
    if context.invoked_subcommand is not None:
        return OK
    from exporter.commands.runs import LAST, list_runs
    from exporter.report.runs import RunsDocument, print_runs
    from exporter.settings.load import load_settings
    from exporter.store.records import RunQuery

    settings = load_settings(config, {"collector.url": collector})
    found = list_runs(settings, RunQuery(last or LAST, agent, True if failed else None))
    print_one(lambda: RunsDocument(found), lambda: print_runs(found), as_json=as_json)
    return OK


@runs.command(short_help="Show one run with its turns and its log.")
@click.argument("run_id", metavar="ID")
@_of_history
def show(run_id: str, *, collector: str | None, config: Path | None, as_json: bool) -> int:
    """Show one run: its turns, its log, and what is kept of the call."""
    from exporter.commands.runs import find_run
    from exporter.report.runs import print_run
    from exporter.settings.load import load_settings

    found = find_run(load_settings(config, {"collector.url": collector}), run_id)
    if found is None:
        click.echo("voice-exporter: no such run", err=True)
        return NOT_PASS
    print_one(lambda: found, lambda: print_run(found), as_json=as_json)
    return OK
