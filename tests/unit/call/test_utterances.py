"""What the caller says: several utterances in turn, from files or spoken once and kept."""

import asyncio
import errno
import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from exporter.errors import ProbeError
from exporter.outcome import Reason
from exporter.probes.latency import clips as spoken
from exporter.probes.latency.clips import in_turn, ready_clips, speech_folder
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.latency.utterances import Utterance
from exporter.rtc.clip import SHIPPED, Clip
from tests.unit.call.test_clip import speech, write

KEY = "key-of-the-speech-service"
BEGIN = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is spoken is kept in a folder of the test's own."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))


@pytest.fixture
def espeak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name, which notes what it was asked; returns the file of its notes."""
    wav, notes = write(tmp_path / "spoken.wav", speech().tobytes()), tmp_path / "notes"
    program = tmp_path / "bin" / "espeak-ng"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n/bin/cat >>{notes}\necho " $*" >>{notes}\n/bin/cat {wav}\n', "utf-8"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return notes


class Service(HTTPServer):
    """A speech service that keeps what it is asked."""

    def __init__(self, answer: bytes, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.status = answer, status
        self.asked: list[tuple[dict[str, Any], str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1/audio/speech"


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        """Answer with the sound."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((json.loads(body), self.headers.get("Authorization", "")))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A speech service on this machine."""
    server = Service(write(tmp_path / "served.wav", speech().tobytes()).read_bytes())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def clips(*utterances: dict[str, Any]) -> tuple[Clip, ...]:
    """Return what is said by that configuration."""
    return asyncio.run(ready_clips([Utterance.model_validate(each) for each in utterances]))


def refused(target: dict[str, Any]) -> str:
    """Return the key by which a target is refused, and why."""
    with pytest.raises(ValidationError) as caught:
        LatencyConfig.model_validate({"agent_name": "a", **target})
    # Keys whose default follows from the refused one have errors as well.
    (error,) = (each for each in caught.value.errors() if each["type"] in ("invalid", "rule"))
    path = (*error["loc"], *error["ctx"]["key"])
    return f"{'.'.join(map(str, path))}: {error['ctx']['text']}"


def test_without_a_setting_the_built_in_clips_are_said() -> None:
    """All of them, with their words."""
    assert [clip.words for clip in clips({})] == list(SHIPPED.values())


def test_files_have_the_words_that_are_written(tmp_path: Path) -> None:
    """A file without a transcript is said, and not scored."""
    wav = str(write(tmp_path / "a.wav", speech().tobytes()))
    said = clips({"wav": wav, "transcript": "Hello there."}, {"wav": wav})
    assert [clip.words for clip in said] == ["Hello there.", ""]


def test_each_call_begins_with_another_clip() -> None:
    """In turn over the intervals, every one as often, and the same for exporters that share it."""
    said = clips({})
    config = LatencyConfig(agent_name="a", interval=300)
    firsts = [in_turn(said, BEGIN + timedelta(minutes=5 * n), config)[0] for n in range(6)]
    assert len({clip.words for clip in firsts[:3]}) == 3
    assert firsts[3:] == firsts[:3]
    again = in_turn(said, BEGIN + timedelta(seconds=200), config)
    assert again == in_turn(said, BEGIN, config)
    assert sorted(clip.words for clip in again) == sorted(SHIPPED.values())


def test_a_text_is_spoken_once(espeak: Path) -> None:
    """By espeak-ng, which is asked anew only for another text or voice."""
    hello: dict[str, Any] = {"say": {"text": "Hello there."}}
    german: dict[str, Any] = {"say": {"text": "Guten Tag.", "voice": "de"}}
    said = clips(hello, german, hello)
    assert [clip.words for clip in said] == ["Hello there.", "Guten Tag.", "Hello there."]
    assert said[0].speech_end - said[0].speech_start == pytest.approx(24_000, abs=100)
    clips(hello)
    assert espeak.read_text("utf-8").splitlines() == [
        "Hello there. --stdin --stdout",
        "Guten Tag. -v de --stdin --stdout",
    ]
    assert len(list(speech_folder().iterdir())) == 2


def test_a_text_is_spoken_by_a_service(service: Service, tmp_path: Path) -> None:
    """The key comes from a file and is in the header alone."""
    file = tmp_path / "key"
    file.write_text(KEY, "utf-8")
    say = {"text": "Hello.", "url": service.url, "voice": "nova", "api_key_file": str(file)}
    assert [clip.words for clip in clips({"say": say}, {"say": say})] == ["Hello.", "Hello."]
    asked = {"model": "tts-1", "input": "Hello.", "voice": "nova", "response_format": "wav"}
    assert service.asked == [(asked, f"Bearer {KEY}")]
    assert KEY not in repr(Utterance.model_validate({"say": say}))


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        pytest.param(b"", 401, "the speech service answered 401", id="refused"),
        pytest.param(b"<html>", 200, "what was spoken is no utterance", id="no sound"),
    ],
)
def test_a_failure_to_speak_is_no_fault_of_the_agent(
    service: Service, answer: bytes, status: int, why: str
) -> None:
    """It is void, says why without the words, and nothing of it is kept."""
    service.answer, service.status = answer, status
    with pytest.raises(ProbeError, match=why) as caught:
        clips({"say": {"text": "A secret order.", "url": service.url}})
    assert caught.value.reason is Reason.VOID
    assert "secret" not in caught.value.detail
    assert not speech_folder().exists() or list(speech_folder().iterdir()) == []


