"""The command that goes through the production checklist."""
# ruff: noqa: PLC0415 - each command imports what it needs when it runs

from typing import Any

import click

from exporter.cli.options import (
    as_one_document,
    of_server,
    options,
    print_one,
    read_settings,
    status_of,
    text,
)


@click.command(short_help="Check a server before real callers come.")
@options(
    text("--webhook-listen", "HOST:PORT", "Address to which the server sends its webhooks."),
    text(
        "--collector",
        "URL",
        "Running exporter that gets the server's webhooks, with VOICE_EXPORTER_TOKEN.",
    ),
    text("--skip", "CHECK[,CHECK]", "Checks to leave out."),
    as_one_document,
)
@of_server
def preflight(
    *,
    webhook_listen: str | None,
    collector: str | None,
    skip: str | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Check ports, transports, certificate, clock, key, tokens, webhooks and bandwidth of a server.

    Each line has a verdict, what was measured, and what to do. What cannot be checked from here is
    UNKNOWN. Takes about 20 seconds; no agent is called.
    """
    from exporter.commands.preflight import preflight as check
    from exporter.report.preflight import print_checklist

    settings = read_settings(flags, collector__url=collector)
    left_out = [each.strip() for each in (skip or "").split(",") if each.strip()]
    document = check(settings, webhook_listen or "", left_out)
    print_one(lambda: document, lambda: print_checklist(document), as_json=as_json)
    return status_of(document.verdict)
