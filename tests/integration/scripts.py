"""What an agent of known latency does; parsed by `truth`, written by the tests."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Script:
    """What an agent does; the defaults make one that just replies."""

    delay_s: float = 1.0
    """Last loud sample heard to first sample of the reply leaving."""
    greet_s: float = 0.0
    """Length of the greeting."""
    join_after_s: float = 0.0
    """Time between taking the job and entering the room."""
    no_track: bool = False
    mute: bool = False
    """Never replies."""
    hang: bool = False
    """Says it is thinking, and never replies."""
    die: bool = False
    """Its process ends at the first utterance, without a word to the server."""
    leave: bool = False
    """Leaves the room at the first utterance."""
    background: bool = False
    """Plays a second track of music all the time."""
    noise_db: float | None = None
    """Level of the noise on its line."""
    click_s: float | None = None
    """A click of 5 ms so long before the reply."""
    pause_s: float = 0.0
    """Silence inside its reply."""
    talkative: bool = False
    """Greets without end."""
    interrupt_s: float = 0.0
    """Talks so long from the beginning of each utterance on, then a second sentence."""
    republish: bool = False
    """Replaces its microphone track at the first utterance, and does not reply to that one."""
    goodbye: bool = False
    """Leaves the room when its first reply is over."""
    journal: str = ""
    """File that takes a line for each utterance that was heard: the name of the room."""
    depths: str = ""
    """File that takes a line for each utterance: the name of the room, and how deep in seconds the
    agent's own jitter buffer was on average, from the first sound until the end was heard."""
    delays: str = ""
    """File that takes a line for each reply: how long after the end of the utterance, as heard, it
    left in truth. On a busy machine an agent is late too."""
    companion: str = ""
    """Name of another agent that it brings along."""

    def metadata(self) -> str:
        """Return the dispatch metadata that carries this script."""
        return json.dumps(asdict(self))
