"""`register_worker`: one call, which takes what it is given and never harms the worker."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import START_S, until
from tests.unit.agent.collector import Collector, agent_server, serving
from tests.unit.agent.test_worker import Page
from voice_exporter_agent import register_worker, registration


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "no collector is configured; expected http://HOST:PORT"),
        ({"collector": "exporter:9465"}, "the collector is not a valid URL; expected"),
        ({"collector": "http://u:s3cr3t@h:1"}, "the collector is not a valid URL; expected"),
        ({"collector": "http://h:1", "token": "a\nb"}, "the token cannot be sent in a header"),
        ({"collector": "http://h:1", "interval": 0.01}, "interval is too short"),
        ({"collector": "http://h:1", "interval": "x"}, "interval is too short"),
        ({"collector": "http://h:1", "interval": float("nan")}, "interval is too short"),
        ({"collector": "http://h:1", "version": "a" * 65}, "version is not short text; expected"),
        (
            {"collector": "http://h:1", "region": "a\nb"},
            "region is not short text; expected at most",
        ),
        ({"collector": 5}, "AttributeError"),
    ],
)
def test_bad_arguments_are_one_line_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, object],
    expected: str,
) -> None:
    """The worker goes on; the line says what was expected, and repeats no secret."""
    monkeypatch.delenv("VOICE_EXPORTER_COLLECTOR_URL", raising=False)
    register_worker("demo", **arguments).close()  # type: ignore[arg-type]
    [line] = caplog.messages
    assert line.startswith("worker is not reported to the exporter: ")
    assert expected in line
    assert "s3cr3t" not in line
    assert caplog.records[0].exc_info is None


def test_collector_and_token_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, collector: Collector
) -> None:
    """The address from one variable, the token from a file that another names.

    A handle may be closed twice.
    """
    secret = tmp_path / "token"
    secret.write_text("from-file\n")
    monkeypatch.setenv("VOICE_EXPORTER_COLLECTOR_URL", f"{collector.url}/")
    monkeypatch.setenv("VOICE_EXPORTER_TOKEN_FILE", str(secret))
    handle = register_worker("demo", server=agent_server())
    until(lambda: collector.beats)
    handle.close()
    handle.close()
    until(lambda: collector.statuses() == ["idle", "offline"])
    assert {bearer for _, bearer, _ in collector.beats} == {"Bearer from-file"}


@pytest.mark.parametrize(
    ("variables", "arguments", "sent"),
    [
        ({}, {}, {"region": "", "version": ""}),
        ({"FLY_REGION": "ams"}, {"version": "42"}, {"region": "ams", "version": "42"}),
        ({"FLY_REGION": "ams", "VOICE_EXPORTER_REGION": "eu"}, {}, {"region": "eu"}),
        ({"FLY_REGION": "ams"}, {"region": "fra"}, {"region": "fra"}),
        ({"FLY_REGION": "ams"}, {"region": ""}, {"region": ""}),
    ],
)
def test_version_and_region_are_sent_where_they_are_known(
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    arguments: dict[str, str],
    sent: dict[str, str],
) -> None:
    """What is given, else our own variable, else the platform's."""
    for name in registration._REGIONS:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    server = agent_server()
    region, version = arguments.get("region"), arguments.get("version", "")
    handle = register_worker(
        "demo", collector.url, "t", server=server, region=region, version=version
    )
    until(lambda: collector.beats)
    handle.close()
    _, _, beat = collector.beats[0]
    assert {key: getattr(beat, key) for key in sent} == sent


def test_white_space_around_variables_is_no_part_of_them(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that was filled from a file has its line break."""
    monkeypatch.setenv("VOICE_EXPORTER_COLLECTOR_URL", f"{collector.url}\n")
    monkeypatch.setenv("VOICE_EXPORTER_TOKEN", "from-variable\n")
    handle = register_worker("demo", server=agent_server())
    until(lambda: collector.beats)
    handle.close()
    assert {bearer for _, bearer, _ in collector.beats} == {"Bearer from-variable"}


def test_a_token_file_that_is_missing_is_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The line has the variable, the path and the reason."""
    path = tmp_path / "token"
    monkeypatch.setenv("VOICE_EXPORTER_TOKEN_FILE", str(path))
    register_worker("demo", "http://127.0.0.1:1", server=agent_server()).close()
    [line] = caplog.messages
    assert line.endswith(
        f": VOICE_EXPORTER_TOKEN_FILE {path}: cannot be read: No such file or directory"
    )


def test_without_a_server_the_worker_s_page_is_reported(collector: Collector) -> None:
    """Its own page is read at every interval."""
    with serving(Page):
        handle = register_worker("demo", collector.url)
        until(lambda: collector.beats)
        handle.close()
    assert collector.statuses()[0] == "busy"


PROGRAM = """
import multiprocessing, os, sys, threading
from types import SimpleNamespace
from voice_exporter_agent import register_worker, registration

server = SimpleNamespace(id="AW_1", active_jobs=[], worker_info=None, draining=False)
handle = register_worker("demo", sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:1",
                         interval=1, server=server)

def job():
    threads = [each.name for each in threading.enumerate()]
    print("thread" if "voice-exporter" in threads else "none", flush=True)

if __name__ == "__main__":
    for method in ("spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        if method == "forkserver":
            context.set_forkserver_preload(["program"])
        child = context.Process(target=job)
        child.start()
        child.join()
    if not os.fork():
        sys.exit()
    os.wait()
    print("ready", flush=True)
    sys.stdin.readline()
"""


def test_only_the_worker_s_own_process_reports_and_so_does_its_end(
    tmp_path: Path, collector: Collector
) -> None:
    """Job processes import the program too and stay silent; the end of the worker is a goodbye.

    The end of a process that it forks is none.
    """
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    child = subprocess.Popen(
        [sys.executable, str(program), collector.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    out, _ = child.communicate("\n", timeout=START_S)
    assert out.split() == ["none", "none", "ready"]
    statuses = collector.statuses()
    assert (statuses[0], statuses.count("offline"), statuses[-1]) == ("idle", 1, "offline")
    assert set(collector.ids()) == {"AW_1"}
