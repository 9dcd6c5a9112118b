"""Nothing that is said in a call is written anywhere: no log line, metric, page or row has it.

Every way by which words reach the exporter carries a password here, which is searched for in all
that it writes.
"""

import json
import pickle
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from livekit.protocol.agent_pb import agent_session as pb

from exporter.outcome import Reason
from exporter.server_api import Server
from tests import patience
from tests.fake_call.calls import Placed, World, place, target
from tests.fake_call.script import Script
from tests.integration.exporters import Exporter, Start
from tests.integration.test_demo_abilities import changed
from tests.patience import until

PASSWORD = "swordfish"  # noqa: S105 - made up, and said aloud
SAID = f"my password is {PASSWORD}"


def told() -> tuple[pb.AgentSessionEvent, ...]:
    """Return all that an agent reports of a turn in which the password is said."""
    events = [pb.AgentSessionEvent() for _ in range(6)]
    heard, question, begin, end, done, answer = events
    heard.user_input_transcribed.transcript = SAID
    heard.user_input_transcribed.is_final = True
    for event, role in ((question, pb.USER), (answer, pb.ASSISTANT)):
        message = event.conversation_item_added.item.message
        message.role = role
        message.content.add().text = SAID
    call = begin.tool_execution_updated.started.function_call
    call.call_id, call.name, call.arguments = "1", "look_up", f'{{"password": "{PASSWORD}"}}'
    end.tool_execution_updated.ended.call_id = "1"
    end.tool_execution_updated.ended.status = pb.TC_ERROR
    end.tool_execution_updated.ended.message = SAID
    output = done.function_tools_executed.function_call_outputs.add()
    output.call_id, output.output, output.is_error = "1", SAID, True
    return tuple(events)


def errors() -> tuple[str, ...]:
    """Return errors as agents report them, with words that were to be said or were heard."""
    # Here, for it takes seconds: each process that collects the tests would pay them.
    from livekit.agents import APIError  # noqa: PLC0415
    from livekit.agents.llm import LLMError  # noqa: PLC0415
    from livekit.agents.tts import TTSError  # noqa: PLC0415

    tts = TTSError(
        timestamp=1.5,
        label="tts",
        error=APIError(f"no audio frames were pushed for text: {SAID}"),
        recoverable=False,
    )
    gateway = APIError(f'the provider returned error: {{"code": 400, "transcript": "{SAID}"}}')
    refused = APIError("refused", body={"input": SAID})
    return (
        str(tts),
        str(TTSError(timestamp=1.5, label="tts", error=gateway, recoverable=False)),
        str(LLMError(timestamp=1.5, label="llm", error=refused, recoverable=False)),
        f"1 validation error: [type=float_parsing, input_value='{SAID}', input_type=str]",
    )


def calls() -> list[Placed]:
    """Place calls that end with a reply, with silence, and with each error."""
    scripts = [Script(tells=told()), Script(tells=told(), mute=True)]
    scripts += [Script(tells=told(), error=error) for error in errors()]
    return [place(script, World(), target(warmup=False)) for script in scripts]


def written(exporter: Exporter, folder: Path) -> bytes:
    """Return all that an exporter has written so far, and its files."""
    runs = exporter.get("/api/v1/runs").json()["runs"]
    pages = [exporter.get(f"/api/v1/runs/{each['run_id']}") for each in runs]
    pages += [exporter.get(path) for path in ("/metrics", "/", "/api/v1/runs", "/api/v1/targets")]
    assert all(page.is_success for page in pages)
    return b"".join(page.content for page in pages) + exporter.text().encode() + _files(folder)


def _files(folder: Path) -> bytes:
    files = [each for each in folder.rglob("*") if each.is_file()]
    assert any(each.name.endswith(".db") for each in files), files
    return b"".join(each.read_bytes() for each in files)


def assert_silent(found: bytes, *known: str) -> None:
    """Assert that no word of the call is there, where what is known of the call is."""
    for each in known:
        assert each.encode() in found, each
    at = found.lower().find(PASSWORD.encode())
    assert at < 0, found[max(0, at - 300) : at + 100]


def details(placed: Iterable[Placed]) -> list[str]:
    """Return what is said of each call that failed."""
    return [each.outcome.detail for each in placed if each.outcome.reason]


def test_words_stay_in_memory(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """1. A password is said in calls. 2. The exporter has them. Result: it is written nowhere."""
    caplog.set_level("DEBUG")
    placed = calls()
    assert PASSWORD not in str([vars(record) for record in caplog.records])
    reasons = [each.outcome.reason for each in placed]
    assert reasons == [None, Reason.NO_REPLY, *[Reason.AGENT_ERROR] * len(errors())]
    assert placed[0].call.turns[0].stages.transcribed_s is not None  # the words did come

    note = tmp_path / "note"
    note.write_bytes(pickle.dumps([each.outcome for each in placed]))
    exporter = start("tests.fake_daemon", str(note), "replays")
    until(lambda: exporter.get("/api/v1/runs?agent_name=demo").json()["runs"])
    asked = [exporter.get("/probe?target=demo&debug=true") for _ in placed[1:]]
    assert all(page.is_success for page in asked)

    found = written(exporter, tmp_path / "state") + b"".join(page.content for page in asked)
    assert exporter.stop() == 0
    found += exporter.text().encode() + _files(tmp_path / "state")
    assert_silent(found, *details(placed))


def configuration(server: Server) -> str:
    """Return that of an exporter that calls the demo's agent, which has a voice and then none."""
    mute = json.dumps({"tts": {"output": "nothing"}})
    common = {"agent_name": "demo", "trials": 1, "warmup": False, "greeting": "none"}
    settings = {
        "livekit": {
            "url": server.url,
            "api_key": server.api_key,
            "api_secret": server.api_secret,
        },
        "log": {"level": "debug"},
        "web": {"listen_address": "127.0.0.1:0"},
        "targets": [common, common | {"call_type": "mute", "metadata": mute}],
    }
    return yaml.safe_dump(settings)


@pytest.mark.integration
@pytest.mark.whole_machine
@pytest.mark.long
def test_words_of_real_calls_stay_in_memory(
    start: Start, livekit: Server, providers: str, tmp_path: Path
) -> None:
    """The password is heard, looked up and said; and an error has it, where no sound comes."""
    file = tmp_path / "exporter.yaml"
    file.write_text(configuration(livekit))
    answer = {"tool": "look_up_order", "filler": SAID, "reply": SAID}
    with (
        changed(providers, "stt", transcript=SAID),
        changed(providers, "llm", **answer),
    ):
        exporter = start("exporter", "serve", "--config", str(file))
        until(lambda: len(_calls_of(exporter)) == 2, patience.START_S)
    reasons = {each["call_type"]: each["reason"] for each in _calls_of(exporter)}
    assert reasons["default"] in (None, "void")
    assert reasons["mute"] in ("agent_error", "void")
    found = written(exporter, tmp_path / "state")
    assert exporter.stop() == 0
    found += exporter.text().encode() + _files(tmp_path / "state")
    told_of = "the agent reported: tts: APIError: no audio frames were pushed"
    assert_silent(found, *([told_of] if reasons["mute"] == "agent_error" else []))


def _calls_of(exporter: Exporter) -> list[dict[str, str]]:
    runs: list[dict[str, str]] = exporter.get("/api/v1/runs?agent_name=demo").json()["runs"]
    return runs
