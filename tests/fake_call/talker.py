"""An agent with long answers, which is interrupted: it yields, talks on, goes on again, cuts in."""

import asyncio
import time
from dataclasses import dataclass
from functools import partial

import numpy as np
from livekit.protocol.agent_pb import agent_session as pb

from exporter.rtc.levels import RATE, Pcm
from tests.fake_call import reports
from tests.fake_call.agent import FakeAgent, wait_until
from tests.fake_call.script import Script
from tests.fake_call.sounds import voice
from tests.virtual_time import Clock

DELAY_S = 1.0
"""The caller's end to the first sample of an answer."""
SHORT_S = 0.7
"""Length of the answer to what interrupted."""


@dataclass(frozen=True, slots=True)
class Talk:
    """What the agent does; the defaults make one that never yields and never waits."""

    reply_s: float = 8.0
    """Length of its answers."""
    natural_s: float = 0.0
    """Silence in the middle of each second of them."""
    yields_s: float | None = None
    """It stops so long after the first sample of the caller into its speech ..."""
    yields_after_end_s: float | None = None
    """... or after the last one."""
    resumes_s: float | None = None
    """So long after that it goes on with the same answer."""
    ends_s: float | None = None
    """Its answers but the first end by themselves so long after their begin."""
    answers: bool = True
    """It answers what was said into its speech."""
    answer_s: float = DELAY_S
    """The end of that to the answer."""
    endpoint_s: float = 0.2
    """Silence of the caller after which it takes the turn."""
    greets_s: float = 0.0
    states: bool = True
    reports: bool = False


class Talker(FakeAgent):
    """Speaks as `Talk` says.

    Attributes:
        yielded: The true times from the caller's first sample to its own last, one after another.
    """

    def __init__(
        self, talk: Talk, script: Script, clock: Clock, identity: str, attributes: dict[str, str]
    ) -> None:
        super().__init__(script, clock, identity, attributes)
        self._talk = talk
        self._began = 0.0
        self._speaks = 0.0, 0.0
        self._into = False
        """The caller's last utterance began during its speech."""
        self._taken = 0
        self._sound: Pcm = voice(0.1)
        self._stopped = asyncio.Event()

    def _begin(self, began: float) -> None:
        self._began = began
        begin, until = self._speaks
        self._into = begin <= began < until
        if self._into and self._talk.yields_s is not None:
            self._stop(began + self._talk.yields_s)

    async def _answer(self, end: float) -> None:
        began, delay_s, over = self._began, DELAY_S, self._speaks[1]
        if self._into:
            self._into = False
            if self._talk.yields_after_end_s is not None:
                self._stop(max(end + self._talk.yields_after_end_s, time.monotonic() + 0.01))
            if not self._talk.answers:
                return
            seconds, delay_s = SHORT_S, self._talk.answer_s
        else:
            self._taken += 1
            first = self._taken == 1 or self._talk.ends_s is None
            seconds = self._talk.reply_s if first else self._talk.ends_s or 0.0
        await wait_until(end + self._talk.endpoint_s)
        if self._began != began:
            return  # the caller went on
        if over > end:
            over += 0.5  # what it says next is another reply
        await wait_until(over)
        self._say_state("thinking")
        self._note(pb.USER)
        at = max(end + max(delay_s, self._talk.endpoint_s + 0.02), time.monotonic() + 0.02)
        await self._speak(at, self._speech(seconds))

    async def _greet(self, at: float) -> None:
        await self._speak(at + 0.1, self._speech(self._script.greet_s))

    def _speech(self, seconds: float) -> Pcm:
        sound = voice(seconds).copy()
        if self._talk.natural_s:
            for second in range(1, int(seconds)):
                start = round((second - self._talk.natural_s / 2) * RATE)
                sound[start : start + round(self._talk.natural_s * RATE)] = 0
        return sound

    async def _speak(self, at: float, sound: Pcm) -> None:
        assert self._track is not None
        self._sound, self._speaks = sound, (at, at + len(sound) / RATE)
        self._stopped = asyncio.Event()
        self._track.play(sound, at)
        await wait_until(at - 0.01)
        self._say_state("speaking")
        try:
            async with asyncio.timeout(self._speaks[1] - time.monotonic()):
                await self._stopped.wait()
        except TimeoutError:
            self._note(pb.ASSISTANT)
            self._say_state("listening")

    def _stop(self, at: float) -> None:
        begin, until = self._speaks
        if self._track is None or at >= until:
            return
        self._track.cut(at)
        self._stopped.set()
        self._speaks = begin, at
        self._at(at, partial(self._is_silent, begin, at))

    async def _is_silent(self, begin: float, at: float) -> None:
        self._say_state("listening")
        if self._talk.resumes_s is None:
            self._note(pb.ASSISTANT, interrupted=True)
            return
        rest = self._sound[round((at - begin) * RATE) :]
        await wait_until(at + self._talk.resumes_s - 0.02)
        if self._talk.reports:
            message = pb.AgentSessionMessage()
            message.event.agent_false_interruption.resumed = True
            self._send(message)
        await self._speak(at + self._talk.resumes_s, np.array(rest))

    def _note(self, role: pb.ChatRole, *, interrupted: bool = False) -> None:
        if not self._talk.reports:
            return
        figures = {"e2e_latency": DELAY_S} if role == pb.ASSISTANT else {}
        self._send(reports.message(role, figures=figures, interrupted=interrupted))
