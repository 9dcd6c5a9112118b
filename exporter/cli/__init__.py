"""The command line: each command parses, calls one function and prints what it returns.

Nothing but click is imported at the top, so that `--help` does not pay for the rest. Values are
taken as text and checked where the configuration is, so that a flag, a variable and a key of the
file get the same words. Exit status: 0 PASS, 1 SLOW, FAIL or UNKNOWN, 2 usage or configuration.
"""

import sys
from collections.abc import Sequence

import click

from exporter import __version__
from exporter.cli import calls, config, running
from exporter.cli.load import agent_load
from exporter.cli.options import INTERRUPTED, OK, USAGE
from exporter.cli.preflight import preflight
from exporter.cli.runs import runs
from exporter.cli.sfu import sfu
from exporter.cli.store import store
from exporter.errors import ConfigError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; what a person must correct is a line on stderr."""
    try:
        status = cli.main(argv, prog_name="voice-exporter", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "voice-exporter"
        text = error.format_message().rstrip(".")
        click.echo(f"{command}: {text}; see {command} --help", err=True)
        return USAGE
    except ConfigError as error:
        for line in str(error).splitlines():
            _complain(f"voice-exporter: {line}")
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    return status if isinstance(status, int) else OK


def _complain(line: str) -> None:
    """Print a line on stderr, wrapped at words on a terminal."""
    if not sys.stderr.isatty():
        click.echo(line, err=True)
        return
    from exporter.report.printing import console, say  # noqa: PLC0415 - only who sees it pays

    say(console(stderr=True), line)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="voice-exporter")
def cli() -> None:
    """Call LiveKit voice agents and measure what the caller hears."""


for command in (
    calls.latency,
    calls.agents,
    calls.calibrate,
    sfu,
    agent_load,
    preflight,
    calls.check,
    runs,
    running.serve,
    running.demo,
    config.config,
    store,
):
    cli.add_command(command)

_EXAMPLES = {
    "latency": "latency --agent demo --trials 5 --target-ms 1500",
    "agents": "agents --collector http://127.0.0.1:9465",
    "calibrate": "calibrate --calls 5 --delay 500ms",
    "sfu": "sfu --preflight",
    "agent-load": "agent-load --agent demo --calls 1,2,4,8 --duration 60s",
    "preflight": "preflight --webhook-listen 0.0.0.0:9466",
    "check": "check --agent demo --vantage iad",
    "serve": "serve --config voice-exporter.yaml --web.listen-address :9465",
    "demo": "demo --llm-delay 2s --interval 30s",
    "demo break": "demo break slow",
    "demo mend": "demo mend",
    "runs": "runs --agent demo --failed --last 5",
    "runs show": "runs show 01jd3f2k9a",
    "store migrate": "store migrate --config voice-exporter.yaml",
    "config check": "config check voice-exporter.yaml",
    "config schema": "config schema > voice-exporter.schema.json",
}
"""Of each command, for the end of its help."""


def _show_examples(group: click.Group, before: str = "") -> None:
    for name, each in group.commands.items():
        if isinstance(each, click.Group):
            _show_examples(each, f"{before}{name} ")
        if example := _EXAMPLES.get(f"{before}{name}"):
            each.epilog = f"Example: voice-exporter {example}"


_show_examples(cli)
