"""What commands share: how options are declared, and how flags become settings."""
# ruff: noqa: PLC0415 - each command imports what it needs when it runs

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from exporter.outcome import Verdict
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


def default_of(key: str, model: str = "exporter.settings.settings:Settings") -> Callable[[], str]:
    """Return what reads a default where the program has it: only who asks for help pays for it.

    Args:
        key: Path in the model, with dots; "" where the default is a constant.
        model: Module and name of the model, or of that constant.
    """

    def read() -> str:
        from exporter.config.schema import part, schema_of, value_text

        module, _, name = model.partition(":")
        found = getattr(import_module(module), name)
        if not key:
            return str(found)
        path = (int(step) if step.isdecimal() else step for step in key.split("."))
        about = part(schema_of(found), tuple(path))
        value = about["default"]
        values = value if isinstance(value, list) else [value]
        return ",".join(value_text(about, each) for each in values)

    return read


class OptionWithDefault(click.Option):
    """An option whose help ends with the default that the program has."""

    default_text: Callable[[], str]
    """Reads it; a flag is on when it is `true`."""

    @classmethod
    def of(cls, default_text: Callable[[], str], *args: Any, **kwargs: Any) -> "OptionWithDefault":
        """Make one, by the arguments of `click.Option`."""
        option = cls(*args, **kwargs)
        option.default_text = default_text
        return option

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return names and help."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        shown = self.default_text()
        if self.secondary_opts:
            shown = (self.opts if shown == "true" else self.secondary_opts)[0]
        return record[0], f"{record[1]}  [default: {shown}]"


def text(
    name: str, metavar: str, about: str, default: Callable[[], str] | None = None
) -> Callable[[Command], Command]:
    """Return an option that takes text; a dot in its name becomes `__` in the argument's.

    Args:
        name: With its dashes.
        metavar: A word for the value.
        about: For `--help`. It says itself what happens without it, where that is not a value.
        default: Reads the default, see `default_of`.
    """
    argument = name.removeprefix("--").replace(".", "__").replace("-", "_")
    kind: Any = partial(OptionWithDefault.of, default) if default else click.Option
    return click.option(name, argument, cls=kind, metavar=metavar, help=about)


config_file = click.option("--config", type=FILE, metavar="FILE", help="Configuration file (YAML).")
as_one_document = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
html_file = click.option(
    "--html", type=FILE, metavar="FILE", help="Write the result with pictures to this HTML file."
)
of_path = options(
    text(
        "--target-rtt-ms",
        "MS",
        "Median round trip above which the SFU is SLOW.",
        default_of("sfu.target_rtt_ms"),
    ),
    text(
        "--max-loss",
        "PERCENT",
        "Packet loss in percent above which it is SLOW.",
        default_of("sfu.max_loss"),
    ),
)
"""Thresholds of the path between this host and the SFU."""
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


def print_one(
    document: Callable[[], object], for_people: Callable[[], None], *, as_json: bool
) -> None:
    """Print what was found, as one document or for people."""
    from exporter.report.printing import to_json

    if as_json:
        click.echo(to_json(document()))
    else:
        for_people()


def status_of(verdict: "Verdict") -> int:
    """Return the exit status of a command that found this."""
    return OK if verdict == "PASS" else NOT_PASS
