"""docker-compose.yml where there is no docker: from nothing to dashboards with data.

Run by `make bench-compose` after `make image` and `make image IMAGE_ARGS="--target demo"`; needs
root, podman, Prometheus and Alertmanager. Prints when each service is healthy and which panels have
data two minutes after the start; exits 1 when a bound does not hold.

Every service runs with the command, the mounts, the variables and the health check of the file, in
its order, in one network namespace where all names lead to one address. Images of others cannot be
pulled everywhere: their programs are this machine's, in our image. Grafana is left out; what it
would ask Prometheus is asked.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.containers import HARDENED, Container, running
from bench.report import Report
from exporter.demo.livekit_binary import find_server
from tests.deploy.compose import ROOT, Service, services
from tests.monitoring.services import find_program
from tests.netlab.lab import NetLab, what_is_missing

HEALTHY_S = 120.0
POPULATED_S = 120.0
LEFT_OUT = {"grafana"}
_PROGRAM = "/usr/local/bin/program"
_DEBIANS_FILES = Path("/usr/share/prometheus")
"""Templates that Debian keeps apart from its Alertmanager."""
_HEALTHCHECK = "voice-exporter-healthcheck"
# On the machine of a developer, who has other things to do, not on an idle one.
_POLL_S = 1.0


class Stack:
    """The services, in one network namespace."""

    def __init__(self, lab: NetLab, programs: dict[str, Path]) -> None:
        self._lab = lab
        self._programs = programs
        self._prefix = f"bench-{secrets.token_hex(4)}"

    @contextmanager
    def service(self, service: Service) -> Iterator[Container]:
        """Run one service until the block ends."""
        options = [*self._names(), *self._mounts(service), *HARDENED, "--tmpfs", "/tmp"]  # noqa: S108
        command = service.command
        image = f"localhost/{service.repository}"
        if "entrypoint" in service.raw:
            first, *rest = service.raw["entrypoint"]
            options += ["--entrypoint", first]
            command = (*rest, *command)
        if "user" in service.raw:
            options += ["--user", service.raw["user"]]
        if not service.is_own:
            image = "localhost/voice-exporter"
            program = self._programs[service.name]
            options += ["--volume", f"{program}:{_PROGRAM}:ro", "--entrypoint", _PROGRAM]
            options += ["--user", "0:0"]
            if _DEBIANS_FILES.exists():
                options += ["--volume", f"{_DEBIANS_FILES}:{_DEBIANS_FILES}:ro"]
        with running(
            image,
            *command,
            options=options,
            environ=service.environment,
            network=f"ns:{self._lab.server.namespace}",
        ) as container:
            yield container

    def remove_volumes(self) -> None:
        """Remove what the services kept."""
        names = {mount.source for each in services().values() for mount in each.mounts}
        volumes = [f"{self._prefix}-{name}" for name in names if not name.startswith("./")]
        subprocess.run(
            ["podman", "volume", "rm", "--force", *volumes], check=False, capture_output=True
        )

    def _names(self) -> list[str]:
        return [f"--add-host={name}:{self._lab.server.address}" for name in services()]

    def _mounts(self, service: Service) -> Iterator[str]:
        for mount in service.mounts:
            source = mount.path or f"{self._prefix}-{mount.source}"
            mode = ":ro" if mount.read_only else ""
            yield from ("--volume", f"{source}:{mount.target}{mode}")


def main() -> int:
    """Run the bench and return the exit status."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--populated-after", type=float, default=POPULATED_S, metavar="SECONDS")
    populated_s: float = options.parse_args().populated_after
    report = Report()
    if missing := what_is_missing():
        report.say(missing)
        return 1
    with ExitStack() as open_until_the_end:
        lab = open_until_the_end.enter_context(NetLab(limit_s=900))
        stack = Stack(lab, _programs(report))
        open_until_the_end.callback(stack.remove_volumes)
        began = time.monotonic()
        figures = report.figures("from `up` to healthy")
        for service in in_order():
            container = open_until_the_end.enter_context(stack.service(service))
            _until_healthy(service, container, began)
            figures.add(service.name, 1, f"{time.monotonic() - began:.1f} s")
        took_s = time.monotonic() - began
        figures.check(
            "all of them",
            1,
            f"{took_s:.1f} s",
            bound=f"<= {HEALTHY_S:g} s",
            holds=took_s <= HEALTHY_S,
        )
        figures.show()
        time.sleep(max(0.0, began + populated_s - time.monotonic()))
        _panels(report, lab, populated_s)
    return 0 if report.held else 1


def in_order() -> list[Service]:
    """Return the services so that each comes after those that it needs."""
    done: dict[str, Service] = {}

    def take(service: Service) -> None:
        for name in service.needs:
            take(services()[name])
        done.setdefault(service.name, service)

    for service in services().values():
        if service.name not in LEFT_OUT:
            take(service)
    return list(done.values())


def _programs(report: Report) -> dict[str, Path]:
    """Return this machine's programs in place of the images of others."""
    livekit = find_server(os.environ, report.say).path
    found = {"livekit": livekit and str(livekit)}
    found |= {name: find_program(name) for name in ("prometheus", "alertmanager")}
    return {name: Path(path) for name, path in found.items() if path is not None}


def _until_healthy(service: Service, container: Container, began: float) -> None:
    """Wait as compose does: for the health check, or for the end of what has none."""
    while not _is_healthy(service, container):
        code = container.exit_code()
        if code is not None and (code != 0 or service.name != "keys"):
            raise SystemExit(f"{service.name} ended with {code}:\n{container.logs()}")
        if time.monotonic() > began + 3 * HEALTHY_S:
            raise SystemExit(f"{service.name} does not become healthy:\n{container.logs()}")
        time.sleep(_POLL_S)


def _is_healthy(service: Service, container: Container) -> bool:
    if service.name == "keys":
        return container.exit_code() == 0
    if container.exit_code() is not None:
        return False
    if not service.health:  # the image's own
        return container.execute(_HEALTHCHECK) == 0
    how, *test = service.health
    if not service.is_own:
        return container.execute(_HEALTHCHECK, test[-1]) == 0
    return container.execute(*(("sh", "-c", *test) if how == "CMD-SHELL" else test)) == 0


def _panels(report: Report, lab: NetLab, after_s: float) -> None:
    """Tell which panels have something to show."""
    command = [sys.executable, "-m", "bench.panels", "http://127.0.0.1:9090"]
    done = lab.server.run(command, environ={**os.environ, "PYTHONPATH": str(ROOT)})
    if done.returncode:
        raise SystemExit(done.stderr)
    figures = report.figures(f"queries of panels with data, {after_s:g} s after `up`")
    without: list[str] = []
    for uid, state in json.loads(done.stdout).items():
        number = len(state["with data"]) + len(state["without"])
        without += (f"{uid}: {place}" for place in state["without"])
        share = len(state["with data"]) / max(1, number)
        figures.check(uid, number, f"{share:.0%}", bound=">= 70 %", holds=share >= 0.7)
    figures.show()
    for line in without:
        report.say(f"no data yet  {line}")


if __name__ == "__main__":
    sys.exit(main())
