"""The command line: each command parses, calls one function and prints what it returns.

Nothing but click is imported at the top, so that `--help` does not pay for the rest. Values are
taken as text and checked where the configuration is, so that a flag, a variable and a key of the
file get the same words. Exit status: 0 PASS, 1 SLOW, FAIL or UNKNOWN, 2 usage or configuration.
"""
# ruff: noqa: PLC0415 - each command imports what it needs when it runs

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from exporter import __version__
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from exporter.config.settings import Settings
    from exporter.outcome import Outcome

OK, NOT_PASS, USAGE, INTERRUPTED = 0, 1, 2, 130

_Command = TypeVar("_Command", bound=Callable[..., object])
_FILE = click.Path(path_type=Path)


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
            click.echo(f"voice-exporter: {line}", err=True)
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    return status if isinstance(status, int) else OK


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="voice-exporter")
def cli() -> None:
    """Call LiveKit voice agents and measure what the caller hears."""


def _options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Return one decorator for several options, which `--help` lists in this order."""

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _text(name: str, metavar: str, about: str) -> Callable[[_Command], _Command]:
    """Return an option that takes text; a dot in its name becomes `__` in the argument's."""
    argument = name.removeprefix("--").replace(".", "__").replace("-", "_")
    return click.option(name, argument, metavar=metavar, help=about)


_config = click.option("--config", type=_FILE, metavar="FILE", help="Configuration in YAML.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_server = _options(
    _config,
    _text("--url", "URL", "LiveKit server; else LIVEKIT_URL, else the configuration."),
    _text("--api-key", "KEY", "API key; else LIVEKIT_API_KEY, else the configuration."),
    _text("--api-secret", "SECRET", "API secret; else LIVEKIT_API_SECRET, which is safer."),
)


def _settings(flags: dict[str, Any], **keys: str | None) -> "Settings":
    """Merge flags, environment and file.

    Args:
        flags: The command's flags, from which those of the server and the file are taken out.
        keys: Further flags by key path, with `__` between the levels.
    """
    from exporter.config.load import load_settings

    by_path = {path.replace("__", "."): value for path, value in keys.items()}
    for name in ("url", "api_key", "api_secret"):
        by_path[f"livekit.{name}"] = flags.pop(name)
    return load_settings(flags.pop("config"), by_path)


@cli.command(short_help="Call agents and measure what a caller hears.")
@_options(
    _text("--agent", "NAME", "Agent to call; without it, every agent found in a room."),
    _text("--trials", "N", "Measured turns for each agent.  [default: 3]"),
    click.option(
        "--warmup/--no-warmup",
        default=None,
        help="Take one more turn first, listed but not measured.  [default: --warmup]",
    ),
    _text("--target-ms", "MS", "Above this average the agent is SLOW.  [default: 1500]"),
    _text("--fail-ms", "MS", "Above this average the agent is FAIL.  [default: never]"),
    _text("--room-name", "NAME", "Name of the room.  [default: random]"),
    _text("--metadata", "TEXT", "Metadata of the dispatch, as the agent expects it."),
    _text("--dispatch", "KIND", "explicit, or automatic for an agent that joins every room."),
    _text("--call-type", "NAME", "Call type.  [default: default]"),
    _text("--scenario", "NAME", "Variant of the call type.  [default: default]"),
    _text("--wav", "FILE", "What the caller says: a PCM WAV file.  [default: built-in clip]"),
    _text("--transcript", "TEXT", "The words in the WAV file."),
    _text("--greeting", "KIND", "auto, expected or none.  [default: auto]"),
    _text("--join-timeout", "TIME", "Dispatch to agent in the room.  [default: 20s]"),
    _text("--reply-timeout", "TIME", "End of speech to first sound of the reply.  [default: 10s]"),
    _text("--deadline", "TIME", "The whole call.  [default: as long as the turns may need]"),
    click.option("--floor/--no-floor", default=False, help="Measure the method's own share first."),
    _json,
)
@_server
def latency(*, agent: str | None, floor: bool, as_json: bool, **flags: Any) -> int:
    """Call one agent, or every agent found in rooms, and measure what a caller hears.

    Each turn is a real agent turn and costs what its providers charge. A name of a target in the
    configuration takes that target's settings; flags replace them.
    """
    from exporter.outcome import Verdict
    from exporter.report.documents import LatencyDocument, to_json
    from exporter.report.render import StderrProgress, print_latency
    from exporter.run.once import LatencyOrder, measure_latency

    settings = _settings(flags)
    order = LatencyOrder(agent, _target_keys(flags), floor)
    with StderrProgress() as progress:
        report = measure_latency(settings, order, progress)
    if as_json:
        click.echo(to_json(LatencyDocument.of(report)))
        progress.explain(report)
    else:
        print_latency(report)
    return OK if report.verdict is Verdict.PASS else NOT_PASS


