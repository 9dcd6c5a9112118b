"""An agent that follows a script, in a room of its own, on the virtual clock."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb

from exporter.outcome import SilentStage
from exporter.rtc.caller import STATE
from exporter.rtc.levels import RATE, Pcm
from exporter.rtc.people import BACKGROUND_TRACK, ON_BEHALF
from exporter.rtc.session_events import TOPIC
from tests.fake_call import reports
from tests.fake_call.devices import FakeTrack
from tests.fake_call.room import FakeParticipant, FakeRoom
from tests.fake_call.script import Script
from tests.fake_call.sounds import FILLER_S, SOUND_S, UTTERANCE_S, noise, voice
from tests.virtual_time import Clock

SETTLE_S = 0.18
"""Silence after which the agent knows that the caller has come to the end."""
REPUBLISH_S = 0.05
"""Between the end of a track and the next."""
TRANSCRIBED_S, TURN_OVER_S, SPEAKS_S = 0.3, 0.5, 0.9
"""After the end of the caller's speech, in the turns of which the stages are told."""
QUESTION = {"transcription_delay": 0.2, "end_of_turn_delay": 0.3}
"""The figures of what the caller said."""
SECOND_SENTENCE_S = 0.4
BETWEEN_SENTENCES_S = 0.3


@dataclass(frozen=True, slots=True)
class Heard:
    """One exchange as it truly was, on the virtual clock."""

    end: float
    """When the last sample of the caller's speech left."""
    replied: float | None
    """When the first sample of the agent's reply was delivered."""


