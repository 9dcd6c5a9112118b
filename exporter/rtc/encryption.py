"""Whether both sides of a call encrypt end to end, and with the same key."""

from livekit import rtc

from exporter.errors import ProbeError
from exporter.outcome import Reason
from exporter.rtc.line import Received


class Encryption:
    """What is known of the encryption in a room.

    Args:
        room: Not yet connected.
    """

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self.key = ""
        """Of the caller; not encrypted if empty."""
        self._decrypts = False
        """Something that somebody else had encrypted was decrypted."""
        room.on("e2ee_state_changed", self._on_state)

    def check_track(self, track: rtc.Track) -> None:
        """Refuse to hear what one side encrypts and the other does not: it sounds like speech.

        Raises:
            ProbeError: encrypted.
        """
        published = (
            publication
            for participant in self._room.remote_participants.values()
            for publication in participant.track_publications.values()
            if publication.track is track
        )
        encrypted = any(each.encryption_type != rtc.EncryptionType.NONE for each in published)
        if encrypted and not self.key:
            detail = (
                "the agent's audio is encrypted, but the call is not; set livekit.e2ee_key_file"
            )
            raise ProbeError(Reason.ENCRYPTED, detail)
        if self.key and not encrypted:
            detail = "the agent's audio is not encrypted, but the call is; set e2ee: false"
            raise ProbeError(Reason.ENCRYPTED, detail)

    def check_key(self, came: Received | None) -> None:
        """Raise the ProbeError encrypted if nothing of what came could be decrypted.

        Args:
            came: Counters of the agent's track; None where there is none.
        """
        if self.proven or came is None or not came.packets:
            return
        detail = "the agent's audio cannot be decrypted with the key in livekit.e2ee_key_file"
        raise ProbeError(Reason.ENCRYPTED, detail)

    @property
    def proven(self) -> bool:
        """Whether there is no key that could be wrong."""
        return not self.key or self._decrypts

    def _on_state(self, whose: object, state: rtc.EncryptionState.ValueType) -> None:
        if isinstance(whose, rtc.RemoteParticipant) and state == rtc.EncryptionState.OK:
            self._decrypts = True