def _target_keys(flags: dict[str, Any]) -> dict[str, object]:
    """Return the flags of `latency` by the key of a target that each replaces."""
    keys: dict[str, object] = dict(flags)
    wav, transcript = keys.pop("wav"), keys.pop("transcript")
    keys["utterance.wav"] = wav
    # Another clip says other words than the configured transcript.
    keys["utterance.transcript"] = "" if wav is not None and transcript is None else transcript
    return keys


@cli.command(short_help="List the agents in rooms, and the workers.")
@_options(
    _text(
        "--collector",
        "URL",
        "Running exporter whose roster to show; else VOICE_EXPORTER_COLLECTOR_URL, with "
        "VOICE_EXPORTER_TOKEN.",
    ),
    _json,
)
@_server
def agents(*, collector: str | None, as_json: bool, **flags: Any) -> int:
    """List the agents in rooms, the dispatched ones that did not come, and the workers.

    Workers are found by their own pages (workers.scrape in the configuration), and in the roster
    of a running exporter, to which they report.
    """
    from exporter.outcome import Listing
    from exporter.report.documents import AgentsDocument, to_json
    from exporter.report.render import clean, print_agents, print_workers
    from exporter.run.once import list_fleet

    fleet = list_fleet(_settings(flags, collector__url=collector))
    listing = fleet.listing.result
    if not isinstance(listing, Listing):
        return _failed("agents could not be listed", fleet.listing)
    if as_json:
        click.echo(to_json(AgentsDocument.of(listing, fleet.workers, fleet.now)))
    else:
        print_agents(listing)
        if fleet.workers or fleet.asked:
            click.echo()
            print_workers(fleet.workers, fleet.now)
    for note in fleet.notes:
        click.echo(f"voice-exporter: {clean(note)}", err=True)
    return OK


def _failed(what: str, outcome: "Outcome") -> int:
    """Say on stderr why a probe failed."""
    from exporter.report.render import why

    click.echo(f"voice-exporter: {what}: {why(outcome)}", err=True)
    return NOT_PASS


@cli.command(short_help="Measure what the method itself adds.")
@_options(
    _text("--calls", "N", "Calls to the echo.  [default: 2]"),
    _text("--trials", "N", "Measured turns in each call.  [default: 5]"),
    _text("--delay", "TIME", "Delay of the echo.  [default: 500ms]"),
    _json,
)
@_server
def calibrate(*, as_json: bool, **flags: Any) -> int:
    """Measure what the method itself adds, against an echo whose delay is known."""
    from exporter.report.documents import CalibrateDocument, to_json
    from exporter.report.render import print_calibration
    from exporter.run import once

    settings = _settings(flags)
    outcome = once.calibrate(settings, flags)
    if as_json:
        click.echo(to_json(CalibrateDocument.of(settings.server().name, outcome)))
    else:
        print_calibration(outcome)
    return OK if outcome.ok else NOT_PASS


