"""The command that looks at the way to the SFU."""
# ruff: noqa: PLC0415 - each command imports what it needs when it runs

from typing import TYPE_CHECKING, Any

import click

from exporter.cli.options import (
    NOT_PASS,
    OK,
    as_one_document,
    default_of,
    of_path,
    of_server,
    options,
    print_one,
    read_settings,
    status_of,
    text,
)

if TYPE_CHECKING:
    from exporter.probes.ramp.figures import RampFigures
    from exporter.settings.settings import Settings


@click.command(short_help="Measure the network path to the SFU.")
@options(
    text("--vantage", "NAME", "Name of the place to measure from.", default_of("sfu.vantage")),
    text("--pings", "N", "Minimum number of data messages.", default_of("sfu.pings")),
    text(
        "--packets",
        "N",
        "Minimum number of RTP packets in each direction.",
        default_of("sfu.packets"),
    ),
    of_path,
    click.option("--load", is_flag=True, help="Add a ramp: increase the load up to the knee."),
    text("--ramp", "N,N,...", "Clients in each tier of the ramp.", default_of("ramp.tiers")),
    text("--duration", "TIME", "Duration of each tier.", default_of("ramp.duration")),
    click.option("--coordinator", is_flag=True, help="Coordinate a ramp from several hosts."),
    click.option(
        "--expect", type=int, default=0, metavar="N", help="Number of vantages to wait for."
    ),
    text(
        "--coordinator-address",
        "HOST",
        "Address to listen on.",
        default_of("distributed.address"),
    ),
    text(
        "--coordinator-port",
        "PORT",
        "Port to listen on.",
        default_of("distributed.port"),
    ),
    text("--report-to", "URL", "Join the ramp of the coordinator at this URL."),
    text("--token", "TOKEN", "Shared token. VOICE_EXPORTER_DISTRIBUTED__TOKEN is safer."),
    text("--tls-certificate", "FILE", "Certificate of the coordinator (PEM), for HTTPS."),
    text("--tls-key", "FILE", "Private key of the certificate."),
    text("--ca-file", "FILE", "CA certificates (PEM) trusted by --report-to."),
    text(
        "--collector",
        "URL",
        "Running exporter that shows the result of --load or --coordinator, with "
        "VOICE_EXPORTER_TOKEN.",
    ),
    click.option("--preflight", is_flag=True, help="Check which ports are open for calls instead."),
    as_one_document,
)
@of_server
def sfu(
    *,
    preflight: bool,
    load: bool,
    coordinator: bool,
    expect: int,
    report_to: str | None,
    collector: str | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Measure round trip, jitter and loss between this host and the SFU.

    Two test participants join a new room. No agent is called.

    --load is a load test: it connects an increasing number of clients with real audio until a tier
    exceeds --target-rtt-ms (95th percentile) or --max-loss. The knee is the tier before.

    --coordinator --expect N coordinates one ramp from N vantages, which run --report-to.

    --preflight tests signalling, UDP, TCP and TURN, and lists the ports to open.
    """
    from exporter.commands.once import measure_sfu
    from exporter.report.sfu import SfuDocument, print_sfu

    modes = {
        "--load": load,
        "--coordinator": coordinator,
        "--report-to": report_to is not None,
        "--preflight": preflight,
    }
    given = [name for name, given in modes.items() if given]
    _check_modes(given, flags, expect)
    if collector and not {"--load", "--coordinator"} & {*given}:
        raise click.UsageError("--collector needs --load or --coordinator")
    settings = read_settings(flags, **_distributed_keys(flags), collector__url=collector)
    ramp_flags = _ramp_keys(flags)
    if coordinator:
        return _coordinate(settings, ramp_flags, expect, send=bool(collector), as_json=as_json)
    if report_to is not None:
        return _report_to(settings, report_to, ramp_flags, as_json=as_json)
    if preflight:
        return _preflight(settings, as_json=as_json)
    if load:
        return _load(settings, flags, ramp_flags, send=bool(collector), as_json=as_json)
    report = measure_sfu(settings, flags)
    print_one(lambda: SfuDocument.of(report), lambda: print_sfu(report), as_json=as_json)
    return status_of(report.verdict)


def _check_modes(given: list[str], flags: dict[str, Any], expect: int) -> None:
    """Refuse flags that would do nothing.

    Raises:
        UsageError: Two modes at once, or a flag of a mode that was not asked for.
    """
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} cannot be combined")
    ramps = "--load" in given or "--coordinator" in given
    if not ramps and (flags["ramp"] or flags["duration"]):
        raise click.UsageError("--ramp and --duration need --load or --coordinator")
    if expect and "--coordinator" not in given:
        raise click.UsageError("--expect needs --coordinator")


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
    settings: "Settings", ramp_flags: dict[str, object], expect: int, *, send: bool, as_json: bool
) -> int:
    """Lead a distributed ramp."""
    from exporter.commands.load import coordinate_ramp
    from exporter.distributed.report import DistributedDocument, print_distributed
    from exporter.report.ramp import RampBar

    with RampBar() as bar:
        report = coordinate_ramp(settings, ramp_flags, expect, bar.show)
    print_one(
        lambda: DistributedDocument.of(report), lambda: print_distributed(report), as_json=as_json
    )
    sent = _send(settings, report.figures) if send else True
    return status_of(report.verdict) if sent else NOT_PASS


def _send(settings: "Settings", figures: "RampFigures | None") -> bool:
    """Send a result; say on stderr why not, where it is not taken."""
    from exporter.commands.load import send_figures

    why = send_figures(settings, figures)
    if why:
        click.echo(f"voice-exporter: result not sent to the exporter: {why}", err=True)
    return not why


def _report_to(
    settings: "Settings", url: str, ramp_flags: dict[str, object], *, as_json: bool
) -> int:
    """Take part in a distributed ramp."""
    from exporter.commands.load import report_to
    from exporter.distributed.report import VantageDocument, print_vantage

    report = report_to(settings, url, ramp_flags, lambda what: click.echo(what, err=True))
    print_one(lambda: VantageDocument.of(report), lambda: print_vantage(report), as_json=as_json)
    return NOT_PASS if report.error else OK


def _load(
    settings: "Settings",
    flags: dict[str, Any],
    ramp_flags: dict[str, object],
    *,
    send: bool,
    as_json: bool,
) -> int:
    """Take a baseline and ramp."""
    from exporter.commands.load import measure_ramp
    from exporter.outcome import worst
    from exporter.report.printing import to_json
    from exporter.report.ramp import RampBar, print_ramp
    from exporter.report.sfu import SfuDocument, print_sfu

    with RampBar() as bar:
        baseline, ramp = measure_ramp(settings, flags, ramp_flags, bar.show)
    if as_json:
        click.echo(to_json(SfuDocument.of(baseline, ramp)))
    else:
        print_sfu(baseline, label="BASELINE")
        print_ramp(ramp)
    verdict = worst((baseline.verdict, ramp.verdict))
    sent = _send(settings, ramp.figures) if send else True
    return status_of(verdict) if sent else NOT_PASS


def _preflight(settings: "Settings", *, as_json: bool) -> int:
    """Print the checklist of the ways to the SFU."""
    from exporter.commands.once import try_ways
    from exporter.report.sfu import PreflightDocument, print_preflight

    report = try_ways(settings)
    print_one(
        lambda: PreflightDocument.of(report), lambda: print_preflight(report), as_json=as_json
    )
    return status_of(report.verdict)
