"""The ears of a caller: one on each track by which the agent may speak."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from livekit import rtc

from exporter.rtc.encryption import Encryption
from exporter.rtc.hearing import Hearing
from exporter.rtc.onset import RECENT_S, RECENT_WINDOWS, sounds
from exporter.rtc.tape import Tape
from exporter.rtc.tasks import Tasks

CLOSING_S = 0.5
"""A room that is closed loses its agent first: so long the better reason may follow."""


class Ears:
    """Hear the agent on all of its tracks; `ear` is that by which it speaks.

    Args:
        make: Hears a track.
        encryption: Refuses tracks that are not encrypted as they should be.
        tasks: Watches what hears.
        on_deaf: Called when no more frames come to `ear`, unless the call ends soon.
    """

    def __init__(
        self,
        make: Callable[[rtc.RemoteAudioTrack], Hearing],
        encryption: Encryption,
        tasks: Tasks,
        on_deaf: Callable[[], None],
    ) -> None:
        self._make = make
        self._encryption = encryption
        self._tasks = tasks
        self._on_deaf = on_deaf
        self._open: list[tuple[rtc.RemoteAudioTrack, Hearing]] = []
        self.track: rtc.RemoteAudioTrack | None = None
        self.ear: Hearing | None = None
        self.heard: list[Hearing] = []
        """All ears of this call, those of tracks that were replaced as well."""
        self.tape: Tape | None = None
        """Keeps what is heard on tracks that are opened from now on."""

    @property
    def tracks(self) -> list[rtc.RemoteAudioTrack]:
        """The tracks that are heard now."""
        return [track for track, _ in self._open]

    def open(self, tracks: Sequence[rtc.RemoteAudioTrack]) -> Hearing:
        """Hear those tracks; return what hears the first of them.

        Raises:
            ProbeError: encrypted.
        """
        for track in tracks:
            self._encryption.check_track(track)
            ear = self._make(track)
            self._open.append((track, ear))
            self.heard.append(ear)
            if self.tape is not None:
                ear.on_frame = self.tape.heard
            self._tasks.watch(ear.task)
            ear.task.add_done_callback(partial(self._on_silence, ear))
        self.track, self.ear = self._open[0]
        return self.ear

    def follow_sound(self) -> bool:
        """Hear that of the agent's tracks by which it speaks; tell whether it is another one now.

        An agent may have a track of its own beside that of its avatar, and one of them is silent.
        """
        if self.ear is None or len(self._open) == 1 or speaks(self.ear, RECENT_S):
            return False
        for track, ear in self._open:
            if speaks(ear):
                self.track, self.ear = track, ear
                return True
        return False

    def wake(self) -> None:
        """Let who listens look again: something happened that is no sound."""
        if self.ear is not None:
            self.ear.wake()

    async def aclose(self) -> None:
        """Hear nothing any more, until tracks are opened again."""
        ears, self._open, self.ear, self.track = self._open, [], None, None
        for _, ear in ears:
            await ear.aclose()

    def _on_silence(self, ear: Hearing, _task: asyncio.Task[None]) -> None:
        """See to an ear to which no more frames come, if nobody says soon what has ended."""
        asyncio.get_running_loop().call_later(CLOSING_S, self._check_deaf, ear)

    def _check_deaf(self, ear: Hearing) -> None:
        if ear is self.ear:
            self._on_deaf()


def speaks(ear: Hearing, last_s: float = 0.2) -> bool:
    """Whether there was sound of late that is no noise, for so long."""
    return sounds(ear.levels(ear.windows - RECENT_WINDOWS), last_s)
