"""The commands that look at agents: by a listing, by calls, or by all there is."""
# ruff: noqa: PLC0415 - each command imports what it needs when it runs

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporter.cli.options import (
    FILE,
    NOT_PASS,
    OK,
    OptionWithDefault,
    as_one_document,
    default_of,
    html_file,
    of_path,
    of_server,
    options,
    print_one,
    read_settings,
    status_of,
    text,
)

if TYPE_CHECKING:
    from exporter.outcome import Outcome


_from_collector = text(
    "--collector",
    "URL",
    "Running exporter to read the roster from. Default: VOICE_EXPORTER_COLLECTOR_URL, with "
    "VOICE_EXPORTER_TOKEN.",
)


@click.command(short_help="Call agents and measure the response latency.")
@options(
    text(
        "--agent",
        "NAME",
        "Agent to call. Without it, all agents that are configured, in a room or on the roster.",
    ),
    text("--trials", "N", "Measured turns for each agent.", default_of("discover.trials")),
    click.option(
        "--warmup/--no-warmup",
        default=None,
        cls=partial(OptionWithDefault.of, default_of("discover.warmup")),  # type: ignore[arg-type] # click only calls it
        help="Run one unmeasured warm-up turn first.",
    ),
    text(
        "--target-ms",
        "MS",
        "Average latency above which the agent is SLOW.",
        default_of("discover.target_ms"),
    ),
    text("--fail-ms", "MS", "Average latency above which the agent is FAIL.  [default: never]"),
    text("--room-name", "NAME", "Name of the room.  [default: random]"),
    text("--metadata", "TEXT", "Metadata of the dispatch."),
    text(
        "--dispatch",
        "KIND",
        "explicit, automatic for agents that join every room, or token where the token of "
        "--token-url calls the agent.",
        default_of("targets.0.dispatch"),
    ),
    text("--token-url", "URL", "Endpoint of your application that gives callers their tokens."),
    text("--token-headers-file", "FILE", "File with headers for --token-url, one on each line."),
    text("--call-type", "NAME", "Call type.", default_of("discover.call_type")),
    text(
        "--scenario",
        "NAME[,NAME]",
        "Scenarios to call: of the configuration, or built in: barge_in, backchannel, cough, "
        "pause, reconnect, noise, low_quality_microphone, packet_loss.  [default: none]",
    ),
    text("--wav", "FILE", "Sound file with the caller's speech.  [default: built-in clip]"),
    text("--transcript", "TEXT", "Transcript of the WAV file."),
    text(
        "--greeting",
        "KIND",
        "Whether the agent greets: auto, expected or none.",
        default_of("targets.0.greeting"),
    ),
    text(
        "--join-timeout",
        "TIME",
        "Time from the dispatch to the agent in the room.",
        default_of("targets.0.join_timeout"),
    ),
    text(
        "--reply-timeout",
        "TIME",
        "Time from the end of speech to the reply.",
        default_of("targets.0.reply_timeout"),
    ),
    text("--deadline", "TIME", "Time for the whole call.  [default: derived from the turns]"),
    click.option("--floor/--no-floor", default=False, help="Calibrate first: measure the floor."),
    click.option(
        "--save",
        type=FILE,
        metavar="FOLDER",
        help="Keep each call there, to be seen and heard: sound, timeline, log.",
    ),
    _from_collector,
    html_file,
    as_one_document,
)
@of_server
def latency(
    *,
    agent: str | None,
    floor: bool,
    save: Path | None,
    collector: str | None,
    html: Path | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Call one agent, or every agent that is known, and measure the response latency.

    Each turn is a real agent turn and costs what its providers charge. If the configuration has a
    target with this name, its settings are used; flags override them.
    """
    from exporter.cli.html import evidence_for, write_latency
    from exporter.commands.once import LatencyOrder, measure_latency
    from exporter.report.call_documents import LatencyDocument
    from exporter.report.latency import print_latency
    from exporter.report.printing import to_json
    from exporter.report.progress import StderrProgress

    settings = read_settings(flags, collector__url=collector)
    with evidence_for(html, save) as folder:
        order = LatencyOrder(agent, _target_keys(flags), floor, folder)
        with StderrProgress(reported=not as_json) as progress:
            report = measure_latency(settings, order, progress)
        if as_json:
            click.echo(to_json(LatencyDocument.of(report, save)))
            progress.explain(report)
        else:
            print_latency(report)
        write_latency(html, report, folder)
    return status_of(report.verdict)


def _target_keys(flags: dict[str, Any]) -> dict[str, object]:
    """Return the flags of `latency` by the key of a target that each replaces."""
    keys: dict[str, object] = dict(flags)
    wav, transcript = keys.pop("wav"), keys.pop("transcript")
    for key in ("url", "headers_file"):
        keys[f"token.{key}"] = keys.pop(f"token_{key}")
    keys["utterance.wav"] = wav
    # Another clip says other words than the configured transcript.
    keys["utterance.transcript"] = "" if wav is not None and transcript is None else transcript
    return keys


@click.command(short_help="List the agents in rooms, and the workers.")
@options(
    _from_collector,
    as_one_document,
)
@of_server
def agents(*, collector: str | None, as_json: bool, **flags: Any) -> int:
    """List the agents in rooms, the pending dispatches, and the workers.

    Workers are found by their worker pages (workers.scrape in the configuration) and in the roster
    of a running exporter.
    """
    from exporter.commands.once import list_fleet
    from exporter.outcome import Listing
    from exporter.report.agents import AgentsDocument, print_agents, print_looked, print_workers
    from exporter.report.printing import clean, to_json

    fleet = list_fleet(read_settings(flags, collector__url=collector))
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
        print_looked(fleet.looked)
    for note in fleet.notes:
        click.echo(f"voice-exporter: {clean(note)}", err=True)
    return _failed("the listing is cut", fleet.listing) if listing.unread else OK


def _failed(what: str, outcome: "Outcome") -> int:
    """Say on stderr why a probe failed."""
    from exporter.report.printing import why

    click.echo(f"voice-exporter: {what}: {why(outcome)}", err=True)
    return NOT_PASS


@click.command(short_help="Measure the floor: the error of the measurement.")
@options(
    text("--calls", "N", "Calls to the echo.", default_of("calibrate.calls")),
    text("--trials", "N", "Measured turns in each call.", default_of("calibrate.trials")),
    text("--delay", "TIME", "Delay of the echo.", default_of("calibrate.delay")),
    as_one_document,
)
@of_server
def calibrate(*, as_json: bool, **flags: Any) -> int:
    """Measure the floor: the error of the measurement, against an echo with a known delay."""
    from exporter.commands import once
    from exporter.report.calibrate import CalibrateDocument, print_calibration

    settings = read_settings(flags)
    outcome = once.calibrate(settings, flags)
    print_one(
        lambda: CalibrateDocument.of(settings.server().name, outcome),
        lambda: print_calibration(outcome),
        as_json=as_json,
    )
    return OK if outcome.ok else NOT_PASS


@click.command(short_help="Check agents, latency and the SFU at once.")
@options(
    text(
        "--agent",
        "NAME",
        "Agent to call. Without it, all agents that are configured, in a room or on the roster.",
    ),
    text(
        "--trials",
        "N",
        "Measured turns for each agent.",
        default_of("", "exporter.commands.check:TRIALS"),
    ),
    text(
        "--target-ms",
        "MS",
        "Average latency above which an agent is SLOW.",
        default_of("discover.target_ms"),
    ),
    text("--fail-ms", "MS", "Average latency above which an agent is FAIL.  [default: never]"),
    text("--metadata", "TEXT", "Metadata of the dispatch."),
    text("--vantage", "NAME", "Name of the place to measure from.", default_of("sfu.vantage")),
    of_path,
    _from_collector,
    html_file,
    as_one_document,
)
@of_server
def check(
    *, agent: str | None, collector: str | None, html: Path | None, as_json: bool, **flags: Any
) -> int:
    """List agents, call them, measure the network path to the SFU, and print one verdict.

    Each turn is a real agent turn and costs what its providers charge. The exit status
    is 0 only if every verdict is PASS.
    """
    from exporter.cli.html import evidence_for, write_check
    from exporter.commands.check import CheckOrder
    from exporter.commands.check import check as check_all
    from exporter.report.check import CheckDocument, print_check
    from exporter.report.progress import StderrProgress

    settings = read_settings(flags, collector__url=collector)
    sfu_flags = {name: flags.pop(name) for name in ("vantage", "target_rtt_ms", "max_loss")}
    with evidence_for(html) as folder:
        order = CheckOrder(agent, flags, sfu_flags, folder)
        with StderrProgress(reported=not as_json) as progress:
            report = check_all(settings, order, progress)
        print_one(lambda: CheckDocument.of(report), lambda: print_check(report), as_json=as_json)
        write_check(html, report, folder)
    return status_of(report.verdict)
