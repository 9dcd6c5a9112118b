"""What a configuration asks to be run, and what another one changes about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from exporter.config.values import ProbeSection
from exporter.probes import PROBES
from exporter.probes.charge import charge_of
from exporter.probes.latency.key import TargetKey, joined
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.ramp.processes import cores
from exporter.run.demand import Demand
from exporter.run.scheduler import Work
from exporter.settings.settings import Settings

FOUND = "discover"
"""The account in the ledger that all targets share which nobody wrote down."""


def call_work(target: LatencyConfig, account: str = "") -> Work:
    """Return the calls to one target as work for the scheduler.

    Args:
        target: How it is called.
        account: Whose budget it shares; "" where it has one of its own, or that of the target under
            which it stands.
    """
    name = call_id(target.key)
    if not account and target.account != target.key:
        account = call_id(target.account)
    return Work(name, "latency", target.agent_name, target, target.interval, account)


def call_id(key: TargetKey) -> str:
    """Return the id of the calls to one target."""
    return f"latency/{joined(key)}"


def server_works(settings: Settings) -> tuple[Work, ...]:
    """Return the scheduled work that is about the server and no agent, in the table's order."""
    sections = ((name, settings.section(name)) for name in PROBES if name != "latency")
    return tuple(
        Work(name, name, "", section, section.interval, account_of(settings, section))
        for name, section in sections
        if section.scheduled
    )


def demand(settings: Settings) -> Demand:
    """Return how many processes a configuration wants on this host; found agents are not in it."""
    wanted = Demand(PROBES, cores())
    for work in _by_id(settings).values():
        wanted.add(work)
    return wanted


def account_of(settings: Settings, section: ProbeSection) -> str:
    """Return whose budget pays for a probe of the server; "" where it costs nothing."""
    charge = charge_of(section)
    if charge is None:
        return ""
    account = call_id(charge.target.account)
    known = {call_id(target.key) for target in settings.targets}
    return FOUND if settings.discover.enabled and account not in known else account


def thresholds(settings: Settings) -> tuple[float, ...]:
    """Return every latency, in seconds, that someone wants to know a share of turns below."""
    limits_ms = [target.target_ms for target in settings.targets]
    limits_ms += [target.fail_ms for target in settings.targets if target.fail_ms is not None]
    if settings.discover.enabled:
        limits_ms.append(settings.discover.target_ms)
    return (*(limit / 1000 for limit in limits_ms), *settings.slo.thresholds)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a new configuration changes about what is run."""

    gone: tuple[Work, ...]
    """Run no more."""
    new: tuple[Work, ...]
    """Not there before, or there with another configuration."""

    @classmethod
    def between(cls, old: Settings, new: Settings) -> Self:
        """Compare two configurations; discovered targets are not in them."""
        before, after = _by_id(old), _by_id(new)
        gone = (work for name, work in before.items() if name not in after)
        changed = (work for name, work in after.items() if before.get(name) != work)
        return cls(tuple(gone), tuple(changed))


def needs_restart(old: Settings, new: Settings, buckets: Iterable[float]) -> tuple[str, ...]:
    """Name the keys whose new values are used from the next start on only.

    Args:
        old: What the exporter was started with.
        new: What it is to follow now.
        buckets: The latencies that histograms were given a bucket for at the start: buckets that
            change would break the series.
    """
    pairs = {
        "server_name": (old.server_name, new.server_name),
        "livekit.url": (_url(old), _url(new)),
        "livekit.ca_file": (old.livekit.ca_file, new.livekit.ca_file),
        "web.listen_address": (old.web.listen_address, new.web.listen_address),
        "web.external_url": (old.web.external_url, new.web.external_url),
        "web.route_prefix": (old.web.route_prefix, new.web.route_prefix),
        "web.config_file": (old.web.config_file, new.web.config_file),
        "web.max_connections": (old.web.max_connections, new.web.max_connections),
        "group": (old.group, new.group),
        "store.redis": (old.store.redis, new.store.redis),
        "store.enabled": (old.store.enabled, new.store.enabled),
        "store.folder": (old.store.folder, new.store.folder),
        "pool.recycle_after": (old.pool.recycle_after, new.pool.recycle_after),
    }
    keys = [key for key, (before, after) in pairs.items() if before != after]
    if not set(thresholds(new)) <= set(buckets):
        keys.append("slo.thresholds, target_ms or fail_ms: a histogram bucket for it")
    return tuple(keys)


def _by_id(settings: Settings) -> dict[str, Work]:
    works = (*server_works(settings), *map(call_work, settings.targets))
    return {work.id: work for work in works}


def _url(settings: Settings) -> str | None:
    return settings.livekit.url or settings.livekit.url_file
