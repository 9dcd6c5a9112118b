"""Fillers: lines that an agent says while it still works ("One moment"), and the answer after them.

Which sound is such a line the agent's reports tell: it has no latency of its own.
"""

from exporter.rtc.hearing import Hearing
from exporter.rtc.levels import WINDOW_S
from exporter.rtc.onset import OnsetDetector

SILENCE_S = 0.5
"""Silence of an agent that works; shorter than this is a pause between two sentences."""


class Fillers:
    """Finds where the answer begins in a reply whose first sound has been heard.

    Args:
        ear: What hears the agent.
        threshold_db: Level in dBFS of a sound.
    """

    def __init__(self, ear: Hearing, threshold_db: float) -> None:
        self._ear = ear
        self._threshold_db = threshold_db
        self._at = 0
        self._awaited: OnsetDetector | None = None
        self.answer: int | None = None
        """The first sample of the last sound that followed a filler; None if there was none."""

    def look(self, *, works: bool) -> None:
        """Take what was heard since the last look.

        Args:
            works: The agent works and has been silent for `SILENCE_S`.
        """
        if self._awaited is None:
            if not works:
                return
            self._at = max(0, self._ear.windows - round(SILENCE_S / 2 / WINDOW_S))
            self._awaited = OnsetDetector(self._threshold_db, self._at)
        for level in self._ear.levels(self._at):
            self._at += 1
            if (found := self._awaited.push(level)) is not None:
                self.answer = self._ear.first_loud_sample(found, self._threshold_db)
                self._awaited = None
                return
