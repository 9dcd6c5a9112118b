"""A participant that calls: connect, publish, meet the agent, listen, leave.

The border to the real-time SDK: its events become `ProbeError` here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from livekit import rtc

from exporter.limits import Limit
from exporter.outcome.timeline import AgentState, Attribute, Joined, Left
from exporter.rtc import connection
from exporter.rtc.ears import CLOSING_S, Ears, speaks
from exporter.rtc.encryption import Encryption
from exporter.rtc.ending import CLOSED, Ending
from exporter.rtc.hearing import Hearing
from exporter.rtc.lag import LagMonitor
from exporter.rtc.line import Received
from exporter.rtc.people import People, is_microphone, speaks_for, subscribed
from exporter.rtc.session_events import SessionEvents
from exporter.rtc.stats import received
from exporter.rtc.tape import Tape
from exporter.rtc.tasks import Tasks
from exporter.rtc.tracks import Devices

STATE = "lk.agent.state"

CONFIRM_PERIOD_S = 1.0
"""Time between two questions to the server about an agent without a name."""


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
        devices: Devices = Devices(),  # noqa: B008 - it is frozen
    ) -> None:
        self.room = devices.room()
        self._people = People(self.room, is_agent, confirm)
        self._encryption = Encryption(self.room)
        self._ending = Ending()
        self._audience = connection.Audience(self.room, self._on_change)
        self.microphone = devices.microphone()
        self.lag = LagMonitor()
        self.tasks = Tasks()
        """All that hear, speak and watch: work within `tasks.alive()` ends when one dies."""
        self.events = SessionEvents(self.room)
        self.agent: rtc.RemoteParticipant | None = None
        self.arrived = 0.0
        """When it came, on the monotonic clock."""
        self.ears = Ears(devices.ear, self._encryption, self.tasks, self._on_deaf)
        self._with_voice = False
        self._changed = asyncio.Event()
        self._disturbed = ""
        self._awaited: Collection[str] = ()
        self._came = asyncio.Event()
        self._heard_from = time.monotonic()
        self.tasks.watch(self.events.task)
        self._follow_room()

    def _follow_room(self) -> None:
        self.room.on("participant_connected", self._on_connected)
        self.room.on("participant_disconnected", self._on_disconnected)
        self.room.on("track_subscribed", self._on_subscribed)
        self.room.on("track_unsubscribed", self._on_track_gone)
        self.room.on("reconnecting", self._on_reconnect)
        self.room.on("reconnected", self._on_reconnect)
        self.room.on("disconnected", self._on_closed)
        self.room.on("participant_attributes_changed", self._on_attributes)

    def record(self, tape: Tape) -> None:
        """Put all that is said and heard from now on on a tape."""
        self.ears.tape = tape
        self.microphone.on_sent = tape.said

    @property
    def state(self) -> str:
        """The agent's own state: initializing idle listening thinking speaking, or ""."""
        return self.agent.attributes.get(STATE, "") if self.agent else ""

    @property
    def hung_up(self) -> bool:
        """Whether the agent ended the call in order: it did not die, and reported no error."""
        return self._ending.hung_up

    async def connect(
        self,
        url: str,
        token: str,
        timeout_s: float,
        e2ee_key: str = "",
        rtc_config: rtc.RtcConfiguration | None = None,
    ) -> float:
        """Enter the room and publish the microphone; return when the caller was in the room.

        With a key all that is said is encrypted, and what the agent says has to be. With a
        configuration media goes only by the ways that it names.

        Raises:
            ProbeError: auth_failed, quota_exceeded or connect_failed.
        """
        self._encryption.key = e2ee_key
        inside = await connection.connect(
            self.room,
            url,
            token,
            timeout_s,
            publish=self.microphone.publish,
            rtc_config=rtc_config,
            e2ee_key=e2ee_key,
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
            found = await self._people.find()
            if found is not None and (self._people.speakers(found) or not with_voice):
                return self._take(found)
            await self.sleep_until_change(min(CONFIRM_PERIOD_S, deadline - time.monotonic()))
        silent = await self._people.find() if with_voice else None
        return None if silent is None else self._take(silent)

    def _take(self, agent: rtc.RemoteParticipant) -> float:
        """Hold that agent for ours from now on; return when it came."""
        if self.agent is None or self.agent.identity != agent.identity:
            self.arrived = self._people.arrived.get(agent.identity, time.monotonic())
        if self.agent is not agent:
            self._on_told(agent, agent.attributes)
        self.agent = agent
        self.events.timeline.agent = agent.identity
        return self.arrived

    @property
    def was_there(self) -> bool:
        """Whether the agent was in the room before the caller, so that nobody saw it come."""
        return self.agent is not None and self.agent.identity not in self._people.arrived

    async def follow(self, timeout_s: float) -> bool:
        """Go on with another agent after ours has left; return whether one is there in time.

        Raises:
            ProbeError: The call has ended meanwhile; void: the prober stood still for too long.
        """
        before, self._ending, began = self._ending, Ending(), time.monotonic()
        # Whoever was there before ours is no successor: a transcriber, or an agent of its own. Of
        # agents without a name the successor may have been taken for ours already.
        self._people.mean_newcomers(self.arrived)
        there = await self.meet(timeout_s, with_voice=True) is not None
        if not there:
            self._ending = before
            if late := Limit.TAKE_OVER.spoiled("no other agent came", began, timeout_s):
                raise late
        self.turn_begins()
        return there

    async def listen(self, timeout_s: float) -> None:
        """Wait for the agent's microphone track and begin to hear it; again, if it was replaced.

        An avatar that has joined on the agent's behalf is waited for as well, for `AVATAR_S`,
        unless the agent speaks by itself; and until somebody hears the caller, whose microphone was
        published anew with the connection.

        Raises:
            ProbeError: no_audio_track, encrypted, or why the call ended.
        """
        await self.ears.aclose()
        began = time.monotonic()
        deadline = began + timeout_s
        while not self.ears.tracks or self.ears.tracks != self._tracks():
            await self.ears.aclose()
            while not self._tracks():
                left = max(deadline - time.monotonic(), self._people.avatar_left_s(self.agent))
                if left <= 0:
                    who = self._people.silent(with_voice=self._with_voice)
                    what = f"published no microphone track within {timeout_s:g} s"
                    raise Limit.TRACK.ran_out(f"{who} {what}", began, timeout_s)
                await self.sleep_until_change(left)
            ear = self.ears.open(self._tracks())
            while (left := self._people.avatar_left_s(self.agent)) > 0 and not speaks(ear):
                self.check()
                await ear.hear_more(time.monotonic() + left)
        while self._audience.away and (left := deadline - time.monotonic()) > 0:
            await self.sleep_until_change(left)

    @property
    def ear(self) -> Hearing | None:
        """What hears the agent by the track by which it speaks; None while it has none."""
        return self.ears.ear

    def follow_sound(self) -> bool:
        """Hear the agent by another of its tracks if it speaks by that; tell whether it does."""
        return self.ears.follow_sound()

    async def check_key(self) -> None:
        """Raise the ProbeError encrypted if nothing that came from the agent could be decrypted."""
        if not self._encryption.proven:
            self._encryption.check_key(await self.received())

    @property
    def voices(self) -> int:
        """How many agents of our agent's name the caller hears now, ours among them."""
        if self.agent is None:
            return 0
        namesakes = self._people.namesakes(self.agent)
        return sum(bool(self._people.speakers(each)) for each in namesakes)

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
        """Return what is set as soon as a participant of one of these kinds joins."""
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
        return None if self.ears.track is None else await received(self.ears.track)

    def check(self) -> None:
        """Raise the ProbeError with which the call has ended, if it has."""
        self._ending.check()

    async def leave(self) -> None:
        """Leave the room and free everything; safe to call at any time, raises nothing."""
        self.lag.stop()
        await connection.leave(
            self.ears.aclose, self.microphone.aclose, self.room.disconnect, self.events.aclose
        )

    def _tracks(self) -> list[rtc.RemoteAudioTrack]:
        """Return the tracks by which the agent may speak, an avatar's first; none when not there.

        Another agent's, if that one alone has a voice.
        """
        if self.agent is None or not self.room.isconnected():
            return []
        if self._with_voice and not self._people.speakers(self.agent):
            self._take(self._people.talking() or self.agent)
        return subscribed(self._people.speakers(self.agent))

    def _on_attributes(
        self, changed: dict[str, str], participant: rtc.RemoteParticipant, *_: object
    ) -> None:
        if STATE in changed:
            state, who = changed[STATE], participant.identity
            self.events.timeline.add(AgentState(at=time.monotonic(), sender=who, state=state))
        self._on_told(participant, changed)
        self._on_change()

    def _on_told(self, participant: rtc.RemoteParticipant, attributes: dict[str, str]) -> None:
        """Note what a participant tells of itself by its attributes."""
        now, who = time.monotonic(), participant.identity
        for name, value in attributes.items():
            self.events.timeline.add(Attribute(at=now, sender=who, name=name, value=value))

    def _on_connected(self, participant: rtc.RemoteParticipant) -> None:
        now, who = time.monotonic(), participant.identity
        self._people.arrived.setdefault(who, now)
        if self.agent is not None and self.agent.identity == who:
            self._take(participant)  # the one that we had has left, and its tracks with it
        kind = rtc.ParticipantKind.Name(participant.kind).removeprefix("PARTICIPANT_KIND_").lower()
        self.events.timeline.add(Joined(at=now, identity=who, kind=kind))
        if kind in self._awaited:
            self._came.set()
        self._on_avatar(participant)
        self._on_change()

    def _on_subscribed(
        self, _: rtc.Track, publication: rtc.RemoteTrackPublication, by: rtc.RemoteParticipant
    ) -> None:
        if is_microphone(publication):
            self._on_avatar(by)
        self._on_change()

    def _on_avatar(self, participant: rtc.RemoteParticipant) -> None:
        """Hear anew when somebody comes to speak for an agent that is heard already."""
        if self.ear is not None and self.agent is not None and speaks_for(participant, self.agent):
            self._disturb("an avatar came to speak for the agent")

    def _on_disconnected(self, participant: rtc.RemoteParticipant) -> None:
        gone = Left(at=time.monotonic(), identity=participant.identity)
        if self.agent is not None and participant.identity == self.agent.identity:
            loop, why = asyncio.get_running_loop(), participant.disconnect_reason
            loop.call_later(CLOSING_S, self._on_agent_left, gone, self._heard_from, why)
        else:
            self.events.timeline.add(gone)
        self._on_change()

    def _on_agent_left(
        self, gone: Left, since: float, why: rtc.DisconnectReason.ValueType | None
    ) -> None:
        if gone.identity in self.room.remote_participants:
            return  # the connection was made anew: all leave for the SDK, and join again
        if self.room.connection_state == rtc.ConnectionState.CONN_RECONNECTING:
            loop = asyncio.get_running_loop()
            loop.call_later(CLOSING_S, self._on_agent_left, gone, since, why)
            return  # whether it is still there is known once the caller is
        reported = self.events.error_since(since)
        in_order = why == rtc.DisconnectReason.CLIENT_INITIATED and not reported
        self.events.timeline.add(replace(gone, in_order=in_order))
        self._ending.agent_left(why, reported, others=bool(self._people.agents()))
        self._on_change()

    def _on_track_gone(self, track: rtc.Track, *_: object) -> None:
        if track is self.ears.track:
            self._disturb("the agent's track was replaced")

    def _on_deaf(self) -> None:
        self._disturb("the agent's track brought no more frames")

    def _on_reconnect(self) -> None:
        self._disturb("the caller's connection was lost and made again")

    def _disturb(self, what: str) -> None:
        self._disturbed = what
        self._on_change()

    def _on_closed(self, reason: rtc.DisconnectReason.ValueType) -> None:
        if reason == rtc.DisconnectReason.CLIENT_INITIATED:
            return
        self._ending.closed(reason, self.events.error_since(self._heard_from))
        if reason in CLOSED and self.hung_up and self.agent is not None:
            # nobody is told that the others left
            gone = Left(at=time.monotonic(), identity=self.agent.identity, in_order=True)
            self.events.timeline.add(gone)
        self._on_change()

    def _on_change(self, *_: object) -> None:
        self._changed.set()
        self.ears.wake()
