"""A participant that calls: connect, publish, meet the agent, listen, leave.

The border to the real-time SDK: its events become `ProbeError` here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from livekit import rtc

from exporter.errors import ProbeError
from exporter.outcome import Reason
from exporter.rtc import connection
from exporter.rtc.hearing import Hearing
from exporter.rtc.lag import LagMonitor
from exporter.rtc.line import Received
from exporter.rtc.session_events import SessionEvents
from exporter.rtc.stats import received
from exporter.rtc.tasks import Tasks
from exporter.rtc.tracks import Ear, Microphone

STATE = "lk.agent.state"
ON_BEHALF = "lk.publish_on_behalf"
BACKGROUND_TRACK = "background_audio"
NAMES = ("lk.agent_name", "lk.agent.name")
"""Attributes with the agent's name: the first set by the server, the second by the worker."""

CONFIRM_PERIOD_S = 1.0
"""Time between two questions to the server about an agent without a name."""

CLOSING_S = 0.5
"""A room that is closed loses its agent first: so long the better reason may follow."""

CLOSED = {
    rtc.DisconnectReason.ROOM_DELETED: "the room was deleted, by the agent or an administrator",
    rtc.DisconnectReason.ROOM_CLOSED: "the server closed the room",
    rtc.DisconnectReason.PARTICIPANT_REMOVED: (
        "the caller was removed, by the agent or an administrator"
    ),
}
HANGS_UP = (rtc.DisconnectReason.ROOM_DELETED, rtc.DisconnectReason.PARTICIPANT_REMOVED)
"""How an agent ends a call, if it does not just leave."""


@dataclass(frozen=True, slots=True)
class Devices:
    """How a caller gets a room, a microphone and an ear: of the SDK, unless a test has others."""

    room: Callable[[], rtc.Room] = rtc.Room
    microphone: Callable[[], Microphone] = Microphone
    ear: Callable[[rtc.RemoteAudioTrack], Hearing] = Ear


OF_THE_SDK = Devices()