def test_a_program_that_fails_is_no_fault_of_the_agent(espeak: Path) -> None:
    """Such as for a voice that it does not have."""
    program = espeak.parent / "bin" / "espeak-ng"
    program.write_text("#!/bin/sh\nexit 3\n", "utf-8")
    with pytest.raises(ProbeError, match="espeak-ng ended with status 3") as caught:
        clips({"say": {"text": "Hello.", "voice": "none"}})
    assert caught.value.reason is Reason.VOID


def test_impossible_utterances_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each, with what was expected."""
    monkeypatch.setenv("PATH", str(tmp_path))
    wav = str(write(tmp_path / "a.wav", speech().tobytes()))
    say = {"text": "Hello.", "url": "http://127.0.0.1/v1/audio/speech"}
    assert refused({"utterance": {"say": {"text": "Hello."}}}) == (
        "utterance.say.text: needs the program espeak-ng, which is not installed; or set url"
    )
    assert "utterance.say: conflicts with wav" in refused({"utterance": {"wav": wav, "say": say}})
    assert "utterances: conflicts with utterance" in refused(
        {"utterance": {"wav": wav}, "utterances": [{"say": say}]}
    )
    assert "has no words" in refused({"utterance": {"wav": wav, "transcript": "..."}})
    assert "is no URL of a speech service" in refused({"utterance": {"say": say | {"url": "x"}}})
    odd = "\N{LATIN SMALL LETTER U WITH DIAERESIS}"
    for url in ("http://a b/x", "http://127.0.0.1/a b", f"http://{odd}..b/", "http://a/\x7f"):
        assert "is no URL of a speech service" in refused(
            {"utterance": {"say": say | {"url": url}}}
        )


@pytest.mark.parametrize("key", ["key-\nof-two-lines", "key-\N{HORIZONTAL ELLIPSIS}", "key-\0"])
def test_a_key_that_cannot_be_sent_is_refused(tmp_path: Path, key: str) -> None:
    """In one line that does not repeat it, wherever it stands."""
    file = tmp_path / "key"
    file.write_text(key, "utf-8")
    why = "cannot be sent; expected printable ASCII characters on one line"
    for setting in ({"api_key": key}, {"api_key_file": str(file)}):
        say = {"text": "Hello.", "url": "http://127.0.0.1/", **setting}
        (name,) = setting
        assert refused({"utterance": {"say": say}}) == f"utterance.say.{name}: {why}"


@pytest.mark.parametrize("key", ["key-\nof-two-lines", "key-\N{HORIZONTAL ELLIPSIS}"])
def test_no_error_repeats_the_key(service: Service, key: str) -> None:
    """Not even of a key that was not checked: errors of the client have it in their texts."""
    say = Utterance.model_validate({"say": {"text": "Hello.", "url": service.url}}).say
    assert say is not None
    unchecked = Utterance().model_copy(
        update={"say": say.model_copy(update={"api_key": SecretStr(key)})}
    )
    with pytest.raises(ProbeError, match="could not be spoken: it cannot be asked for") as caught:
        asyncio.run(ready_clips([unchecked]))
    assert caught.value.reason is Reason.VOID
    assert "key-" not in caught.value.detail


def test_an_endless_answer_is_refused(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rest is not read: a service that never ends would fill the memory."""
    monkeypatch.setattr(spoken, "_MOST_BYTES", 3_000_000)
    service.answer = bytes(4_000_000)
    with pytest.raises(ProbeError, match="sent more than 3 MB"):
        clips({"say": {"text": "Hello.", "url": service.url}})


def test_what_is_spoken_is_for_the_exporter_alone(service: Service) -> None:
    """The ledger is in the same state folder, which a text may be the first to need."""
    clips({"say": {"text": "Hello.", "url": service.url}})
    for folder in (speech_folder(), speech_folder().parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_failed_write_leaves_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is not filled further with each call."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ProbeError, match="No space left on device"):
        clips({"say": {"text": "Hello.", "url": service.url}})
    assert list(speech_folder().iterdir()) == []


def test_what_no_call_uses_is_forgotten(service: Service) -> None:
    """After 30 days, when another text is spoken; what is used stays, however old it is."""
    used, unused = ({"say": {"text": text, "url": service.url}} for text in ("Hello.", "Bye."))
    clips(used, unused)
    for file in speech_folder().iterdir():
        os.utime(file, times=(0, time.time() - 31 * 86400))
    clips(used)
    clips({"say": {"text": "Another.", "url": service.url}})
    assert len(list(speech_folder().iterdir())) == 2
    clips(used)
    assert len(service.asked) == 3
