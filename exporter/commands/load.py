"""Ramps for a person who waits: `sfu --load`, and with several hosts at once."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from exporter.commands.once import one_runner, run
from exporter.distributed.config import DistributedConfig
from exporter.distributed.coordinator import coordinate
from exporter.distributed.messages import NAME, is_name
from exporter.distributed.prober import VantageReport, take_part
from exporter.distributed.report import DistributedReport
from exporter.errors import ConfigError, ProbeError
from exporter.logs import LogSetup, configure
from exporter.outcome import RampProgress
from exporter.probes.ramp.figures import RampFigures
from exporter.probes.ramp.spec import RampConfig
from exporter.probes.sfu.spec import SfuConfig
from exporter.report.ramp import RampReport
from exporter.report.sfu import SfuReport
from exporter.roster.collector import send_ramp
from exporter.server_api import Server
from exporter.server_api.server import trust_in_sdk
from exporter.settings.load import override
from exporter.settings.settings import Settings

_SCHEMES = ("http", "https")


def coordinate_ramp(
    settings: Settings,
    flags: Mapping[str, object],
    expect: int,
    show: Callable[[RampProgress], None],
) -> DistributedReport:
    """Lead several vantages through one ramp.

    Args:
        settings: The whole configuration.
        flags: Keys of `ramp` that replace what is configured; None means not given.
        expect: Vantages to wait for.
        show: Told how far it is.

    Raises:
        ConfigError: Credentials are missing, a flag is impossible, or the port cannot be had.
    """
    server = settings.server()
    if expect < 1:
        raise ConfigError("--expect: is missing; expected the number of vantages, such as 3")
    ramp = override(settings.ramp, flags, "ramp")
    _log(settings.distributed, server.api_secret, "info")
    started = datetime.now(UTC)
    found = run(coordinate(server, ramp, settings.distributed, expect, show))
    return DistributedReport(ramp, found, started)


def send_figures(settings: Settings, figures: RampFigures | None) -> str:
    """Send the result of a ramp to the exporter of --collector.

    Returns:
        Why it was not sent, one line; "" when it was taken.
    """
    if figures is None:
        return "no tier was measured"
    try:
        run(send_ramp(settings.collector, figures.model_dump_json()))
    except ProbeError as error:
        return error.detail
    return ""


def report_to(
    settings: Settings, url: str, flags: Mapping[str, object], show: Callable[[str], None]
) -> VantageReport:
    """Take part in a distributed ramp as one vantage.

    Args:
        settings: The whole configuration.
        url: Of the coordinator.
        flags: Keys of `ramp` that replace what is configured; None means not given.
        show: Told what it does.

    Raises:
        ConfigError: Credentials are missing, or a flag is impossible.
    """
    server = settings.server()
    if not _is_url(url):
        raise ConfigError(
            f"--report-to: {url!r} is not a URL; expected one such as http://10.0.0.7:8787"
        )
    vantage = override(settings.ramp, {"vantage": flags.get("vantage")}, "ramp")
    here = vantage.at(settings.sfu.vantage)
    if not is_name(here.vantage):
        raise ConfigError(
            f"--vantage: {here.vantage!r} is not a valid name; expected it to match {NAME}"
        )
    _log(settings.distributed, server.api_secret, "error")
    trust_in_sdk(server)
    return run(take_part(server, url, settings.distributed, here, show))


def _is_url(text: str) -> bool:
    """Return whether a coordinator can have that address."""
    try:
        parts = urlsplit(text)
        return parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without their like, a port that is none
        return False


def _log(config: DistributedConfig, secret: str, level: str) -> None:
    configure(LogSetup(level=level, secrets=(secret, config.shared_token)))


def measure_ramp(
    settings: Settings,
    baseline_flags: Mapping[str, object],
    ramp_flags: Mapping[str, object],
    show: Callable[[RampProgress], None],
) -> tuple[SfuReport, RampReport]:
    """Take a baseline, then load the SFU tier by tier.

    Args:
        settings: The whole configuration.
        baseline_flags: Keys of `sfu` that replace what is configured; None means not given.
        ramp_flags: Those of `ramp`.
        show: Told how far it is.

    Raises:
        ConfigError: Credentials are missing, or a flag is impossible.
    """
    server = settings.server()
    baseline = override(settings.sfu, baseline_flags, "sfu")
    ramp = override(settings.ramp, ramp_flags, "ramp").at(baseline.vantage)
    return run(_measure(server, baseline, ramp, show))


async def _measure(
    server: Server, baseline: SfuConfig, ramp: RampConfig, show: Callable[[RampProgress], None]
) -> tuple[SfuReport, RampReport]:
    async with one_runner(server) as runner:
        before = SfuReport(baseline, await runner.run("sfu", baseline))
        outcome = await runner.run("ramp", ramp, on_progress=show)
    return before, RampReport(ramp, outcome)
