"""Who in the room is the agent, among namesakes and avatars, and by which tracks it speaks."""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from livekit import rtc

from exporter.errors import ProbeError

ON_BEHALF = "lk.publish_on_behalf"
BACKGROUND_TRACK = "background_audio"
NAMES = ("lk.agent_name", "lk.agent.name")
"""Attributes with the agent's name: the first set by the server, the second by the worker."""

AVATAR_S = 20.0
"""How long an avatar that has joined may take to publish: its renderer starts for each call."""


class People:
    """The others in a room, and which of them is the agent that is meant.

    Args:
        room: In which they are.
        is_agent: Tells whether a participant is that agent; None when its attributes do not say.
        confirm: Asked, now and again, about a participant of which `is_agent` did not know.
    """

    def __init__(
        self,
        room: rtc.Room,
        is_agent: Callable[[rtc.RemoteParticipant], bool | None],
        confirm: Callable[[str], Awaitable[bool]] | None,
    ) -> None:
        self._room = room
        self._is_agent = is_agent
        self._confirm = confirm
        self.arrived: dict[str, float] = {}
        """When each came by its identity, on the monotonic clock; not who was there before us."""

    def mean_newcomers(self, since: float) -> None:
        """Mean from now on whatever agent came since then."""
        self._is_agent = lambda other: self.arrived.get(other.identity, 0.0) >= since

    async def find(self) -> rtc.RemoteParticipant | None:
        """Return the agent that is meant, one with a voice first; None if it is not there."""
        found, unsure = [], []
        for participant in self.agents():
            sure = self._is_agent(participant)
            if sure:
                found.append(participant)
            if sure is None:
                unsure.append(participant)
        if found:
            return next(filter(self.speakers, found), found[0])
        for participant in unsure:
            if self._confirm is None:
                continue
            with suppress(ProbeError):  # a question that failed is asked again
                if await self._confirm(participant.identity):
                    return participant
        return None

    def agents(self) -> list[rtc.RemoteParticipant]:
        """Return all agents in the room, without avatars."""
        return [each for each in self._room.remote_participants.values() if _is_an_agent(each)]

    def talking(self) -> rtc.RemoteParticipant | None:
        """Return the first agent that may be meant and has a voice."""
        return next(filter(self.speakers, filter(self._is_agent, self.agents())), None)

    def namesakes(self, agent: rtc.RemoteParticipant) -> list[rtc.RemoteParticipant]:
        """Return an agent, and those that cannot be told from it by their names."""
        names = [agent.attributes.get(key, "") for key in NAMES]
        return [
            each
            for each in self.agents()
            if each.identity == agent.identity
            or (self._is_agent(each) and [each.attributes.get(key, "") for key in NAMES] == names)
        ]

    def silent(self, *, with_voice: bool) -> str:
        """Name the agents that should have a microphone: "the agent" alone where it is named.

        Args:
            with_voice: Several may be meant.
        """
        named = [
            next(filter(None, map(each.attributes.get, NAMES)), each.identity)
            for each in self.agents()
            if self._is_agent(each)
        ]
        if not with_voice or not named:
            return "the agent"
        return ", ".join(f"agent {name!r}" for name in named)

    def speakers(self, agent: rtc.RemoteParticipant) -> list[rtc.RemoteTrackPublication]:
        """Return the voice of an agent, that of an avatar that speaks for it first."""
        voices = (_voice(each) for each in (*self.avatars(agent), agent))
        return [each for each in voices if each is not None]

    def avatars(self, agent: rtc.RemoteParticipant) -> list[rtc.RemoteParticipant]:
        """Return those who have joined on an agent's behalf."""
        people = self._room.remote_participants.values()
        return [each for each in people if speaks_for(each, agent)]

    def avatar_left_s(self, agent: rtc.RemoteParticipant | None) -> float:
        """Return how long an avatar is still waited for that has joined and published nothing."""
        avatars = self.avatars(agent) if agent else []
        came = [
            self.arrived.setdefault(each.identity, time.monotonic())
            for each in avatars
            if not subscribed(_microphones(each))
        ]
        return max(came) + AVATAR_S - time.monotonic() if came else 0.0


def _is_an_agent(participant: rtc.RemoteParticipant) -> bool:
    """Tell whether a participant is an agent, and not the avatar of one."""
    is_agent = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
    return is_agent and ON_BEHALF not in participant.attributes


def speaks_for(avatar: rtc.RemoteParticipant, agent: rtc.RemoteParticipant) -> bool:
    """Tell whether a participant is the avatar of that agent."""
    return avatar.attributes.get(ON_BEHALF) == agent.identity


def _microphones(participant: rtc.RemoteParticipant) -> list[rtc.RemoteTrackPublication]:
    return [each for each in participant.track_publications.values() if is_microphone(each)]


def _voice(participant: rtc.RemoteParticipant) -> rtc.RemoteTrackPublication | None:
    """Return the first microphone track that is heard; others may be music."""
    found = _microphones(participant)
    heard = (each for each in found if isinstance(each.track, rtc.RemoteAudioTrack))
    return next(heard, found[0] if found else None)


def subscribed(publications: list[rtc.RemoteTrackPublication]) -> list[rtc.RemoteAudioTrack]:
    """Return the audio tracks of those publications that have come."""
    tracks = (each.track for each in publications)
    return [each for each in tracks if isinstance(each, rtc.RemoteAudioTrack)]


def is_microphone(publication: rtc.RemoteTrackPublication) -> bool:
    """Tell whether a track may be a voice, and is not music."""
    return (
        publication.kind == rtc.TrackKind.KIND_AUDIO
        and publication.name != BACKGROUND_TRACK
        and publication.source
        in (rtc.TrackSource.SOURCE_MICROPHONE, rtc.TrackSource.SOURCE_UNKNOWN)
    )
