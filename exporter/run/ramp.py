"""Ramp once, for a person who waits: `sfu --load`."""

from collections.abc import Callable, Mapping

from exporter.config.load import override
from exporter.config.settings import Settings
from exporter.outcome import RampProgress
from exporter.probes.ramp.spec import RampConfig
from exporter.probes.sfu.spec import SfuConfig
from exporter.report.ramp import RampReport
from exporter.report.sfu import SfuReport
from exporter.run.once import one_runner, run
from exporter.server_api import Server


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
