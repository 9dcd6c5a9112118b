"""The demo, whole: real processes, a real call, and nothing left of it."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from pydantic import TypeAdapter

from exporter.demo.livekit_binary import VARIABLE, ServerProgram
from exporter.demo.processes import Child
from exporter.demo.ready import announced
from exporter.demo.settings import DemoSettings
from exporter.outcome import Turn
from exporter.server_api import Server
from exporter.stats import Stats
from exporter.store.records import RunRecord
from tests import patience
from tests.golden_metrics import missing
from tests.integration.voids import assert_late, measured, span
from tests.lateness import Watch, watching
from tests.patience import until

pytestmark = pytest.mark.integration

RUN = TypeAdapter(RunRecord)

BUSY_S = 0.25
"""What two processes may add to a provider's delay; bench/accuracy.py has the real bound."""

LATE_STEPS = 4
"""An answer passes so many processes that may each be late: two that ask and two that answer."""


def ask(url: str, method: str = "GET", body: object = None) -> tuple[int, str, float]:
    """Send a request; return status, body and the seconds to the first byte of the answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        began = time.monotonic()
        payload = None if body is None else json.dumps(body)
        connection.request(method, parts.path, payload)
        response = connection.getresponse()
        first = response.read(1)
        took_s = time.monotonic() - began
        return response.status, (first + response.read()).decode(errors="replace"), took_s
    finally:
        connection.close()


class Running:
    """A `voice-exporter demo` and the lines that it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ""))

    @property
    def text(self) -> str:
        """All it has printed."""
        return "".join(self.lines)

    def find(self, pattern: str) -> str:
        """Wait for a line that matches, and return its first group."""

        def found() -> re.Match[str] | None:
            return re.search(pattern, self.text)

        until(lambda: found() or self.process.poll() is not None, patience.START_S, pattern)
        match = found()
        assert match, f"no {pattern!r} in:\n{self.text}"
        return match[1]

    def children(self) -> list[psutil.Process]:
        """Return every process below it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def wait(self, limit_s: float = patience.END_S) -> int:
        """Wait for its end and return its exit status."""
        status = self.process.wait(limit_s)
        self._reader.join()
        return status


@contextmanager
def demo(environ: Mapping[str, str], *arguments: str) -> Iterator[Running]:
    """Run `voice-exporter demo`; whatever happens, nothing of it is left running."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LIVEKIT_", "VOICE_EXPORTER_"))
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "exporter", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**kept, **environ, "PYTHONUNBUFFERED": "1"},
    )
    running = Running(process)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
        running.wait()
        assert process.stdout is not None
        process.stdout.close()


def gone(processes: list[psutil.Process]) -> None:
    """Wait until none of them is alive."""
    _, alive = psutil.wait_procs(processes, timeout=patience.END_S)
    assert alive == []


