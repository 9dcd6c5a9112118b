"""The commands about the configuration file."""
# ruff: noqa: PLC0415 - each command imports what it needs when it runs

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from exporter.cli.options import FILE, OK
from exporter.errors import ConfigError


@contextmanager
def _noted(faults: list[str]) -> Iterator[None]:
    """Go on after a fault: all are to be reported."""
    try:
        yield
    except ConfigError as error:
        faults += str(error).splitlines()


@click.group()
def config() -> None:
    """Check and describe the configuration."""


@config.command()
@click.argument("file", type=FILE)
def check(file: Path) -> int:
    """Check FILE together with the environment, as `serve` reads it."""
    from exporter.daemon.plan import demand
    from exporter.settings.load import load_settings, named_file
    from exporter.web.web_config import WebConfigWatch

    faults: list[str] = []
    with _noted(faults):
        settings = load_settings(file, {})
    with _noted(faults):
        WebConfigWatch(named_file(file, "web", "config_file"))
    if faults:
        raise ConfigError("\n".join(dict.fromkeys(faults)))
    warnings = [*settings.livekit.missing()]  # they may be given where it runs
    if shortage := demand(settings).shortage(settings.pool.processes):  # it may run elsewhere
        group = f"; the exporters of group {settings.group} share this" if settings.group else ""
        warnings.append(f"pool.processes: {shortage}{group}")
    for line in warnings:
        click.echo(f"voice-exporter: warning: {line}", err=True)
    number = len(settings.targets)
    click.echo(f"{file}: ok, {number} target{'' if number == 1 else 's'}")
    return OK


@config.command()
def schema() -> int:
    """Print the JSON Schema of the configuration file, for editors."""
    from exporter.settings.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return OK
