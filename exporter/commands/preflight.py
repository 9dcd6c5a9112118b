"""The command `preflight`: the production checklist, once."""

from collections.abc import Sequence

from exporter.commands.once import probe_once, run
from exporter.errors import ConfigError
from exporter.probes.latency.key import joined
from exporter.probes.preflight.spec import CHECKS, PreflightConfig, TokenEndpoint
from exporter.report.preflight import PreflightDocument
from exporter.run.process import ProbeTable
from exporter.settings.settings import Settings

_TABLE = ProbeTable("exporter.probes.preflight.spec", "TABLE")
_PORTS = range(1, 65536)


def preflight(settings: Settings, webhook_listen: str, skip: Sequence[str]) -> PreflightDocument:
    """Go through the checklist.

    Args:
        settings: The configuration.
        webhook_listen: HOST:PORT to await webhooks at; "" for nowhere.
        skip: Checks to leave out.

    Raises:
        ConfigError: Credentials are missing, or a flag is impossible.
    """
    if unknown := [each for each in skip if each not in CHECKS]:
        raise ConfigError(f'--skip: "{unknown[0]}" is no check; expected of {", ".join(CHECKS)}')
    host, _, port = webhook_listen.rpartition(":")
    if webhook_listen and not (port.isdecimal() and int(port) in _PORTS and host):
        raise ConfigError(f'--webhook-listen: "{webhook_listen}" is no address; expected HOST:PORT')
    server = settings.server()
    config = PreflightConfig(
        timeout=settings.reach.timeout,
        reach=settings.reach,
        target_rtt_ms=settings.sfu.target_rtt_ms,
        webhook_listen=webhook_listen,
        collector=settings.collector,
        endpoints=tuple(
            TokenEndpoint(name=joined(each.key), token=each.token)
            for each in settings.targets
            if each.token is not None and each.does is None
        ),
        skip=frozenset(skip),
    )
    return PreflightDocument.of(server.name, run(probe_once(server, "preflight", config, _TABLE)))