@pytest.mark.long
def test_the_demo_comes_to_show_every_metric(livekit_program: ServerProgram) -> None:
    """Once it has measured its floor and listed its rooms, nothing of the golden page lacks."""
    environ = {VARIABLE: str(livekit_program.path or "docker")}
    with demo(environ, "--trials", "1") as running:
        metrics = running.find(r"metrics +(http://\S+)")
        running.find(r"(1 turn measured, \d+\.\d\d s)")
        until(
            lambda: "voice_probe_floor_seconds{" in ask(metrics)[1], patience.START_S, "the floor"
        )
        # A worker that is in a call is told by its rooms as well, until they are listed again.
        until(lambda: not missing(ask(metrics)[1]), patience.START_S, "the golden page")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one demo showed, from its start to its end by SIGTERM."""

    metrics: str
    status_page: tuple[int, str]
    settings: DemoSettings
    workers: list[list[str]]
    """How each worker is known: the first two sources."""
    run: RunRecord
    """A call with at least two measured turns; on a machine that was late, the last one."""
    watch: Watch
    processes: list[psutil.Process]
    folder: Path
    """Where it kept its files."""
    exit_status: int
    text: str

    @property
    def turns(self) -> list[Turn]:
        """The turns that were measured: all, unless the machine was late."""
        return measured(self.run.turns)

    @property
    def late_s(self) -> float:
        """How late the machine was at worst during the call."""
        return self.watch.worst_s(*span(self.run))


@pytest.fixture(scope="module")
def seen(
    livekit_program: ServerProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Seen]:
    """A demo with a server of its own, and what it showed until SIGTERM came."""
    environ = {VARIABLE: str(livekit_program.path or "docker")}
    delays = ("--llm-delay", "500ms", "--tts-delay", "300ms")
    with (
        watching(tmp_path_factory.mktemp("demo")) as watch,
        demo(environ, "--trials", "3", *delays) as running,
    ):
        yield show(running, watch)


def show(running: Running, watch: Watch) -> Seen:
    """Look at everything that a demo shows, and end it."""
    running.find(r"livekit +(ws://127\.0\.0\.1:\d+)")
    page = running.find(r"status page +(http://\S+)")

    def workers() -> list[list[str]]:
        found = json.loads(ask(f"{page}api/v1/workers")[1])["workers"]
        return [worker["sources"][:2] for worker in found]

    run = measured_run(page)
    until(lambda: workers() == [["heartbeat", "scrape"]], patience.START_S, "its worker")
    metrics, status_page = ask(running.find(r"metrics +(http://\S+)"))[1], ask(page)[:2]
    settings = ask(running.find(r"settings +(http://\S+settings)"))[1]
    processes, known = running.children(), workers()
    arguments = (each for process in processes for each in process.cmdline())
    folder = next(Path(each).parent for each in arguments if each.endswith("/voice-exporter.yaml"))
    running.process.send_signal(signal.SIGTERM)
    return Seen(
        metrics,
        status_page,
        DemoSettings.model_validate_json(settings),
        known,
        run,
        watch,
        processes,
        folder,
        running.wait(),
        running.text,
    )


def measured_run(page: str) -> RunRecord:
    """Wait for a call with two measured turns; or return the last one, where the machine is late.

    On a busy machine the first calls may be void: then it is a later one that is measured.
    """
    newest: list[RunRecord] = []

    def measured_twice() -> bool:
        found = json.loads(ask(f"{page}api/v1/runs?limit=20")[1])["runs"]
        newest[:] = [RUN.validate_python(run) for run in found if run["probe"] == "latency"]
        good = [run for run in newest if Stats.of(run.turns).n >= 2]
        newest[:0] = good[:1]
        return bool(good)

    with suppress(AssertionError):  # what then counts is whether the machine was late
        until(measured_twice, patience.START_S, "two measured turns", every_s=0.5)
    assert newest, "no call within the time"
    return newest[0]


@pytest.mark.whole_machine
def test_the_demo_measures_and_shows(seen: Seen) -> None:
    """Its turns stand on /metrics, unless void; and its worker, which reports, on its page."""
    if len(seen.turns) < 2:
        assert_late([seen.run], seen.watch, [t for t in seen.run.turns if t not in seen.turns])
    else:
        counted = r"^voice_e2e_latency_seconds_count\{.*\} [1-9]"
        assert re.search(counted, seen.metrics, re.MULTILINE)
    assert seen.workers == [["heartbeat", "scrape"]]
    assert seen.status_page[0] == 200
    assert "No workers known" not in seen.status_page[1]
    assert (seen.settings.llm.delay_s, seen.settings.tts.delay_s) == (0.5, 0.3)


@pytest.mark.whole_machine
def test_a_real_agents_turn_is_split(seen: Seen) -> None:
    """Every component is there, true to what the providers took, and they add up to the whole."""
    busy_s = BUSY_S + LATE_STEPS * seen.late_s
    assert seen.run.split_absent == "" or not seen.turns
    for turn in seen.turns:
        parts = turn.components
        assert parts.llm_s is not None
        assert 0 <= parts.llm_s - seen.settings.llm.delay_s < busy_s
        assert parts.tts_s is not None
        assert 0 <= parts.tts_s - seen.settings.tts.delay_s < busy_s
        assert parts.transcription_s is not None
        assert parts.transcription_s > seen.settings.stt.delay_s
        assert parts.end_of_turn_s is not None
        assert parts.transport_s is not None
        known = [value for value in asdict(parts).values() if value is not None]
        assert turn.e2e_s == pytest.approx(sum(known), abs=1e-5)


@pytest.mark.whole_machine
def test_the_caller_hears_more_than_the_agent_reports(seen: Seen) -> None:
    """The agent's own figure lacks the way there and back."""
    for turn in seen.turns:
        assert turn.e2e_s is not None
        assert turn.reported_e2e_s is not None
        assert 0 < turn.e2e_s - turn.reported_e2e_s < 1.0 + LATE_STEPS * seen.late_s


@pytest.mark.whole_machine
def test_a_real_agent_tells_its_own_side_of_the_media(seen: Seen) -> None:
    """It is asked once, at the end: what it sent, and what it heard us by."""
    media = seen.run.media
    assert media is not None
    assert media.agent_up is not None
    assert media.agent_down is not None
    # Both publish all the time, 50 packets a second: none can have far more than the other.
    assert media.agent_down.packets == pytest.approx(media.up.packets, rel=0.2)
    assert media.agent_up.packets > 50
    assert media.agent_down.concealed_ratio is not None


