"""The command that loads an agent."""
# ruff: noqa: PLC0415 - each command imports what it needs when it runs

import sys
from typing import Any

import click

from exporter.cli.options import (
    as_one_document,
    default_of,
    of_server,
    options,
    print_one,
    read_settings,
    status_of,
    text,
)


@click.command("agent-load", short_help="Find how many calls at once an agent carries.")
@options(
    text("--agent", "NAME", "Agent to call. Default: agent_load.agent_name."),
    text("--call-type", "NAME", "Call type.", default_of("agent_load.call_type")),
    text("--calls", "N,N,...", "Calls at one time in each tier.", default_of("agent_load.calls")),
    text("--duration", "TIME", "Duration of each tier.", default_of("agent_load.duration")),
    text(
        "--target-ms",
        "MS",
        "95th percentile of the latency above which a tier breaks.",
        default_of("agent_load.target_ms"),
    ),
    text("--max-yield-ms", "MS", "The same of the time to yield.  [default: no interruptions]"),
    text("--collector", "URL", "Running exporter that knows the agent's workers."),
    click.option("--yes", is_flag=True, help="Do not ask before the first call."),
    as_one_document,
)
@of_server
def agent_load(
    *, agent: str | None, collector: str | None, yes: bool, as_json: bool, **flags: Any
) -> int:
    """Place more and more real calls at one time, until a target breaks: the agent's knee.

    Each turn is a real agent turn and costs what its providers charge. If the configuration has a
    target with this name, it is called as that target.
    """
    from exporter.commands.agent_load import load_agent, plan_load
    from exporter.report.agent_load import LoadDocument, print_load
    from exporter.report.ramp import RampBar

    settings = read_settings(flags, collector__url=collector)
    config = plan_load(settings, {"agent_name": agent, **flags})
    if not config.agent_name:
        raise click.UsageError("--agent is missing; expected the name of an agent")
    minutes = sum(config.calls) * config.duration / 60
    click.echo(f"up to {sum(config.calls)} calls, {minutes:.0f} minutes of calls", err=True)
    if not yes and sys.stdin.isatty():
        click.confirm("Place them?", abort=True, err=True)
    with RampBar("agent load", "calls", waiting="") as bar:
        outcome = load_agent(settings, config, bar.show)
    document = LoadDocument.of(config, outcome)
    print_one(lambda: document, lambda: print_load(document, outcome), as_json=as_json)
    return status_of(document.verdict)
