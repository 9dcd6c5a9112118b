"""The command that moves the ledger."""
# ruff: noqa: PLC0415 - each command imports what it needs when it runs

from pathlib import Path

import click

from exporter.cli.options import OK, as_one_document, config_file, options


@click.group(short_help="Move the ledger.")
def store() -> None:
    """Move the ledger: history of runs, budget spent, runs in progress."""


@store.command(short_help="Copy the ledger from disk to Redis.")
@options(config_file, as_one_document)
def migrate(*, config: Path | None, as_json: bool) -> int:
    """Copy the ledger in store.folder to the Redis of store.redis.url_file.

    The exporter must be stopped. The file stays as it is, and the command may be repeated. Calls
    that are kept to be seen and heard stay in the folder, where the exporter reads them.
    """
    from exporter.commands.store import migrate as copy
    from exporter.report.printing import to_json
    from exporter.settings.load import load_settings

    moved = copy(load_settings(config, {}))
    if as_json:
        click.echo(to_json(moved))
    else:
        click.echo(
            f"copied {moved.runs} runs, {moved.open_runs} runs in progress, {moved.sums} sums of "
            f"spending, {moved.calibrations} calibrations, {moved.workers} workers, "
            f"{moved.ramps} ramps and {moved.calls} real calls"
        )
    return OK