class FakeAgent:
    """One agent: it enters with `come`, and hears what the caller's microphone gives to `hear`.

    Attributes:
        exchanges: What truly happened, one after another.
    """

    def __init__(
        self, script: Script, clock: Clock, identity: str, attributes: dict[str, str]
    ) -> None:
        self._script = script
        self._clock = clock
        self._me = FakeParticipant(identity, attributes)
        self._speaker = self._me
        self._room: FakeRoom | None = None
        self._track: FakeTrack | None = None
        self._speech_end: float | None = None
        self._talks_until = 0.0
        self._greets = 0.0, 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._talk_began = False
        """The first of the two RPCs of push-to-talk has come."""
        self.exchanges: list[Heard] = []
        self.on_goodbye: Callable[[], None] | None = None
        """Called when it leaves after a reply."""

    def start(self, room: FakeRoom, after_s: float = 0.0) -> None:
        """Come to the room after so many seconds, until `aclose`."""
        self._at(time.monotonic() + after_s, partial(self.come, room))

    async def come(self, room: FakeRoom) -> None:
        """Enter the room, greet if the script says so, and listen."""
        script = self._script
        self._room = room
        room.enter(self._me)
        self._say_state("initializing")
        if script.no_track:
            return
        if script.push_to_talk:
            room.methods[self._me.identity] = self._on_rpc
        if script.background:
            room.publish(self._me, BACKGROUND_TRACK).add_noise(voice(2.0, 330))
        own = script.own_track or not script.avatar
        self._track = room.publish(self._me, encrypted=script.encrypted) if own else None
        if self._track is not None:
            self._track.is_lost = script.stops
        if script.music:
            room.publish(self._me, "music").add_noise(voice(2.0, 330))
        if script.avatar:
            await self._send_avatar(room)
        assert self._track is not None
        if script.noise_db is not None:
            self._track.add_noise(noise(script.noise_db))
        if script.greet_s:
            await self._greet(time.monotonic() + script.greet_after_s)
        self._say_state("listening")

    async def _send_avatar(self, room: FakeRoom) -> None:
        """Let somebody come and speak on its behalf; it says that it listens meanwhile."""
        script = self._script
        own = self._track
        self._track = FakeTrack()  # nobody hears what it says meanwhile
        self._say_state("listening")
        await asyncio.sleep(script.avatar_after_s)
        on_behalf = {ON_BEHALF: self._me.identity}
        avatar = FakeParticipant(f"{self._me.identity}-avatar", on_behalf)
        room.enter(avatar)
        await asyncio.sleep(script.avatar_after_s)
        track = room.publish(avatar)
        self._speaker, self._track = avatar, track
        if script.avatar_is_silent:
            self._speaker, self._track = self._me, own

    async def _greet(self, at: float) -> None:
        assert self._track is not None
        self._greets = at, at + self._script.greet_s
        self._say_state("listening" if self._script.listens_first else "speaking")
        self._track.play(voice(self._script.greet_s, 170), at)
        await wait_until(at)
        self._say_state("speaking")
        await wait_until(at + self._script.greet_s)

    def go(self) -> None:
        """Leave the room."""
        assert self._room is not None
        self._room.leave(self._me)

    def hear(self, leaves: float, pcm: Pcm) -> None:
        """Take what the caller's microphone sends, and when its first sample leaves."""
        if self._room is None:
            return
        loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > self._script.deaf_to)
        if len(loud):
            if self._speech_end is None:
                self._begin(leaves + int(loud[0]) / RATE)
            self._speech_end = leaves + (int(loud[-1]) + 1) / RATE
        elif self._speech_end is not None and self._script.push_to_talk is None:
            end, self._speech_end = self._speech_end, None
            self._at(end + SETTLE_S, partial(self._answer, end))

    def _on_rpc(self, method: str) -> None:
        """Begin to listen, or reply to what was said since."""
        assert self._script.push_to_talk is not None
        if method not in self._script.push_to_talk:
            raise rtc.RpcError(rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD, "not registered")
        end, self._speech_end = self._speech_end, None
        if method == self._script.push_to_talk[0]:
            self._talk_began = True
        elif self._talk_began and end is not None:
            assert time.monotonic() >= end, "the RPC came before the end of the utterance"
            self._talk_began = False
            self._at(end + SETTLE_S, partial(self._answer, end))

    async def aclose(self) -> None:
        """Do nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, began: float) -> None:
        """An utterance begins: its end is known already, but only the prober's troubles use it."""
        if not self.exchanges:
            loop = asyncio.get_running_loop()
            for after, seconds in self._script.blocks:
                loop.call_at(began + UTTERANCE_S + after, self._clock.advance, seconds)
        if self._script.interrupt_s:
            self._at(began + SETTLE_S, partial(self._talk_over, began + SETTLE_S))

    async def _answer(self, end: float) -> None:
        script, first = self._script, not self.exchanges
        begin, until = self._greets
        drops = (first and (script.republish or script.cold)) or begin <= end < until
        replies = not self._silent() and not drops
        self.exchanges.append(Heard(end, end + script.delay_s if replies else None))
        self._break(first=first)
        for event in script.tells:
            self._send(pb.AgentSessionMessage(event=event))
        if first and script.brings is not None:
            self._at(end + script.brings_after_s, self._bring)
        if script.stops_before is not None:
            await self._stop_before(script.stops_before, end)
        if self._room is None or self._track is None or not replies:
            return
        for text in script.hears:
            self._send(reports.transcript(text.split()[0], final=False))
            self._send(reports.transcript(text, final=True))
        if script.says_filler:
            await self._say_filler(end)
        if script.never_answers or (script.answers_once and not first):
            return
        self._report_question()
        await self._reply(end + script.delay_s, end)

    def _report_question(self) -> None:
        """Report what it does before a reply."""
        script = self._script
        if script.reports:
            self._send(reports.message(pb.USER, figures=QUESTION))
        if script.tool:
            call_id = f"call-{len(self.exchanges)}"
            for report in reports.tool(script.tool, call_id, fails=script.tool_fails):
                self._send(report)

    def _silent(self) -> bool:
        script = self._script
        broken = script.leave or script.close or script.stall or script.breaks_off
        stops = script.hang or script.stops_before is not None
        return script.mute or stops or broken or bool(script.error)

    def _break(self, *, first: bool) -> None:
        """Do what the script has in place of a reply."""
        script, room, track = self._script, self._room, self._track
        assert room is not None
        assert track is not None
        if script.hang:
            self._say_state("thinking")
        if script.error:
            self._send(reports.error(script.error))
        if script.stall:
            track.stall()
        if script.breaks_off:
            track.broken_off = True
        if script.close:
            deleted = rtc.DisconnectReason.ROOM_DELETED
            self._at(time.monotonic(), partial(room.disconnect, reason=deleted))
        if script.leave:
            room.leave(self._me)
        if script.republish and first:
            room.unpublish(self._speaker, track)
            self._at(time.monotonic() + REPUBLISH_S, self._publish)

    async def _stop_before(self, stage: SilentStage, end: float) -> None:
        """Tell of the stages before that one, each at its own time."""
        order = list(SilentStage)
        if stage is SilentStage.UNKNOWN:
            return
        heard = order.index(stage) > 0
        self._send(reports.user_state(pb.US_SPEAKING if heard else pb.US_AWAY))
        if heard:
            self._send(reports.transcript("so", final=False))
            await wait_until(end + TRANSCRIBED_S)
            words = order.index(stage) > 1
            self._send(reports.transcript("so be it" if words else "", final=True))
        if order.index(stage) > 2:
            await wait_until(end + TURN_OVER_S)
            self._send(reports.message(pb.USER, figures=QUESTION))
        if stage is SilentStage.NOT_SPOKEN:
            await wait_until(end + SPEAKS_S)
            self._say_state("speaking")
            await wait_until(end + SPEAKS_S + SOUND_S)
            self._say_state("listening")

    async def _publish(self) -> None:
        assert self._room is not None
        self._track = self._room.publish(self._speaker)

    async def _say_filler(self, end: float) -> None:
        """As a real session does (livekit-agents 1.8.9): no message of the user's before it."""
        script = self._script
        assert script.filler_s is not None
        assert self._track is not None
        self._track.play(voice(FILLER_S, 230), end + script.filler_s)
        await wait_until(end + script.filler_s)
        self._say_state("speaking")
        await wait_until(end + script.filler_s + FILLER_S)
        if script.reports:
            self._send(reports.message(pb.ASSISTANT, figures={"tts_node_ttfb": 0.27}))
        self._say_state("listening")
        if script.fails_after:
            self._send(reports.error(script.fails_after))
        if not script.never_answers:
            await wait_until(end + script.delay_s - 0.3)

    async def _reply(self, at: float, end: float) -> None:
        script, track = self._script, self._track
        assert self._room is not None
        assert track is not None
        if script.goes_mid_turn:
            self._say_goodbye()
            return
        sound = voice(SOUND_S)
        if script.filler_s is not None and not script.says_filler:
            track.play(voice(FILLER_S, 230), end + script.filler_s)
        if script.click_s is not None:
            track.play(voice(0.005, 140), at - script.click_s - 0.005)
        track.play(sound, at)
        over = at + SOUND_S
        if script.pause_s:
            track.play(sound, over + script.pause_s)
            over += script.pause_s + SOUND_S
        await wait_until(self._talks_until)
        self._say_state("thinking")
        await wait_until(at - 0.05)
        self._say_state("speaking")
        await wait_until(over)
        if script.uses is not None:
            self._send(reports.usage(script.uses, self._replies))
        if script.reports and script.without_figures:
            self._send(reports.message(pb.ASSISTANT))
        elif script.reports:
            text = script.says[min(len(self.exchanges), len(script.says)) - 1 :][:1]
            figures = {"llm_node_ttft": 0.4, "tts_node_ttfb": 0.1, "e2e_latency": 0.9}
            self._send(reports.message(pb.ASSISTANT, "".join(text), figures))
        self._finish()
        if script.works_on_s:
            await self._work_on(over + script.works_on_s)
        self._end(self._replies)
        self._say_state("listening")

    async def _work_on(self, until: float) -> None:
        assert self._track is not None
        self._say_state("thinking")
        await wait_until(until)
        if self._script.says_more:
            self._track.play(voice(SOUND_S), until + 0.1)
            self._say_state("speaking")
            await wait_until(until + 0.1 + SOUND_S)

    @property
    def _replies(self) -> int:
        """How often it has replied, the reply under way included."""
        return sum(each.replied is not None for each in self.exchanges)

    def _say_goodbye(self) -> None:
        """Leave, and let the successor come."""
        if self.on_goodbye is not None:
            self.on_goodbye()
        self.go()
        self._room = None

    def _end(self, replies: int) -> None:
        """End the call after so many replies, if the script has it so."""
        script, room = self._script, self._room
        assert room is not None
        if script.goodbye:
            self._say_goodbye()
        if script.dies_after == replies:
            room.leave(self._me, rtc.DisconnectReason.CONNECTION_TIMEOUT)
            self._room = None
        if script.ends_after == replies:
            deleted = rtc.DisconnectReason.ROOM_DELETED
            self._at(time.monotonic(), partial(room.disconnect, reason=deleted))

    async def _talk_over(self, at: float) -> None:
        """Say a long sentence, and a short one after it."""
        assert self._track is not None
        second = at + self._script.interrupt_s + BETWEEN_SENTENCES_S
        self._talks_until = second + SECOND_SENTENCE_S
        self._say_state("speaking")
        self._track.play(voice(self._script.interrupt_s, 250), at)
        self._track.play(voice(SECOND_SENTENCE_S, 250), second)
        await wait_until(self._talks_until)
        self._say_state("listening")

    def _say_state(self, state: str) -> None:
        if self._script.states and self._room is not None:
            self._room.attributes_changed(self._me, **{STATE: state})

    def _finish(self) -> None:
        """Do what the script has at the end of a reply."""
        script, room = self._script, self._room
        assert room is not None
        if script.hands_over_to:
            self._send(reports.hand_over(script.hands_over_to))
        if script.attribute is not None:
            room.attributes_changed(self._me, **dict([script.attribute]))

    async def _bring(self) -> None:
        assert self._room is not None
        assert self._script.brings is not None
        self._room.enter(FakeParticipant("person", {}, self._script.brings))

    def _send(self, message: pb.AgentSessionMessage) -> None:
        assert self._room is not None
        self._room.send_bytes(TOPIC, message.SerializeToString(), self._me.identity)

    def _at(self, when: float, then: Callable[[], Awaitable[None]]) -> None:
        async def later() -> None:
            await wait_until(when)
            await then()

        task = asyncio.get_running_loop().create_task(later())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def wait_until(when: float) -> None:
    """Wait for a time, on the monotonic clock."""
    await asyncio.sleep(max(0.0, when - time.monotonic()))
