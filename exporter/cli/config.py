"""The commands about the configuration file."""
# ruff: noqa: PLC0415 - each command imports what it needs when it runs

import json
from pathlib import Path

import click

from exporter.cli.options import FILE, OK


@click.group()
def config() -> None:
    """Check and describe the configuration."""


@config.command()
@click.argument("file", type=FILE)
def check(file: Path) -> int:
    """Check FILE together with the environment, as `serve` reads it."""
    from exporter.settings.load import load_settings
    from exporter.web.web_config import WebConfigWatch

    settings = load_settings(file, {})
    WebConfigWatch(settings.web.config_file)
    number = len(settings.targets)
    click.echo(f"{file}: ok, {number} target{'' if number == 1 else 's'}")
    return OK


@config.command()
def schema() -> int:
    """Print the JSON Schema of the configuration file, for editors."""
    from exporter.settings.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return OK
