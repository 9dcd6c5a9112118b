"""What the demo's providers delivered, for comparison with what an agent reports as its usage."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Sums over requests that were answered; those that failed count nothing."""

    llm_input: int = 0
    """Tokens read, the cached ones included."""
    llm_cached: int = 0
    llm_output: int = 0
    tts_characters: int = 0
    """Of the texts that were spoken."""
    stt_seconds: float = 0.0
    """Of the sound that was recognised."""

    def add(self, other: "Counts") -> None:
        """Add what one request brought."""
        self.llm_input += other.llm_input
        self.llm_cached += other.llm_cached
        self.llm_output += other.llm_output
        self.tts_characters += other.tts_characters
        self.stt_seconds += other.stt_seconds


class CountsByRoom:
    """The counts of all requests, and those of the latest rooms."""

    ROOMS = 1000
    """More are forgotten, the oldest first: a demo may run for weeks."""

    def __init__(self) -> None:
        self.all = Counts()
        self._rooms: dict[str, Counts] = {}

    def add(self, room: str, counts: Counts) -> None:
        """Add what one request of that room brought."""
        self.all.add(counts)
        self._rooms.setdefault(room, Counts()).add(counts)
        if len(self._rooms) > self.ROOMS:
            del self._rooms[next(iter(self._rooms))]

    def of(self, room: str) -> Counts:
        """Return the counts of one room; zeros if it is unknown."""
        return self._rooms.get(room, Counts())