@pytest.mark.whole_machine
def test_a_real_agent_understands_every_word(seen: Seen) -> None:
    """Its own final transcripts have all words of the clips, which are said in turn."""
    heard = [turn.transcription for turn in seen.turns]
    assert [each and each.wer for each in heard] == [0.0] * len(seen.turns)
    if len(seen.turns) > 1:
        assert re.search(
            r'^voice_transcribed_words_total\{.*form="normalized",kind="hit".*\} [1-9]',
            seen.metrics,
            re.MULTILINE,
        )


@pytest.mark.whole_machine
def test_the_demo_leaves_nothing(seen: Seen) -> None:
    """After SIGTERM: exit status 0, and no process and no file is left."""
    assert seen.exit_status == 0, seen.text
    assert len(seen.processes) >= 4
    gone(seen.processes)
    assert not seen.folder.exists()


@pytest.mark.long
def test_a_process_that_dies_is_named(livekit: Server) -> None:
    """1. The demo uses the server that the environment names. 2. Its agent is killed.

    Result: the demo says which process ended and how, keeps the logs, stops the others, exits 1.
    """
    environ = {
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.api_key,
        "LIVEKIT_API_SECRET": livekit.api_secret,
    }
    with demo(environ) as running:
        assert running.find(r"livekit +(\S+), from the environment") == livekit.url
        running.find(r"(calling)")
        processes = running.children()
        agent = next(each for each in processes if "exporter.demo.agent" in each.cmdline())
        agent.kill()
        assert running.wait() == 1
        gone(processes)
    assert "agent ended with signal SIGKILL" in running.text
    assert livekit.api_secret not in running.text
    folder = Path(running.find(r"logs +(\S+)"))
    for file in filter(Path.is_file, folder.rglob("*")):
        assert livekit.api_secret.encode() not in file.read_bytes()
    shutil.rmtree(folder)


def test_a_wrong_option_is_one_line_and_status_2() -> None:
    """Nothing is started for an option that cannot be."""
    with demo({}, "--llm-delay", "99s") as running:
        assert running.wait() == 2
    assert len(running.lines) == 1
    assert "--llm-delay" in running.text


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The providers in a process of their own; yields their URL."""
    folder = tmp_path_factory.mktemp("providers")
    ready = folder / "url"
    command = [sys.executable, "-m", "exporter.demo.providers", "--ready-file", str(ready)]
    child = Child("providers", command, log=folder / "log")
    try:
        until(
            lambda: announced(ready) or child.exit_code is not None, patience.START_S, "providers"
        )
        assert child.exit_code is None, child.obituary()
        yield announced(ready) or ""
    finally:
        child.stop()


@pytest.mark.long
def test_the_work_is_inside_the_delay(providers: str) -> None:
    """The first byte comes at the delay, not at delay plus work.

    How long the work takes is measured here and now, and the delay is a multiple of it: so a busy
    machine makes both longer. It can only make an answer later: of several, the earliest counts.
    """
    text = "Your order left our house this morning. " * 4
    body = {"input": text, "response_format": "pcm"}

    def first_byte(delay_s: float) -> float:
        ask(f"{providers}/settings", "PUT", {"tts": {"delay_s": delay_s}})
        return ask(f"{providers}/v1/audio/speech", "POST", body)[2]

    work_s = sorted(first_byte(0.0) for _ in range(3))
    delay_s = 3 * work_s[-1]
    late_s = [first_byte(delay_s) - delay_s for _ in range(5)]
    assert min(late_s) >= 0
    assert min(late_s) < work_s[0] / 2


def test_a_stopped_program_takes_its_children_along(tmp_path: Path) -> None:
    """A program that does not heed SIGTERM, and what it started, are gone after the grace."""
    script = "trap '' TERM; sleep 300 & echo $!; wait; sleep 300"
    child = Child("stubborn", ["/bin/sh", "-c", script], log=tmp_path / "log")
    until(child.tail, patience.START_S, "the child's own child")
    grandchild = int(child.tail())
    child.stop(grace_s=0.2)
    assert child.exit_code == -signal.SIGKILL
    until(lambda: not psutil.pid_exists(grandchild), patience.END_S, "the grandchild is gone")
    assert "signal SIGKILL" in child.obituary()
    child.stop()  # once more does no harm
