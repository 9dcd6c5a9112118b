"""The commands that run until they are stopped."""
# ruff: noqa: PLC0415 - each command imports what it needs when it runs

from typing import Any

import click

from exporter.cli.options import OK, default_of, of_server, options, read_settings, text

_DEMO = "exporter.demo.options:DemoOptions"
_PROVIDERS = "exporter.demo.settings:DemoSettings"


@click.command(short_help="Run the exporter.")
@options(
    text(
        "--web.listen-address",
        "HOST:PORT",
        "Address to listen on.",
        default_of("web.listen_address"),
    ),
    text("--web.external-url", "URL", "URL of the pages behind a reverse proxy."),
    text("--web.route-prefix", "PATH", "Prefix of all paths.  [default: path of that URL]"),
    text("--web.config.file", "FILE", "Prometheus web configuration file: TLS and basic auth."),
    text(
        "--log.level", "LEVEL", "Log level: debug, info, warning or error.", default_of("log.level")
    ),
    text("--log.format", "FORMAT", "Log format: logfmt or json.", default_of("log.format")),
)
@of_server
def serve(**flags: Any) -> int:
    """Call the configured targets on a schedule and export the results on /metrics.

    Stops on SIGTERM and Ctrl-C within 10 s: calls are ended and their rooms deleted. SIGHUP reloads
    the configuration; a file with an error is logged and changes nothing.
    """
    from exporter.daemon.serve import serve as run_daemon

    names = ("web__listen_address", "web__external_url", "web__route_prefix")
    keys = {key: flags.pop(key) for key in (*names, "log__level", "log__format")}
    keys["web__config_file"] = flags.pop("web__config__file")
    return run_daemon(lambda: read_settings(dict(flags), **keys))


@click.group(
    short_help="Run a demo with a local agent; needs no server or key.",
    invoke_without_command=True,
)
@options(
    text("--duration", "TIME", "Stop after this time.  [default: on Ctrl-C]"),
    text("--stt-delay", "TIME", "Delay of speech recognition."),
    text("--llm-delay", "TIME", "Time to first token of the language model."),
    text("--tts-delay", "TIME", "Time to first sound of speech synthesis."),
    text(
        "--stt-failure-rate",
        "SHARE",
        "Share of speech recognitions that fail, 0 to 1.",
        default_of("stt.failure_rate", _PROVIDERS),
    ),
    text(
        "--llm-failure-rate",
        "SHARE",
        "Share of model completions that fail, 0 to 1.",
        default_of("llm.failure_rate", _PROVIDERS),
    ),
    text(
        "--tts-failure-rate",
        "SHARE",
        "Share of speech syntheses that fail, 0 to 1.",
        default_of("tts.failure_rate", _PROVIDERS),
    ),
    text("--greeting", "TEXT", "Greeting of the agent.  [default: none]"),
    text("--trials", "N", "Measured turns in each call.", default_of("trials", _DEMO)),
    text("--interval", "TIME", "Time between two calls.", default_of("interval", _DEMO)),
    text(
        "--listen-address", "HOST:PORT", "Address to listen on.", default_of("web.listen_address")
    ),
)
@click.pass_context
def demo(context: click.Context, /, **flags: Any) -> int:
    """Run an agent with local speech and language providers, and an exporter that calls it.

    Starts a livekit-server, or uses the one in LIVEKIT_URL. Needs the extra `demo`.
    """
    from exporter.demo.options import demo_options
    from exporter.demo.run import run_demo

    if context.invoked_subcommand is not None:
        return OK
    return run_demo(demo_options(flags), click.echo)


_of_demo = text(
    "--providers", "URL", "Providers of the demo.  [default: those of the demo on this host]"
)


@demo.command("break", short_help="Break the agent of a running demo.")
@click.argument("fault", metavar="slow|deaf|rude|dead|noisy")
@options(_of_demo)
def break_(fault: str, providers: str | None) -> int:
    """Break the agent of a running demo in one way, from its next call on.

    slow: its language model thinks for long. deaf: it hears nothing. rude: it talks on when it is
    interrupted. dead: its worker takes no calls. noisy: its voice is clipped.
    """
    from exporter.demo.breaking import FAULTS, break_agent

    shown = break_agent(fault, providers)
    click.echo(f"{fault}: {FAULTS[fault].about}")
    click.echo(f"shown by {shown}")
    click.echo("voice-exporter demo mend ends it")
    return OK


@demo.command(short_help="Mend the agent of a running demo.")
@options(_of_demo)
def mend(providers: str | None) -> int:
    """Let the agent of a running demo behave as at its start."""
    from exporter.demo.breaking import mend_agent

    mend_agent(providers)
    click.echo("mended; the next call shows it")
    return OK
