"""The commands that run until they are stopped."""
# ruff: noqa: PLC0415 - each command imports what it needs when it runs

from typing import Any

import click

from exporter.cli.options import of_server, options, read_settings, text


@click.command(short_help="Run the exporter.")
@options(
    text("--web.listen-address", "HOST:PORT", "Where /metrics is.  [default: 127.0.0.1:9465]"),
    text("--web.external-url", "URL", "Where browsers reach it, behind a reverse proxy."),
    text("--web.route-prefix", "PATH", "What all paths begin with.  [default: that URL's path]"),
    text("--web.config.file", "FILE", "TLS and passwords, as for every Prometheus exporter."),
    text("--log.level", "LEVEL", "debug, info, warning or error.  [default: info]"),
    text("--log.format", "FORMAT", "logfmt or json.  [default: logfmt]"),
)
@of_server
def serve(**flags: Any) -> int:
    """Call the configured targets on a schedule and serve what was measured on /metrics.

    Stops on SIGTERM and Ctrl-C within 10 s: calls are ended and their rooms deleted. On SIGHUP it
    reads the configuration anew and follows it; a bad one is logged and changes nothing.
    """
    from exporter.daemon.serve import serve as run_daemon

    names = ("web__listen_address", "web__external_url", "web__route_prefix")
    keys = {key: flags.pop(key) for key in (*names, "log__level", "log__format")}
    keys["web__config_file"] = flags.pop("web__config__file")
    return run_daemon(lambda: read_settings(dict(flags), **keys))


@click.command(short_help="See it work, without any server or key of yours.")
@options(
    text("--duration", "TIME", "Stop after this time.  [default: on Ctrl-C]"),
    text("--stt-delay", "TIME", "How long speech recognition takes."),
    text("--llm-delay", "TIME", "How long the language model takes to its first token."),
    text("--tts-delay", "TIME", "How long speech synthesis takes to its first sound."),
    text("--stt-failure-rate", "SHARE", "Share of recognitions that fail, 0 to 1.  [default: 0]"),
    text("--llm-failure-rate", "SHARE", "Share of completions that fail, 0 to 1.  [default: 0]"),
    text("--tts-failure-rate", "SHARE", "Share of syntheses that fail, 0 to 1.  [default: 0]"),
    text("--greeting", "TEXT", "What the agent says first.  [default: nothing]"),
    text("--trials", "N", "Measured turns in each call.  [default: 2]"),
    text("--interval", "TIME", "Time between two calls.  [default: 20s]"),
    text("--listen-address", "HOST:PORT", "Where /metrics is.  [default: 127.0.0.1:9465]"),
)
def demo(**flags: Any) -> int:
    """Run a real agent with local speech and language providers, and the exporter that calls it.

    Starts a livekit-server, or uses the one that LIVEKIT_URL names. Needs the extra `demo`.
    """
    from exporter.demo.flags import demo_options
    from exporter.demo.run import run_demo

    return run_demo(demo_options(flags), click.echo)
