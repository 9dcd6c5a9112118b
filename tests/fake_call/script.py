"""What an agent does in a fake call."""

from dataclasses import dataclass

from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb

from exporter.outcome import ModelUsage, SilentStage


@dataclass(frozen=True, slots=True)
class Script:
    """What an agent does; the defaults make one that just replies."""

    delay_s: float = 1.0
    """Last sample of the caller's speech to first sample of the reply."""
    greet_s: float = 0.0
    greet_after_s: float = 0.0
    """From its track to its greeting; it says that it speaks from the track on."""
    listens_first: bool = False
    """Says that it listens from the track on; what ends during its greeting is not answered."""
    states: bool = True
    """Says what it is doing."""
    no_track: bool = False
    mute: bool = False
    """Never replies."""
    cold: bool = False
    """Does not reply to the first utterance."""
    hang: bool = False
    """Says it is thinking, and never replies."""
    stops_before: SilentStage | None = None
    """Never replies, and tells of each stage of its turns before that one."""
    error: str = ""
    """Reports this error instead of a reply."""
    stall: bool = False
    """From the first utterance on nothing comes from it, though it stays listed."""
    breaks_off: bool = False
    """From the first utterance on its track brings no more frames, though packets still come."""
    leave: bool = False
    """Is gone at the end of the first utterance."""
    push_to_talk: tuple[str, str] | None = None
    """Names of the RPCs between which it listens; it replies to the second."""
    goodbye: bool = False
    """Is gone when its first reply is over."""
    goes_mid_turn: bool = False
    """Is gone in place of its first reply."""
    dies_after: int = 0
    """Is dropped by the server when so many replies are over."""
    ends_after: int = 0
    """Deletes the room when so many replies are over."""
    close: bool = False
    """The room is closed at the end of the first utterance."""
    background: bool = False
    """Plays music on a second track all the time."""
    music: bool = False
    """The same, on a track that has no name to know it by, published after its voice."""
    encrypted: bool = False
    """Its track is noise to whom has no key."""
    avatar: bool = False
    """Another participant speaks on its behalf; it has no track itself."""
    own_track: bool = False
    """... but one, which is silent."""
    avatar_after_s: float = 0.0
    """From its coming to the avatar's, and from there to the avatar's track."""
    avatar_is_silent: bool = False
    """It speaks by its own track all the same."""
    noise_db: float | None = None
    click_s: float | None = None
    """A click of 5 ms ends so long before the reply."""
    pause_s: float = 0.0
    """Silence inside its reply."""
    filler_s: float | None = None
    """Says "one moment" so long after the end of the caller's speech; the answer at `delay_s`."""
    says_filler: bool = False
    """Says it by `session.say` in `on_user_turn_completed`: works on in the state `listening`."""
    never_answers: bool = False
    """Says its filler, and nothing more."""
    answers_once: bool = False
    """... from the second utterance on."""
    works_on_s: float = 0.0
    """So long it thinks in silence after its answer."""
    says_more: bool = False
    """A second sentence follows that work."""
    without_figures: bool = False
    """Its messages have no figures."""
    fails_after: str = ""
    """Reports this error after its filler."""
    interrupt_s: float = 0.0
    """Talks so long from the beginning of each utterance on, then a second sentence."""
    republish: bool = False
    """Replaces its track at the first utterance, and does not reply to that one."""
    tells: tuple[pb.AgentSessionEvent, ...] = ()
    """Reports these at the end of each utterance as well."""
    reports: bool = False
    """Reports the figures of its turns, as livekit-agents does from 1.5 on."""
    hears: tuple[str, ...] = ()
    """Its final transcripts of each utterance, after one that is not final."""
    uses: ModelUsage | None = None
    """Reports that each reply took so much of one language model."""
    says: tuple[str, ...] = ()
    """Its replies in words, as it reports them; the last one again and again."""
    tool: str = ""
    """It calls this tool before each reply."""
    tool_fails: bool = False
    hands_over_to: str = ""
    """It reports this at the end of each reply."""
    brings: rtc.ParticipantKind.ValueType | None = None
    """Somebody of this kind joins, so long after the end of the first utterance:"""
    brings_after_s: float = 0.3
    attribute: tuple[str, str] | None = None
    """It has this attribute, with this value, from its first reply on."""
    deaf_to: int = 0
    """Samples up to this value are silence to it."""
    blocks: tuple[tuple[float, float], ...] = ()
    """The *prober's* event loop: blocked from so many seconds after the end of the first utterance
    on (before it, if negative), for so many seconds."""
    stops: bool = False
    """... and its whole process with it: what the agent says meanwhile is lost."""
