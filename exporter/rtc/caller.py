"""A participant that calls: connect, publish, meet the agent, listen, leave.

The border to the real-time SDK: its events become `ProbeError` here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from livekit import rtc

from exporter.errors import ProbeError
from exporter.outcome import Reason
from exporter.outcome.timeline import AgentState, Attribute, Joined, Left
from exporter.rtc import connection
from exporter.rtc.hearing import Hearing
from exporter.rtc.lag import LagMonitor
from exporter.rtc.line import Received
from exporter.rtc.onset import RECENT_S, RECENT_WINDOWS, sounds
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

AVATAR_S = 20.0
"""How long an avatar that has joined may take to publish: its renderer starts for each call."""

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
        self._ears: list[tuple[rtc.RemoteAudioTrack, Hearing]] = []
        """On each of the agent's tracks; `ear` is that by which it speaks."""
        self.heard: list[Hearing] = []
        """All ears of this call, those of tracks that were replaced as well."""
        self._with_voice = False
        self._arrived: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._ended: ProbeError | None = None
        self.hung_up = False
        """The agent ended the call in order: it did not die, and reported no error."""
        self._disturbed = ""
        self._awaited: Collection[str] = ()
        self._came = asyncio.Event()
        self._e2ee_key = ""
        self._decrypts = False
        """Something that somebody else had encrypted was decrypted."""
        self._heard_from = time.monotonic()
        self.tasks.watch(self.events.task)
        self.room.on("participant_connected", self._on_connected)
        self.room.on("participant_disconnected", self._on_disconnected)
        self.room.on("track_subscribed", self._on_subscribed)
        self.room.on("track_unsubscribed", self._on_track_gone)
        self.room.on("reconnecting", self._on_reconnect)
        self.room.on("reconnected", self._on_reconnect)
        self.room.on("disconnected", self._on_closed)
        self.room.on("participant_attributes_changed", self._on_attributes)
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
        if self.agent is not agent:
            self._on_told(agent, agent.attributes)
        self.agent = agent
        self.events.timeline.agent = agent.identity
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
        before, since = (self._ended, self.hung_up), self.arrived
        self._ended, self.hung_up = None, False
        # Whoever was there before ours is no successor: a transcriber, or an agent of its own. Of
        # agents without a name the successor may have been taken for ours already.
        self._is_agent = lambda other: self._arrived.get(other.identity, 0.0) >= since
        there = await self.meet(timeout_s, with_voice=True) is not None
        if not there:
            self._ended, self.hung_up = before
        self.turn_begins()
        return there

    async def listen(self, timeout_s: float) -> None:
        """Wait for the agent's microphone track and begin to hear it; again, if it was replaced.

        An avatar that has joined on the agent's behalf is waited for as well, for `AVATAR_S`,
        unless the agent speaks by itself.

        Raises:
            ProbeError: no_audio_track, encrypted, or why the call ended.
        """
        await self._close_ear()
        deadline = time.monotonic() + timeout_s
        while not self._ears or [track for track, _ in self._ears] != self._tracks():
            await self._close_ear()
            while not self._tracks():
                left = max(deadline - time.monotonic(), self._avatar_left_s())
                if left <= 0:
                    what = f"published no microphone track within {timeout_s:g} s"
                    raise ProbeError(Reason.NO_AUDIO_TRACK, f"{self._silent()} {what}")
                await self.sleep_until_change(left)
            ear = self._open_ears(self._tracks())
            while (left := self._avatar_left_s()) > 0 and not _speaks(ear):
                self.check()
                await ear.hear_more(time.monotonic() + left)

    def _open_ears(self, tracks: Sequence[rtc.RemoteAudioTrack]) -> Hearing:
        """Hear those tracks; return what hears the first of them."""
        for track in tracks:
            self._check_encryption(track)
            ear = self._devices.ear(track)
            self._ears.append((track, ear))
            self.heard.append(ear)
            self.tasks.watch(ear.task)
            ear.task.add_done_callback(partial(self._on_silence, ear))
        self.track, self.ear = self._ears[0]
        return self.ear

    def follow_sound(self) -> bool:
        """Hear that of the agent's tracks by which it speaks; tell whether it is another one now.

        An agent may have a track of its own beside that of its avatar, and one of them is silent.
        """
        if self.ear is None or len(self._ears) == 1 or _speaks(self.ear, RECENT_S):
            return False
        for track, ear in self._ears:
            if _speaks(ear):
                self.track, self.ear = track, ear
                return True
        return False

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
        self._disturbed = ""

    def disturbance(self) -> str:
        """Say what broke the line since the turn began, so that nothing can be told; or ""."""
        return self._disturbed

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

    def coming(self, kinds: Collection[str]) -> asyncio.Event:
        """Return what is set as soon as a participant of one of these kinds joins.

        Args:
            kinds: As in `Joined`.
        """
        self._awaited = kinds
        return self._came

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
        ears, self._ears, self.ear, self.track = self._ears, [], None, None
        for _, ear in ears:
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
        """Return the voice of an agent, that of an avatar that speaks for it first."""
        voices = (_voice(each) for each in (*self._avatars(agent), agent))
        return [each for each in voices if each is not None]

    def _avatars(self, agent: rtc.RemoteParticipant) -> list[rtc.RemoteParticipant]:
        """Return those who have joined on an agent's behalf."""
        people = self.room.remote_participants.values()
        return [each for each in people if _speaks_for(each, agent)]

    def _avatar_left_s(self) -> float:
        """Return how long an avatar is still waited for that has joined and published nothing."""
        avatars = self._avatars(self.agent) if self.agent else []
        came = [
            self._arrived.setdefault(each.identity, time.monotonic())
            for each in avatars
            if not _subscribed(_microphones(each))
        ]
        return max(came) + AVATAR_S - time.monotonic() if came else 0.0

    def _tracks(self) -> list[rtc.RemoteAudioTrack]:
        """Return the tracks by which the agent may speak, an avatar's first; none when not there.

        Another agent's, if that one alone has a voice.
        """
        if self.agent is None or not self.room.isconnected():
            return []
        if self._with_voice and not self._speakers(self.agent):
            talking = next(filter(self._speakers, filter(self._is_agent, self._agents())), None)
            self._take(talking or self.agent)
        return _subscribed(self._speakers(self.agent))

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

    def _on_attributes(
        self, changed: dict[str, str], participant: rtc.RemoteParticipant, *_: object
    ) -> None:
        if STATE in changed:
            now, who = time.monotonic(), participant.identity
            self.events.timeline.add(AgentState(at=now, sender=who, state=changed[STATE]))
        self._on_told(participant, changed)
        self._on_change()

    def _on_told(self, participant: rtc.RemoteParticipant, attributes: dict[str, str]) -> None:
        """Note what a participant tells of itself by its attributes."""
        now, who = time.monotonic(), participant.identity
        for name, value in attributes.items():
            self.events.timeline.add(Attribute(at=now, sender=who, name=name, value=value))

    def _on_connected(self, participant: rtc.RemoteParticipant) -> None:
        now, who = time.monotonic(), participant.identity
        self._arrived.setdefault(who, now)
        kind = rtc.ParticipantKind.Name(participant.kind).removeprefix("PARTICIPANT_KIND_").lower()
        self.events.timeline.add(Joined(at=now, identity=who, kind=kind))
        if kind in self._awaited:
            self._came.set()
        self._on_avatar(participant)
        self._on_change()

    def _on_subscribed(
        self, _: rtc.Track, publication: rtc.RemoteTrackPublication, by: rtc.RemoteParticipant
    ) -> None:
        if _is_microphone(publication):
            self._on_avatar(by)
        self._on_change()

    def _on_avatar(self, participant: rtc.RemoteParticipant) -> None:
        """Hear anew when somebody comes to speak for an agent that is heard already."""
        if self.ear is not None and self.agent is not None and _speaks_for(participant, self.agent):
            self._disturb("an avatar came to speak for the agent")

    def _on_disconnected(self, participant: rtc.RemoteParticipant) -> None:
        self.events.timeline.add(Left(at=time.monotonic(), identity=participant.identity))
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
        self._disturbed = what
        self._on_change()

    def _on_closed(self, reason: rtc.DisconnectReason.ValueType) -> None:
        name = rtc.DisconnectReason.Name(reason).lower()
        if reason in CLOSED:
            error = self.events.error_since(self._heard_from)
            self.hung_up = self.hung_up or (reason in HANGS_UP and not error)
            if self.hung_up and self.agent is not None:  # nobody is told that the others left
                self.events.timeline.add(Left(at=time.monotonic(), identity=self.agent.identity))
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


