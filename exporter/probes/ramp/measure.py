"""The ramp of one host: tier by tier, until a target breaks or the prober does."""

from collections.abc import Callable

from exporter.outcome import Outcome, Ramp, RampProgress, RampTier
from exporter.probe import Run
from exporter.probes.ramp.judge import is_last, judge_tier
from exporter.probes.ramp.processes import RampProcesses
from exporter.probes.ramp.rooms import Rooms
from exporter.probes.ramp.spec import RampConfig
from exporter.probes.ramp.summary import TierSummary

CLEANUP_S = 8.0
"""Kept back from the deadline, so that rooms are deleted and the results are reported."""


async def climb(config: RampConfig, run: Run) -> Outcome:
    """Ramp once."""
    tiers: list[RampTier] = []
    ended = await run.within_deadline(_climb(config, run, tiers), CLEANUP_S)
    return run.outcome("ramp", result=Ramp(tuple(tiers)), ended=ended)


async def _climb(config: RampConfig, run: Run, tiers: list[RampTier]) -> None:
    async with (
        Rooms(run.server, f"voice-exporter-{run.id}", run.on_room) as rooms,
        make_processes(config, run, rooms) as processes,
    ):
        for tier_index, clients in enumerate(config.tiers):
            tell = _progress(config, run, tier_index)
            tell(None)
            connected = await processes.grow(clients)
            run.log(f"{connected} of {clients} clients connected")
            tier = await processes.hold(config.duration, tell)
            tiers.append(tier)
            if is_last(judge_tier(TierSummary.of(tier), config.targets)):
                return


def make_processes(config: RampConfig, run: Run, rooms: Rooms) -> RampProcesses:
    """Return the processes of a ramp, none of which runs yet."""
    return RampProcesses(
        run.server,
        rooms,
        ping_interval_s=config.ping_interval,
        connect_timeout_s=config.connect_timeout,
        per_process=config.clients_per_process,
    )


def _progress(config: RampConfig, run: Run, tier_index: int) -> Callable[[float | None], None]:
    """Return a progress callback: called without a round trip first, then every second."""
    clients, count = config.tiers[tier_index], len(config.tiers)
    seconds = 0.0

    def tell(round_trip_s: float | None) -> None:
        nonlocal seconds
        done = (tier_index + min(1.0, seconds / config.duration)) / count
        run.on_progress(RampProgress(clients, done, round_trip_s))
        seconds += 1.0

    return tell
