"""Real calls on a real server that sends webhooks: the figures are what was done in the rooms."""

import asyncio
import signal
import time
from pathlib import Path

import pytest
import yaml
from livekit import rtc

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.livekit_server import LiveKitServer, free_ports
from exporter.server_api import ParticipantKind, Server, ServerApi, make_token
from tests import patience
from tests.integration.exporters import Exporter, Start, value
from tests.patience import until

pytestmark = pytest.mark.integration

_AGENT = {"lk.agent_name": "demo"}


async def _join(server: Server, room: str, identity: str, kind: ParticipantKind) -> rtc.Room:
    attributes = _AGENT if kind == "agent" else {}
    token = make_token(server, identity=identity, room=room, kind=kind, attributes=attributes)
    joined = rtc.Room()
    await joined.connect(server.url, token)
    return joined


async def _speak(agent: rtc.Room) -> None:
    track = rtc.LocalAudioTrack.create_audio_track("voice", rtc.AudioSource(48000, 1))
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    await agent.local_participant.publish_track(track, options)


async def _next_second() -> None:
    """Wait for another second of the wall clock: events have whole ones."""
    began = int(time.time())
    await asyncio.to_thread(until, lambda: time.time() >= began + 1, patience.WAIT_S, "a second")


async def _begin(server: Server, api: ServerApi, room: str) -> tuple[rtc.Room, rtc.Room]:
    await api.create_room(room)
    caller = await _join(server, room, "caller", "standard")
    agent = await _join(server, room, "agent", "agent")
    await _speak(agent)

    def is_heard() -> bool:
        """A track is published for the server once its first packets have come."""
        others = caller.remote_participants.values()
        return any(each.track for other in others for each in other.track_publications.values())

    await asyncio.to_thread(until, is_heard, patience.WAIT_S, "the agent's track")
    return caller, agent


async def _calls_before(server: Server) -> tuple[rtc.Room, rtc.Room]:
    """Have a call of each kind; return the two of one that goes on."""
    async with ServerApi(server) as api:
        caller, agent = await _begin(server, api, "by-caller")
        await caller.disconnect()
        await agent.disconnect()

        caller, agent = await _begin(server, api, "by-agent")
        await _next_second()
        await agent.disconnect()
        await _next_second()
        await caller.disconnect()

        caller, agent = await _begin(server, api, "by-server")
        await api.delete_room("by-server")
        await caller.disconnect()
        await agent.disconnect()

        await api.create_room("abandoned")
        caller = await _join(server, "abandoned", "caller", "standard")
        await caller.disconnect()

        await api.create_room("voice-exporter-probe")
        caller = await _join(server, "voice-exporter-probe", "caller", "standard")
        await caller.disconnect()
        return await _begin(server, api, "goes-on")


def _started(start: Start, config: Path) -> Exporter:
    return start("exporter", "serve", "--config", str(config))


def test_figures_are_what_was_done_also_over_a_kill(
    livekit_program: ServerProgram, tmp_path: Path, start: Start
) -> None:
    """1. Calls of several kinds. 2. kill -9 in the middle of one. 3. Start again, and it ends."""
    listen = f"127.0.0.1:{free_ports().signal}"
    webhooks = f"http://{listen}/webhook/livekit"
    with LiveKitServer(livekit_program, tmp_path, webhooks=webhooks) as livekit:
        server = livekit.server
        keys = {"url": server.url, "api_key": server.api_key, "api_secret": server.api_secret}
        config = tmp_path / "exporter.yaml"
        sections = {"livekit": keys, "server_name": "lk", "web": {"listen_address": listen}}
        config.write_text(yaml.safe_dump(sections))
        exporter = _started(start, config)

        async def script() -> None:
            caller, agent = await _calls_before(server)
            await asyncio.to_thread(_check_before, exporter)
            exporter.process.send_signal(signal.SIGKILL)
            exporter.process.wait()
            after = await asyncio.to_thread(_started, start, config)
            await asyncio.to_thread(until, lambda: _open(after) == 1, patience.WAIT_S, "the call")
            await caller.disconnect()
            await agent.disconnect()
            await asyncio.to_thread(until, lambda: _open(after) == 0, patience.WAIT_S, "its end")
            page = after.get("/metrics").text
            assert value(page, _calls("demo", "caller")) == 1
            assert (
                value(page, 'voice_caller_wait_seconds_count{agent_name="demo",server="lk"}') == 1
            )

        asyncio.run(script())


def _check_before(exporter: Exporter) -> None:
    until(lambda: _open(exporter) == 1, patience.WAIT_S, "the end of all calls but one")
    page = exporter.get("/metrics").text
    ends = ("caller", "agent", "server", "failure")
    assert [value(page, _calls("demo", by)) for by in ends] == [1, 1, 1, 0]
    assert value(page, _calls("", "caller")) == 1
    assert value(page, 'voice_callers_abandoned_total{agent_name="",server="lk"}') == 1
    assert value(page, 'voice_callers_abandoned_total{agent_name="demo",server="lk"}') == 0
    assert value(page, 'voice_short_calls_total{agent_name="demo",server="lk"}') == 3
    assert value(page, 'voice_caller_wait_seconds_count{agent_name="demo",server="lk"}') == 3
    assert value(page, 'voice_transfers_total{agent_name="demo",server="lk"}') == 0
    left = 'voice_participant_disconnects_total{kind="standard"'
    assert value(page, f'{left},reason="client_initiated",server="lk"}}') == 3
    assert value(page, f'{left},reason="room_deleted",server="lk"}}') == 1
    assert value(page, 'voice_webhook_events_refused_total{reason="signature",server="lk"}') == 0


def _calls(agent_name: str, ended_by: str) -> str:
    labels = f'agent_name="{agent_name}",ended_by="{ended_by}",region=""'
    return f'voice_calls_total{{{labels},server="lk"}}'


def _open(exporter: Exporter) -> float:
    return value(exporter.get("/metrics").text, 'voice_calls_open{server="lk"}')