def _speaks_for(avatar: rtc.RemoteParticipant, agent: rtc.RemoteParticipant) -> bool:
    return avatar.attributes.get(ON_BEHALF) == agent.identity


def _speaks(ear: Hearing, last_s: float = 0.2) -> bool:
    return sounds(ear.levels(ear.windows - RECENT_WINDOWS), last_s)


def _microphones(participant: rtc.RemoteParticipant) -> list[rtc.RemoteTrackPublication]:
    return [each for each in participant.track_publications.values() if _is_microphone(each)]


def _voice(participant: rtc.RemoteParticipant) -> rtc.RemoteTrackPublication | None:
    """Return the first microphone track that is heard; others may be music."""
    found = _microphones(participant)
    heard = (each for each in found if isinstance(each.track, rtc.RemoteAudioTrack))
    return next(heard, found[0] if found else None)


def _subscribed(publications: list[rtc.RemoteTrackPublication]) -> list[rtc.RemoteAudioTrack]:
    tracks = (each.track for each in publications)
    return [each for each in tracks if isinstance(each, rtc.RemoteAudioTrack)]


def _is_microphone(publication: rtc.RemoteTrackPublication) -> bool:
    return (
        publication.kind == rtc.TrackKind.KIND_AUDIO
        and publication.name != BACKGROUND_TRACK
        and publication.source
        in (rtc.TrackSource.SOURCE_MICROPHONE, rtc.TrackSource.SOURCE_UNKNOWN)
    )