@cli.command(short_help="Measure the way to the SFU.")
@_options(
    _text("--vantage", "NAME", "From where it is measured.  [default: default]"),
    _text("--pings", "N", "Data messages at least.  [default: 50]"),
    _text("--packets", "N", "RTP packets each way at least.  [default: 2000]"),
    _text("--target-rtt-ms", "MS", "Above this median the SFU is SLOW.  [default: 100]"),
    _text("--max-loss", "PERCENT", "Above this, either way, it is SLOW.  [default: 1]"),
    click.option("--load", is_flag=True, help="Ramp, too: more and more clients, to the knee."),
    _text("--ramp", "N,N,...", "Clients in each tier of the ramp.  [default: 2,10,25,50]"),
    _text("--duration", "TIME", "How long each tier is held.  [default: 20s]"),
    click.option("--coordinator", is_flag=True, help="Lead a ramp from several hosts at once."),
    click.option("--expect", type=int, default=0, metavar="N", help="Vantages to wait for."),
    _text("--coordinator-address", "HOST", "Where to listen.  [default: 127.0.0.1]"),
    _text("--coordinator-port", "PORT", "Port to listen on.  [default: 8787]"),
    _text("--report-to", "URL", "Take part in the ramp of the coordinator at this address."),
    _text("--token", "TOKEN", "What both share; VOICE_EXPORTER_DISTRIBUTED__TOKEN is safer."),
    _text("--tls-certificate", "FILE", "Certificate of the coordinator, PEM: it serves HTTPS."),
    _text("--tls-key", "FILE", "Its key."),
    _text("--ca-file", "FILE", "Certificates, PEM, that --report-to trusts."),
    click.option("--preflight", is_flag=True, help="Check instead what must be open for calls."),
    _json,
)
@_server
def sfu(
    *,
    preflight: bool,
    load: bool,
    coordinator: bool,
    expect: int,
    report_to: str | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Measure round trip, jitter and loss between this host and the SFU.

    Two participants of our own meet in a room of our own. No agent is called.

    --load ramps clients with real audio, in rooms of our own, until a tier passes --target-rtt-ms
    (its 95th percentile) or --max-loss: the knee is the tier before. It loads the SFU on purpose.

    --coordinator --expect N leads N vantages, which run --report-to, through one ramp at once.

    --preflight tries signalling, UDP, TCP and TURN each on purpose, and names the ports to open.
    """
    from exporter.outcome import Verdict
    from exporter.report.documents import to_json
    from exporter.report.render_sfu import print_sfu
    from exporter.report.sfu import SfuDocument
    from exporter.run.once import measure_sfu

    settings = _settings(flags, **_distributed_keys(flags))
    ramp_flags = _ramp_keys(flags)
    if coordinator:
        return _coordinate(settings, ramp_flags, expect, as_json=as_json)
    if report_to is not None:
        return _report_to(settings, report_to, ramp_flags)
    if preflight:
        return _preflight(settings, as_json=as_json)
    if load:
        return _load(settings, flags, ramp_flags, as_json=as_json)
    report = measure_sfu(settings, flags)
    if as_json:
        click.echo(to_json(SfuDocument.of(report)))
    else:
        print_sfu(report)
    return OK if report.verdict is Verdict.PASS else NOT_PASS


def _ramp_keys(flags: dict[str, Any]) -> dict[str, object]:
    """Return the flags of `sfu` by the key of a ramp that each replaces; its own are taken out."""
    own: dict[str, object] = {"tiers": flags.pop("ramp"), "duration": flags.pop("duration")}
    return own | {name: flags[name] for name in ("target_rtt_ms", "max_loss", "vantage")}


def _distributed_keys(flags: dict[str, Any]) -> dict[str, Any]:
    """Take the flags of a distributed ramp out, by the key that each sets."""
    names = {f"coordinator_{name}": name for name in ("address", "port")}
    names |= {name: name for name in ("token", "tls_certificate", "tls_key", "ca_file")}
    return {f"distributed__{key}": flags.pop(flag) for flag, key in names.items()}


def _coordinate(
    settings: "Settings", ramp_flags: dict[str, object], expect: int, *, as_json: bool
) -> int:
    """Lead a distributed ramp."""
    from exporter.outcome import Verdict
    from exporter.report.distributed import DistributedDocument
    from exporter.report.documents import to_json
    from exporter.report.render_distributed import print_distributed
    from exporter.report.render_ramp import RampBar
    from exporter.run.distributed import coordinate_ramp

    with RampBar() as bar:
        report = coordinate_ramp(settings, ramp_flags, expect, bar.show)
    if as_json:
        click.echo(to_json(DistributedDocument.of(report)))
    else:
        print_distributed(report)
    return OK if report.verdict is Verdict.PASS else NOT_PASS


def _report_to(settings: "Settings", url: str, ramp_flags: dict[str, object]) -> int:
    """Take part in a distributed ramp."""
    from exporter.report.render_distributed import print_vantage
    from exporter.run.distributed import report_to

    report = report_to(settings, url, ramp_flags, lambda what: click.echo(what, err=True))
    print_vantage(report)
    return NOT_PASS if report.error else OK


def _load(
    settings: "Settings",
    flags: dict[str, Any],
    ramp_flags: dict[str, object],
    *,
    as_json: bool,
) -> int:
    """Take a baseline and ramp."""
    from exporter.outcome import Verdict
    from exporter.report.documents import to_json
    from exporter.report.render_ramp import RampBar, print_ramp
    from exporter.report.render_sfu import print_sfu
    from exporter.report.sfu import SfuDocument
    from exporter.run.ramp import measure_ramp
    from exporter.verdict import worst

    with RampBar() as bar:
        baseline, ramp = measure_ramp(settings, flags, ramp_flags, bar.show)
    if as_json:
        click.echo(to_json(SfuDocument.of(baseline, ramp)))
    else:
        print_sfu(baseline, label="BASELINE")
        print_ramp(ramp)
    verdict = worst((baseline.verdict, ramp.verdict))
    return OK if verdict is Verdict.PASS else NOT_PASS


def _preflight(settings: "Settings", *, as_json: bool) -> int:
    """Print the checklist of the ways to the SFU."""
    from exporter.outcome import Verdict
    from exporter.report.documents import to_json
    from exporter.report.preflight import PreflightDocument, print_preflight
    from exporter.run.once import try_ways

    report = try_ways(settings)
    if as_json:
        click.echo(to_json(PreflightDocument.of(report)))
    else:
        print_preflight(report)
    return OK if report.verdict is Verdict.PASS else NOT_PASS


@cli.command(name="check", short_help="Check agents, latency and the SFU at once.")
@_options(
    _text("--agent", "NAME", "Agent to call; without it, configured ones and all in rooms."),
    _text("--trials", "N", "Measured turns for each agent.  [default: 2]"),
    _text("--target-ms", "MS", "Above this average an agent is SLOW.  [default: 1500]"),
    _text("--fail-ms", "MS", "Above this average an agent is FAIL.  [default: never]"),
    _text("--metadata", "TEXT", "Metadata of the dispatch, as the agent expects it."),
    _text("--vantage", "NAME", "From where the SFU is measured.  [default: default]"),
    _text("--target-rtt-ms", "MS", "Above this median the SFU is SLOW.  [default: 100]"),
    _text("--max-loss", "PERCENT", "Above this, either way, it is SLOW.  [default: 1]"),
    _json,
)
@_server
def check_all(*, agent: str | None, as_json: bool, **flags: Any) -> int:
    """List agents, call them, measure the way to the SFU, and give one verdict.

    Each turn is a real agent turn and costs what its providers charge. Exit status 0 only if all
    is PASS.
    """
    from exporter.outcome import Verdict
    from exporter.report.check import CheckDocument
    from exporter.report.documents import to_json
    from exporter.report.render import StderrProgress
    from exporter.report.render_check import print_check
    from exporter.run.check import CheckOrder, check

    settings = _settings(flags)
    sfu_flags = {name: flags.pop(name) for name in ("vantage", "target_rtt_ms", "max_loss")}
    order = CheckOrder(agent, flags, sfu_flags)
    with StderrProgress() as progress:
        report = check(settings, order, progress)
    if as_json:
        click.echo(to_json(CheckDocument.of(report)))
    else:
        print_check(report)
    return OK if report.verdict is Verdict.PASS else NOT_PASS


@cli.command(short_help="Run the exporter.")
@_options(
    _text("--web.listen-address", "HOST:PORT", "Where /metrics is.  [default: 127.0.0.1:9465]"),
    _text("--web.config.file", "FILE", "TLS and passwords, as for every Prometheus exporter."),
    _text("--log.level", "LEVEL", "debug, info, warning or error.  [default: info]"),
    _text("--log.format", "FORMAT", "logfmt or json.  [default: logfmt]"),
)
@_server
def serve(**flags: Any) -> int:
    """Call the configured targets on a schedule and serve what was measured on /metrics.

    Stops on SIGTERM and Ctrl-C within 10 s: calls are ended and their rooms deleted. On SIGHUP it
    reads the configuration anew and follows it; a bad one is logged and changes nothing.
    """
    from exporter import daemon

    keys = {key: flags.pop(key) for key in ("web__listen_address", "log__level", "log__format")}
    keys["web__config_file"] = flags.pop("web__config__file")
    return daemon.serve(lambda: _settings(dict(flags), **keys))


@cli.command(short_help="See it work, without any server or key of yours.")
@_options(
    _text("--duration", "TIME", "Stop after this time.  [default: on Ctrl-C]"),
    _text("--stt-delay", "TIME", "How long speech recognition takes."),
    _text("--llm-delay", "TIME", "How long the language model takes to its first token."),
    _text("--tts-delay", "TIME", "How long speech synthesis takes to its first sound."),
    _text("--stt-failure-rate", "SHARE", "Share of recognitions that fail, 0 to 1.  [default: 0]"),
    _text("--llm-failure-rate", "SHARE", "Share of completions that fail, 0 to 1.  [default: 0]"),
    _text("--tts-failure-rate", "SHARE", "Share of syntheses that fail, 0 to 1.  [default: 0]"),
    _text("--greeting", "TEXT", "What the agent says first.  [default: nothing]"),
    _text("--trials", "N", "Measured turns in each call.  [default: 2]"),
    _text("--interval", "TIME", "Time between two calls.  [default: 20s]"),
    _text("--listen-address", "HOST:PORT", "Where /metrics is.  [default: 127.0.0.1:9465]"),
)
def demo(**flags: Any) -> int:
    """Run a real agent with local speech and language providers, and the exporter that calls it.

    Starts a livekit-server, or uses the one that LIVEKIT_URL names. Needs the extra `demo`.
    """
    from exporter.demo.flags import demo_options
    from exporter.demo.run import run_demo

    return run_demo(demo_options(flags), click.echo)


@cli.group(name="config")
def config_group() -> None:
    """Check the configuration, and describe it."""


@config_group.command()
@click.argument("file", type=_FILE)
def check(file: Path) -> int:
    """Check FILE as `serve` would read it, the environment included."""
    from exporter.config.load import load_settings
    from exporter.web.web_config import WebConfigWatch

    settings = load_settings(file, {})
    WebConfigWatch(settings.web.config_file)
    number = len(settings.targets)
    click.echo(f"{file}: ok, {number} target{'' if number == 1 else 's'}")
    return OK


@config_group.command()
def schema() -> int:
    """Print the JSON Schema of the configuration file, for editors."""
    from exporter.config.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return OK