class Caller:
    """One participant in one room, and the agent that it came for.

    Args:
        is_agent: Tells whether a participant is that agent; None when its attributes do not say.
        confirm: Asked, now and again, about a participant of which `is_agent` did not know.
        devices: What it calls with.
    """

    def __init__(
        self,
        is_agent: Callable[[rtc.RemoteParticipant], bool | None],
        confirm: Callable[[str], Awaitable[bool]] | None = None,
        devices: Devices = OF_THE_SDK,
    ) -> None:
        self._is_agent = is_agent
        self._confirm = confirm
        self._devices = devices
        self.room = devices.room()
        self.microphone = devices.microphone()
        self.lag = LagMonitor()
        self.tasks = Tasks()
        """All that hear, speak and watch: work within `tasks.alive()` ends when one dies."""
        self.events = SessionEvents(self.room)
        self.agent: rtc.RemoteParticipant | None = None
        self.arrived = 0.0
        """When it came, on the monotonic clock."""
        self.track: rtc.RemoteAudioTrack | None = None
        self.ear: Hearing | None = None
        self._with_voice = False
        self._arrived: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._ended: ProbeError | None = None
        self.hung_up = False
        """The agent ended the call in order: it did not die, and reported no error."""
        self._disturbed: tuple[float, str] = (0.0, "")
        self._e2ee_key = ""
        self._decrypts = False
        """Something that somebody else had encrypted was decrypted."""
        self._heard_from = time.monotonic()
        self.tasks.watch(self.events.task)
        self.room.on("participant_connected", self._on_connected)
        self.room.on("participant_disconnected", self._on_disconnected)
        self.room.on("track_subscribed", self._on_change)
        self.room.on("track_unsubscribed", self._on_track_gone)
        self.room.on("reconnecting", self._on_reconnect)
        self.room.on("reconnected", self._on_reconnect)
        self.room.on("disconnected", self._on_closed)
        self.room.on("participant_attributes_changed", self._on_change)
        self.room.on("e2ee_state_changed", self._on_encryption)

    @property
    def state(self) -> str:
        """The agent's own state: initializing idle listening thinking speaking, or ""."""
        return self.agent.attributes.get(STATE, "") if self.agent else ""

    async def connect(self, url: str, token: str, timeout_s: float, e2ee_key: str = "") -> float:
        """Enter the room and publish the microphone; return when the caller was in the room.

        With a key all that is said is encrypted, and what the agent says has to be.

        Raises:
            ProbeError: auth_failed, quota_exceeded or connect_failed.
        """
        self._e2ee_key = e2ee_key
        inside = await connection.connect(
            self.room, url, token, timeout_s, publish=self.microphone.publish, e2ee_key=e2ee_key
        )
        self.tasks.watch(self.microphone.task)
        self.lag.start()
        return inside

    async def meet(self, timeout_s: float, *, with_voice: bool = False) -> float | None:
        """Wait for the agent.

        Args:
            timeout_s: How long.
            with_voice: Several may be meant, and it is the one that publishes a microphone: a
                silent one (a transcriber) is taken only if no other came in time.

        Returns:
            When it came, on the monotonic clock; now for one that was there before the caller
            (see `was_there`). None when it did not come in time.
        """
        self._with_voice = with_voice
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            found = await self._find_agent()
            if found is not None and (self._speakers(found) or not with_voice):
                return self._take(found)
            await self.sleep_until_change(min(CONFIRM_PERIOD_S, deadline - time.monotonic()))
        silent = await self._find_agent() if with_voice else None
        return None if silent is None else self._take(silent)

    def _take(self, agent: rtc.RemoteParticipant) -> float:
        """Hold that agent for ours from now on; return when it came."""
        if self.agent is None or self.agent.identity != agent.identity:
            self.arrived = self._arrived.get(agent.identity, time.monotonic())
        self.agent = agent
        self.events.agent = agent.identity
        return self.arrived

    @property
    def was_there(self) -> bool:
        """Whether the agent was in the room before the caller, so that nobody saw it come."""
        return self.agent is not None and self.agent.identity not in self._arrived

    async def follow(self, timeout_s: float) -> bool:
        """Go on with another agent after ours has left; return whether one is there in time.

        Raises:
            ProbeError: The call has ended meanwhile.
        """
        self._ended, self.hung_up = None, False
        self._is_agent = lambda _participant: True
        there = await self.meet(timeout_s) is not None
        self.turn_begins()
        return there

    async def listen(self, timeout_s: float) -> None:
        """Wait for the agent's microphone track and begin to hear it; again, if it was replaced.

        Raises:
            ProbeError: no_audio_track, encrypted, or why the call ended.
        """
        await self._close_ear()
        deadline = time.monotonic() + timeout_s
        while not self.room.isconnected() or (track := self._agent_track()) is None:
            if time.monotonic() >= deadline:
                detail = f"{self._silent()} published no microphone track within {timeout_s:g} s"
                raise ProbeError(Reason.NO_AUDIO_TRACK, detail)
            await self.sleep_until_change(deadline - time.monotonic())
        self._check_encryption(track)
        self.track = track
        self.ear = self._devices.ear(track)
        self.tasks.watch(self.ear.task)
        self.ear.task.add_done_callback(partial(self._on_silence, self.ear))

    async def check_key(self) -> None:
        """Raise the ProbeError encrypted if nothing that came from the agent could be decrypted."""
        if not self._e2ee_key or self._decrypts:
            return
        came = await self.received()
        if came is not None and came.packets:
            detail = "the agent's audio cannot be decrypted with the key in livekit.e2ee_key_file"
            raise ProbeError(Reason.ENCRYPTED, detail)

    @property
    def voices(self) -> int:
        """How many agents of our agent's name the caller hears now, ours among them."""
        return sum(bool(self._speakers(each)) for each in self._namesakes())

    def turn_begins(self) -> None:
        """Forget what went wrong before: from now on it belongs to the next turn."""
        self._heard_from = time.monotonic()

    def disturbance(self) -> str:
        """Say what broke the line since the turn began, so that nothing can be told; or ""."""
        when, what = self._disturbed
        return what if when >= self._heard_from else ""

    async def sleep_until_change(self, timeout_s: float) -> None:
        """Wait until something happened in the room, no longer than that.

        Raises:
            ProbeError: The call has ended: agent_left, room_closed or connect_failed.
        """
        self.check()
        self._changed.clear()
        try:
            async with asyncio.timeout(max(0.0, timeout_s)):
                await self._changed.wait()
        except TimeoutError:
            return
        self.check()

    async def perform(self, method: str, timeout_s: float) -> str:
        """Perform an RPC at the agent; return why it failed, or ""."""
        try:
            await self.room.local_participant.perform_rpc(
                destination_identity=self.agent.identity if self.agent else "",
                method=method,
                payload="",
                response_timeout=timeout_s,
            )
        except rtc.RpcError as error:
            # Not its message, which may be the agent's own words.
            known = {int(code): words for code, words in rtc.RpcError.ErrorMessage.items()}
            return known.get(error.code, f"code {error.code}")
        return ""

    async def received(self) -> Received | None:
        """Read the counters of the agent's track; None where there is none."""
        return None if self.track is None else await received(self.track)

    def check(self) -> None:
        """Raise the ProbeError with which the call has ended, if it has."""
        if self._ended is not None:
            raise self._ended

    async def leave(self) -> None:
        """Leave the room and free everything; safe to call at any time, raises nothing."""
        self.lag.stop()
        await connection.leave(
            self._close_ear, self.microphone.aclose, self.room.disconnect, self.events.aclose
        )

    async def _close_ear(self) -> None:
        if self.ear is not None:
            ear, self.ear, self.track = self.ear, None, None
            await ear.aclose()

    async def _find_agent(self) -> rtc.RemoteParticipant | None:
        found, unsure = [], []
        for participant in self._agents():
            sure = self._is_agent(participant)
            if sure:
                found.append(participant)
            if sure is None:
                unsure.append(participant)
        if found:
            return next(filter(self._speakers, found), found[0])
        for participant in unsure:
            if self._confirm is None:
                continue
            with suppress(ProbeError):  # a question that failed is asked again
                if await self._confirm(participant.identity):
                    return participant
        return None

    def _agents(self) -> list[rtc.RemoteParticipant]:
        """Return all agents in the room, without avatars."""
        return [
            each
            for each in self.room.remote_participants.values()
            if each.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
            and ON_BEHALF not in each.attributes
        ]

    def _namesakes(self) -> list[rtc.RemoteParticipant]:
        """Return our agent, and those that cannot be told from it by their names."""
        if self.agent is None:
            return []
        names = [self.agent.attributes.get(key, "") for key in NAMES]
        return [
            each
            for each in self._agents()
            if each.identity == self.agent.identity
            or (self._is_agent(each) and [each.attributes.get(key, "") for key in NAMES] == names)
        ]

    def _silent(self) -> str:
        """Name the agents that should have a microphone: "the agent" alone where it is named."""
        named = [
            next(filter(None, map(each.attributes.get, NAMES)), each.identity)
            for each in self._agents()
            if self._is_agent(each)
        ]
        if not self._with_voice or not named:
            return "the agent"
        return ", ".join(f"agent {name!r}" for name in named)

    def _speakers(self, agent: rtc.RemoteParticipant) -> list[rtc.RemoteTrackPublication]:
        """Return the microphone tracks of an agent, those of an avatar that speaks for it first."""
        avatars = [
            each
            for each in self.room.remote_participants.values()
            if each.attributes.get(ON_BEHALF) == agent.identity
        ]
        return [
            publication
            for participant in (*avatars, agent)
            for publication in participant.track_publications.values()
            if _is_microphone(publication)
        ]

    def _agent_track(self) -> rtc.RemoteAudioTrack | None:
        """Return the track by which the agent speaks; another agent's, if that one alone does."""
        if self.agent is None:
            return None
        if self._with_voice and not self._speakers(self.agent):
            talking = next(filter(self._speakers, filter(self._is_agent, self._agents())), None)
            self._take(talking or self.agent)
        tracks = (publication.track for publication in self._speakers(self.agent))
        return next((each for each in tracks if isinstance(each, rtc.RemoteAudioTrack)), None)

    def _check_encryption(self, track: rtc.Track) -> None:
        """Refuse to hear what one side encrypts and the other does not: it sounds like speech."""
        published = (
            publication
            for participant in self.room.remote_participants.values()
            for publication in participant.track_publications.values()
            if publication.track is track
        )
        encrypted = any(each.encryption_type != rtc.EncryptionType.NONE for each in published)
        if encrypted and not self._e2ee_key:
            detail = (
                "the agent's audio is encrypted, but the call is not; set livekit.e2ee_key_file"
            )
            raise ProbeError(Reason.ENCRYPTED, detail)
        if self._e2ee_key and not encrypted:
            detail = "the agent's audio is not encrypted, but the call is; set e2ee: false"
            raise ProbeError(Reason.ENCRYPTED, detail)

    def _on_encryption(self, whose: object, state: rtc.EncryptionState.ValueType) -> None:
        if isinstance(whose, rtc.RemoteParticipant) and state == rtc.EncryptionState.OK:
            self._decrypts = True

    def _on_connected(self, participant: rtc.RemoteParticipant) -> None:
        self._arrived.setdefault(participant.identity, time.monotonic())
        self._on_change()

    def _on_disconnected(self, participant: rtc.RemoteParticipant) -> None:
        if self.agent is not None and participant.identity == self.agent.identity:
            loop, why = asyncio.get_running_loop(), participant.disconnect_reason
            loop.call_later(CLOSING_S, self._on_agent_left, self._heard_from, why)
        self._on_change()

    def _on_agent_left(self, since: float, why: rtc.DisconnectReason.ValueType | None) -> None:
        error = self.events.error_since(since)
        if error:
            self._end(Reason.AGENT_ERROR, f"the agent reported an error and left: {error}")
            return
        self.hung_up = self.hung_up or why == rtc.DisconnectReason.CLIENT_INITIATED
        detail = "the agent left the room during the call"
        if any(map(_is_an_agent, self.room.remote_participants.values())):
            detail += ", and another agent is there"
        self._end(Reason.AGENT_LEFT, detail)

    def _on_track_gone(self, track: rtc.Track, *_: object) -> None:
        if track is self.track:
            self._disturb("the agent's track was replaced")

    def _on_silence(self, ear: Hearing, _task: asyncio.Task[None]) -> None:
        """See to an ear to which no more frames come, if nobody says soon what has ended."""
        asyncio.get_running_loop().call_later(CLOSING_S, self._on_deaf, ear)

    def _on_deaf(self, ear: Hearing) -> None:
        if ear is self.ear:
            self._disturb("the agent's track brought no more frames")

    def _on_reconnect(self) -> None:
        self._disturb("the caller's connection was lost and made again")

    def _disturb(self, what: str) -> None:
        self._disturbed = (time.monotonic(), what)
        self._on_change()

    def _on_closed(self, reason: rtc.DisconnectReason.ValueType) -> None:
        name = rtc.DisconnectReason.Name(reason).lower()
        if reason in CLOSED:
            error = self.events.error_since(self._heard_from)
            self.hung_up = self.hung_up or (reason in HANGS_UP and not error)
            self._end(Reason.ROOM_CLOSED, f"{CLOSED[reason]} ({name})")
        elif reason != rtc.DisconnectReason.CLIENT_INITIATED:
            self._end(Reason.CONNECT_FAILED, f"the connection was lost ({name})")

    def _end(self, reason: Reason, detail: str) -> None:
        self._ended = self._ended or ProbeError(reason, detail)
        self._on_change()

    def _on_change(self, *_: object) -> None:
        self._changed.set()
        if self.ear is not None:
            self.ear.wake()


def _is_an_agent(participant: rtc.RemoteParticipant) -> bool:
    """Tell whether a participant is an agent, and not the avatar of one."""
    is_agent = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
    return is_agent and ON_BEHALF not in participant.attributes


def _is_microphone(publication: rtc.RemoteTrackPublication) -> bool:
    return (
        publication.kind == rtc.TrackKind.KIND_AUDIO
        and publication.name != BACKGROUND_TRACK
        and publication.source
        in (rtc.TrackSource.SOURCE_MICROPHONE, rtc.TrackSource.SOURCE_UNKNOWN)
    )
