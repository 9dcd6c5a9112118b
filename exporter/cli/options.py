"""What commands share: how options are declared, and how flags become settings."""
# ruff: noqa: PLC0415 - each command imports what it needs when it runs

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from exporter.settings.settings import Settings

OK, NOT_PASS, USAGE, INTERRUPTED = 0, 1, 2, 130

Command = TypeVar("Command", bound=Callable[..., object])
FILE = click.Path(path_type=Path)


def options(*declared: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return one decorator for several options, which `--help` lists in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(declared):
            command = option(command)
        return command

    return decorate


def text(name: str, metavar: str, about: str) -> Callable[[Command], Command]:
    """Return an option that takes text; a dot in its name becomes `__` in the argument's."""
    argument = name.removeprefix("--").replace(".", "__").replace("-", "_")
    return click.option(name, argument, metavar=metavar, help=about)


config_file = click.option("--config", type=FILE, metavar="FILE", help="Configuration file (YAML).")
as_one_document = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
of_server = options(
    config_file,
    text("--url", "URL", "LiveKit server URL. Default: LIVEKIT_URL, then the configuration."),
    text("--api-key", "KEY", "API key. Default: LIVEKIT_API_KEY, then the configuration."),
    text(
        "--api-secret",
        "SECRET",
        "API secret. Default: LIVEKIT_API_SECRET (safer), then the configuration.",
    ),
)


def read_settings(flags: dict[str, Any], **keys: str | None) -> "Settings":
    """Merge flags, environment and file.

    Args:
        flags: The command's flags, from which those of the server and the file are taken out.
        keys: Further flags by key path, with `__` between the levels.
    """
    from exporter.settings.load import load_settings

    by_path = {path.replace("__", "."): value for path, value in keys.items()}
    for name in ("url", "api_key", "api_secret"):
        by_path[f"livekit.{name}"] = flags.pop(name)
    return load_settings(flags.pop("config"), by_path)
